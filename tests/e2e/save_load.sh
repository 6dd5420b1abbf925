# SPDX-License-Identifier: MIT
# Archives go from oblea to podman and skopeo and back, and nothing of an image changes on the way.
source "$(dirname "$0")/lib.sh"
need podman skopeo
small_image

manifest=$(jq -r '.manifests[0].digest' "$small/oci/index.json")
oblea import "$small/oci" example.org/small:1 >/dev/null
oblea tag example.org/small:1 second
id=$(oblea images -q --no-trunc example.org/small)
podman() { command podman --root "$work/podman" --runroot "$work/podman-run" --tmpdir "$work/podman-tmp" --storage-driver vfs "$@"; }
test_cleanup() { podman system reset --force >/dev/null 2>&1; }

# One file of two kinds.
oblea save -o "$work/one.tar" example.org/small:1
assert_eq "mode of the archive" 600 "$(stat -c %a "$work/one.tar")"
assert_eq "digest of the oci-archive" "$manifest" "$(skopeo inspect "oci-archive:$work/one.tar" | jq -r .Digest)"
assert_eq "layers of the docker archive" "$(jq -c .rootfs.diff_ids "$small/oci/blobs/sha256/${id#sha256:}")" \
    "$(skopeo inspect "docker-archive:$work/one.tar" | jq -c .Layers)"
oblea save example.org/small:1 | cmp - "$work/one.tar" || fail "the same image gives another archive"

# podman has the same image afterwards, and what podman saves is the same image here.
assert_eq "what podman loads" "Loaded image: example.org/small:1" "$(podman load -q -i "$work/one.tar")"
assert_eq "digest in podman" "$manifest" "$(podman image inspect -f '{{.Digest}}' example.org/small:1)"
assert_eq "id in podman" "${id#sha256:}" "$(podman image inspect -f '{{.Id}}' example.org/small:1)"
podman save -q -o "$work/podman.tar" example.org/small:1
export OBLEA_ROOT=$work/store2
assert_eq "what is loaded of podman's" "Loaded image: example.org/small:1" "$(oblea load -i "$work/podman.tar")"
assert_eq "id of podman's" "$id" "$(oblea images -q --no-trunc)"
assert_eq "what is loaded through a pipe" "Loaded image: example.org/small:1" "$(gzip <"$work/one.tar" | oblea load)"
assert_eq "digest after loading" "$manifest" "$(oblea images --digests --format '{{.Digest}}')"
oblea save example.org/small:1 | cmp - "$work/one.tar" || fail "saved again it is another archive"
skopeo copy -q "oci-archive:$work/one.tar" "docker-archive:$work/skopeo.tar:example.org/small:copied"
assert_eq "what is loaded of skopeo's" "Loaded image: example.org/small:copied" "$(oblea load <"$work/skopeo.tar")"

# Several images in one archive share what they share.
export OBLEA_ROOT=$work/store
oblea import --as rootfs "$small/layers/2.tar" other:1 >/dev/null
oblea save -o "$work/both.tar" example.org/small:1 second other
assert_eq "each member once" "" "$(tar tf "$work/both.tar" | sort | uniq -d)"
podman load -q -i "$work/both.tar" >"$work/loaded"
for name in docker.io/library/other:1 docker.io/library/second:latest example.org/small:1; do
    assert_contains "what podman loads" "$(cat "$work/loaded")" "$name"
done
assert_eq "id of other in podman" "$(oblea images -q --no-trunc other)" "sha256:$(podman image inspect -f '{{.Id}}' other:1)"

# By its id an image has no name.
oblea save "$id" >"$work/nameless.tar"
assert_eq "names of a nameless image" null "$(tar xOf "$work/nameless.tar" manifest.json | jq -c '.[0].RepoTags')"
OBLEA_ROOT=$work/store3 oblea load -i "$work/nameless.tar" >"$work/loaded"
assert_contains "what is loaded of it" "$(cat "$work/loaded")" "Loaded image ID: $id"

# What was there stays when saving fails.
echo old >"$work/kept"
assert_fails oblea save -o "$work/kept" nosuch
assert_eq "the old file" old "$(cat "$work/kept")"
assert_fails oblea save -o "$work/none/x.tar" second
assert_contains "the message" "$message" 'invalid output path: directory "'
assert_contains "on a terminal" "$(script -qec "$oblea save second" /dev/null </dev/null 2>&1 || true)" \
    "cowardly refusing to save to a terminal. Use the -o flag or redirect"
