# SPDX-License-Identifier: MIT
# Images pushed by podman and buildah, in every form that they know, are pulled and mounted, and are the same images.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
need_root
need_fuse
need podman buildah
small_image
start_registry plain
printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$host" >"$CONTAINERS_REGISTRIES_CONF"
podman_() {
    podman --storage-driver vfs --root "$work/podman" --runroot "$work/podman-run" --tmpdir "$work/podman-tmp" "$@"
}
buildah_() {
    buildah --storage-driver vfs --root "$work/podman" --runroot "$work/podman-run" "$@"
}
skopeo copy -q --dest-tls-verify=false "oci:$small/oci" "docker://$host/small:1"
podman_ pull -q "$host/small:1" >"$work/id"
id=$(tail -n 1 "$work/id")
type_of() {
    skopeo inspect --tls-verify=false --raw "docker://$host/$1" | jq -r '.layers[0].mediaType'
}
# The config is the same, and with it every diff ID, which is verified by the pull.
check() { # NAME WHAT [ID]
    oblea pull -q "$host/$1" >/dev/null
    assert_eq "image by $2" "sha256:${3:-$id}" "$(oblea images -q --no-trunc "$host/$1")"
    mkdir -p "$work/root"
    oblea mount -r "$host/$1" "$work/root" >/dev/null
    grep -q Debian "$work/root/etc/issue" || fail "/etc/issue of $2: $(cat "$work/root/etc/issue")"
    oblea umount "$work/root"
}

podman_ push -q --compression-format gzip "$id" "docker://$host/podman:gzip"
check podman:gzip "podman, gzip"
for format in zstd zstd:chunked; do
    # Another registry each time: else podman uses the layers that it knows to be there, in whatever form.
    storage=$work/storage-${format/:/-}
    start_registry "${format/:/-}"
    podman_ push -q --tls-verify=false --compression-format "$format" "$id" "docker://$host/podman:1"
    assert_contains "type of $format" "$(type_of podman:1)" zstd
    OBLEA_ROOT=$work/store-${format/:/-} check podman:1 "podman, $format"
done
# It has frames that are no layer, with a list of files in them; and the end of the tar is not in it.
skopeo inspect --tls-verify=false --raw "docker://$host/podman:1" | jq -e '.layers[0].annotations | keys[] | select(contains("zstd-chunked"))' >/dev/null ||
    fail "podman made no zstd:chunked"

storage=$work/storage-buildah
start_registry buildah
printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$host" >"$CONTAINERS_REGISTRIES_CONF"
buildah_ push -q --format v2s2 "$id" "docker://$host/buildah:docker"
assert_contains "docker's type" "$(type_of buildah:docker)" vnd.docker.image
OBLEA_ROOT=$work/store-docker oblea pull -q "$host/buildah:docker" >/dev/null
OBLEA_ROOT=$work/store-docker oblea unpack --progress none "$host/buildah:docker" "$work/unpacked" >/dev/null
assert_exists "$work/unpacked/etc/issue"
buildah_ push -q --format oci "$id" "docker://$host/buildah:oci"
check buildah:oci buildah

# An index by buildah, of two platforms.
other=$(buildah_ from --arch s390x scratch)
buildah_ copy -q "$other" "$small/oci/oci-layout" /issue >/dev/null
buildah_ commit -q "$other" foreign >/dev/null
buildah_ manifest create list >/dev/null
buildah_ manifest add list "$id" >/dev/null
buildah_ manifest add --arch s390x list foreign >/dev/null
buildah_ manifest push -q --tls-verify=false --all list "docker://$host/buildah:list"
check buildah:list "buildah's list"
foreign=$(OBLEA_ROOT=$work/foreign oblea pull -q --platform linux/s390x "$host/buildah:list")
assert_eq "architecture" s390x "$(OBLEA_ROOT=$work/foreign oblea inspect "$foreign" | jq -r '.[0].Architecture')"
