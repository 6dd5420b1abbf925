# SPDX-License-Identifier: MIT
# Images go between registries, layouts and archives without being stored; skopeo and podman read what comes of it.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
small_image
start_registry plain
first=$host
digest_of() {
    skopeo inspect --tls-verify=false --format '{{.Digest}}' "$1"
}

skopeo copy -q --dest-tls-verify=false "oci:$small/oci" "docker://$first/demo:1"
expected=$(digest_of "docker://$first/demo:1")
architecture=$(skopeo inspect --tls-verify=false --config "docker://$first/demo:1" | jq -r .architecture)

# An index within an index, of which everything goes along.
manifest_of() {
    skopeo inspect --tls-verify=false --raw "docker://$first/demo:$1"
}
put_index() { # TAG ENTRY...: of "TAG ARCHITECTURE"
    local tag=$1 entries=() name architecture type
    shift
    while (($# > 0)); do
        read -r name architecture <<<"$1"
        type=$(manifest_of "$name" | jq -r 'if has("manifests") then "index" else "manifest" end')
        entries+=("$(jq -n -c --arg digest "sha256:$(manifest_of "$name" | sha256sum | cut -d ' ' -f 1)" --argjson size "$(manifest_of "$name" | wc -c)" --arg type "$type" --arg architecture "$architecture" \
            '{mediaType: "application/vnd.oci.image.\($type).v1+json", digest: $digest, size: $size, platform: {os: "linux", architecture: $architecture}}')")
        shift
    done
    printf '%s\n' "${entries[@]}" | jq -s '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: .}' >"$work/$tag.json"
    curl -s -f -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" --data-binary "@$work/$tag.json" "http://$first/v2/demo/manifests/$tag"
}
put_index inner "1 $architecture"
put_index outer "inner $architecture" "1 riscv64"
outer=sha256:$(sha256sum "$work/outer.json" | cut -d ' ' -f 1)

# From the registry to a layout, and from there to an archive, and from there to another registry.
storage=$work/storage2
start_registry second
second=$host
assert_eq "digest" "Digest: $outer" "$(oblea copy "$first/demo:outer" "oci:$work/layout" | tail -n 1)"
assert_eq "quiet copy" "$work/layout:one" "$(oblea copy -q "docker://$first/demo:1" "oci:$work/layout:one")"
oblea copy -q "oci:$work/layout:outer" "oci-archive:$work/layout.tar" >/dev/null
gzip -k "$work/layout.tar"
oblea copy -q "oci-archive:$work/layout.tar.gz:outer" "docker://$second/far:2" >/dev/null
assert_eq "digest at the end of the way" "$outer" \
    "sha256:$(curl -s -H "Accept: application/vnd.oci.image.index.v1+json" "http://$second/v2/far/manifests/2" | sha256sum | cut -d ' ' -f 1)"
assert_eq "what skopeo reads of it" "$expected" "$(skopeo copy -q --src-tls-verify=false --override-arch riscv64 "docker://$second/far:2" "oci:$work/far:2" && digest_of "oci:$work/far:2")"
assert_eq "what skopeo reads of the layout" "$expected" "$(digest_of "oci:$work/layout:one")"
assert_eq "layout's names" "one outer" "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' "$work/layout/index.json" | sort | xargs)"
[[ $outer == "$(jq -r '.manifests[] | select(.annotations["io.containerd.image.name"] == "'"$first/demo:outer"'").digest' "$work/layout/index.json")" ]] || fail "the full name is not in the layout"

# The same archive each time; one platform of several; what is there is not written again.
oblea copy -q "oci:$work/layout:outer" "oci-archive:$work/again.tar" >/dev/null
cmp "$work/layout.tar" "$work/again.tar"
assert_eq "one platform" "Digest: $expected" "$(oblea copy --platform linux/riscv64 "$first/demo:outer" "oci:$work/layout:riscv" | tail -n 1)"
assert_eq "states of layers that are there" "Layer already exists" "$(oblea copy "$first/demo:1" "oci:$work/layout:one" | grep -v Digest | cut -d ' ' -f 2- | sort -u)"
assert_eq "names after the replacement" 1 "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' "$work/layout/index.json" | grep -c -x one)"

# docker's archives, both ways: the config, which is the image's id, stays.
id=$(manifest_of 1 | jq -r .config.digest)
oblea copy -q "$first/demo:outer" "docker-archive:$work/docker.tar:me/app:3" >/dev/null
assert_eq "name in the archive" docker.io/me/app:3 "$(tar xOf "$work/docker.tar" manifest.json | jq -r '.[0].RepoTags[0]')"
assert_eq "id by skopeo" "$id" "$(skopeo inspect --raw "docker-archive:$work/docker.tar" | jq -r .config.digest)"
oblea copy -q "docker-archive:$work/docker.tar" "$second/app:3" >/dev/null
oblea copy -q "docker-archive:$work/docker.tar:me/app:3" "$second/app:again" >/dev/null
assert_eq "id after the way back" "$id" "$(skopeo inspect --tls-verify=false --raw "docker://$second/app:3" | jq -r .config.digest)"
assert_eq "reproduced digest" "$(digest_of "docker://$second/app:3")" "$(digest_of "docker://$second/app:again")"
assert_eq "layers' type" application/vnd.oci.image.layer.v1.tar+gzip "$(skopeo inspect --tls-verify=false --raw "docker://$second/app:3" | jq -r '.layers[].mediaType' | sort -u)"
oblea pull -q "$second/app:3" >/dev/null
assert_eq "the loaded image" "$id" "$(oblea load -q -i "$work/docker.tar" >/dev/null && oblea images -q --no-trunc me/app:3)"

# All tags of a repository, into a layout and back; one that is no image does not stop the others.
oblea copy -q -a "$first/demo" "oci:$work/all" >/dev/null
assert_eq "all tags" "1 inner outer" "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' "$work/all/index.json" | sort | xargs)"
oblea copy -a "oci:$work/all" "$second/all" | grep -c "digest: sha256" >"$work/count"
assert_eq "all tags from a layout" 3 "$(cat "$work/count")"
expect_failure "tag can't be used with --all-tags/-a" oblea copy -a "$first/demo:1" "oci:$work/all"
victim=$(find "$work/all/blobs/sha256" -size +10k | sort | tail -n 1)
printf '\xff\x00\xff' | dd of="$victim" bs=1 seek=5000 conv=notrunc status=none
expect_failure "error copying" oblea copy -a "oci:$work/all" "oci-archive:$work/damaged.tar"

# What is wrong leaves nothing behind.
expect_failure "blob verification failed" oblea copy "oci:$work/all:1" "oci-archive:$work/wrong.tar"
expect_failure "blob $(basename "$victim" | cut -c 1-12): " oblea copy "oci:$work/all:1" "docker-archive:$work/wrong.tar"
expect_failure "blob verification failed" oblea copy "oci:$work/all:1" "oci:$work/wrong"
assert_eq "files of failed copies" "" "$(find "$work" -maxdepth 1 -name 'wrong.tar*'; find "$work/wrong" -name '*.new.*')"
assert_missing "$work/wrong/index.json"
expect_failure "which has to be written by pull" oblea copy "$first/demo:1" "oci:$OBLEA_ROOT:1"
expect_failure "is there already" oblea copy "$first/demo:1" "docker-archive:$work/docker.tar"
expect_failure "has files in it, and is no OCI image layout" oblea copy "$first/demo:1" "oci:$work:1"
expect_failure "no image \"nope\"; there is" oblea copy "oci:$work/layout:nope" "$second/x"
expect_failure "cannot copy to a digest reference" oblea copy "$first/demo:1" "$second/x@$expected"
expect_failure "cannot copy from or to \"dir:x\"" oblea copy "$first/demo:1" dir:x

# Signatures, which cosign keeps under a name of their own, go along.
signatures="sha256-${expected#sha256:}.sig"
oblea copy -q "$first/demo:1" "$first/demo:$signatures" >/dev/null  # any manifest will do here
oblea copy -q "$first/demo:1" "oci:$work/signed:1" >/dev/null
oblea copy -q "oci:$work/signed:1" "$second/signed:1" >/dev/null
assert_eq "tags beside a signature" "1 $signatures" "$(oblea tags "$second/signed" | sort | xargs)"
# They are no images of the layout.
OBLEA_ROOT=$work/loaded oblea load -q -i "$work/signed" >/dev/null
assert_eq "images of a layout with signatures" 1 "$(OBLEA_ROOT=$work/loaded oblea images -q | wc -l)"
