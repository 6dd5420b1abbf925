# SPDX-License-Identifier: MIT
# What the disk lost of a pulled image comes again from the registry that it came from, and only that.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
small_image
largest_pack() {
    find "$OBLEA_ROOT/layers" -name pack -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2
}

start_registry plain
skopeo copy -q --dest-tls-verify=false "oci:$small/oci" "docker://$host/demo:1"
oblea pull -q "$host/demo:1" >/dev/null
oblea tag "$host/demo:1" mine:latest
oblea rmi "$host/demo:1" >/dev/null
names=$(oblea images --format '{{.Repository}}:{{.Tag}}')

# Compressed layers, an object, a pack, the config and the manifest; from what is left nothing can be rebuilt.
find "$OBLEA_ROOT/blobs" -size +8k -delete
printf X | dd of="$(find "$OBLEA_ROOT/objects" -type f | head -1)" bs=1 seek=100 conv=notrunc status=none
rm "$(largest_pack)"
for document in "$OBLEA_ROOT"/blobs/sha256/*; do
    [[ $(head -c 1 "$document") != '{' ]] || printf X | dd of="$document" bs=1 seek=20 conv=notrunc status=none
done
! oblea verify -q >/dev/null 2>&1 || fail "verify finds no fault"
expect_failure "ask the registries by --pull" oblea repair
oblea repair --pull >"$work/repair.out" 2>&1 || fail "repair left something: $(cat "$work/repair.out")"
oblea verify -q || fail "verify finds faults after the repair"
assert_eq "a file of the repaired image" "Debian, changed by the third layer" "$(oblea cat mine etc/issue)"
assert_eq "names" "$names" "$(oblea images --format '{{.Repository}}:{{.Tag}}')"

# An image that did not come from a registry is not asked for in one.
oblea rmi mine >/dev/null
oblea gc -q
oblea import -q "$small/oci.tar" mine:latest >/dev/null
find "$OBLEA_ROOT/blobs" -size +8k -delete
rm "$(largest_pack)"
expect_failure "did not come from a registry" oblea repair --pull
