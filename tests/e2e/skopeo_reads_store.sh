# SPDX-License-Identifier: MIT
# The store is an OCI layout that other tools read in place, blobs as they came. (It lists images whose layers came compressed:
# of others it keeps what gives their tars back, and no blobs.)
source "$(dirname "$0")/lib.sh"
need skopeo jq
small_image
oblea import "$small/oci" example.org/small:latest >/dev/null
oblea import "$small/docker.tar" example.org/second:1.0 >/dev/null

mapfile -t names < <(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' "$OBLEA_ROOT/index.json" | sort)
assert_contains "names in index.json" "${names[*]}" small
for name in "${names[@]}"; do
    skopeo inspect "oci:$OBLEA_ROOT:$name" >"$work/inspect.json"
    assert_eq "layers of $name" 3 "$(jq '.Layers | length' "$work/inspect.json")"
    # A copy checks every digest.
    skopeo copy -q "oci:$OBLEA_ROOT:$name" "oci:$work/copy:copy"
done
# The manifest is the one that was imported, byte for byte.
imported=$(jq -r '.manifests[0].digest' "$small/oci/index.json")
jq -e --arg digest "$imported" '.manifests[] | select(.digest == $digest)' "$OBLEA_ROOT/index.json" >/dev/null ||
    fail "the imported manifest $imported is not in index.json"
