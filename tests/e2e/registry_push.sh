# SPDX-License-Identifier: MIT
# Images that oblea pushes are pulled by skopeo, podman and umoci, with equal digests on all sides.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
need_root
need umoci podman
small_image
start_registry plain
podman_() {
    podman --storage-driver vfs --root "$work/podman" --runroot "$work/podman-run" --tmpdir "$work/podman-tmp" "$@"
}
digest_of() {
    skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$1"
}

number=0
# What came from elsewhere goes on with the same bytes, whoever made it.
for form in "" "--format v2s2" "--dest-compress-format zstd"; do
    name=$host/from$((++number))
    # shellcheck disable=SC2086 # none, or an option and its value
    skopeo copy -q --dest-tls-verify=false $form "oci:$small/oci" "docker://$name:1"
    oblea pull -q "$name:1" >/dev/null
    oblea tag "$name:1" "$name:pushed"
    oblea push "$name:pushed" >"$work/push.out"
    assert_eq "digest after '$form'" "$(digest_of "$name:1")" "$(digest_of "$name:pushed")"
    assert_eq "first line" "The push refers to repository [$name]" "$(head -n 1 "$work/push.out")"
    manifest=$(skopeo inspect --tls-verify=false --raw "docker://$name:pushed" | wc -c)
    assert_eq "last line" "pushed: digest: $(digest_of "$name:1") size: $manifest" "$(tail -n 1 "$work/push.out")"
    # Nothing was sent, as the registry had all of it.
    grep -q "Layer already exists" "$work/push.out" || fail "layers were sent again: $(cat "$work/push.out")"
    ! grep -q "Pushed" "$work/push.out" || fail "layers were sent again: $(cat "$work/push.out")"
done

# Another repository of the registry lends its layers.
oblea tag "$host/from1:1" "$host/other/app:1"
oblea push "$host/other/app:1" >"$work/push.out"
grep -q "Mounted from from1" "$work/push.out" || fail "nothing was mounted: $(cat "$work/push.out")"
assert_eq "digest of what was mounted" "$(digest_of "$host/from1:1")" "$(digest_of "$host/other/app:1")"

# Another compression makes another image, and says so.
oblea tag "$host/from1:1" "$host/from1:zstd"
oblea push --compression zstd -q "$host/from1:zstd" >/dev/null 2>"$work/warning"
assert_contains "warning" "$(cat "$work/warning")" "another digest"

# An image that never had a manifest: its layers are compressed, to the same bytes each time.
export OBLEA_ROOT=$work/made
oblea import "$small/docker.tar" "$host/made:1" >/dev/null
oblea push "$host/made:1" >"$work/push.out"
oblea tag "$host/made:1" "$host/made:again"
oblea push -q "$host/made:again" >"$work/again.out"
assert_eq "quiet push" "$host/made:again" "$(cat "$work/again.out")"
assert_eq "reproduced digest" "$(digest_of "$host/made:1")" "$(digest_of "$host/made:again")"
oblea push --compression zstd -q "$host/made:again" >/dev/null 2>"$work/warning"
assert_eq "warning without a manifest" "" "$(cat "$work/warning")"
types=$(skopeo inspect --tls-verify=false --raw "docker://$host/made:again" | jq -r '.layers[].mediaType' | sort -u)
assert_eq "layers' type" application/vnd.oci.image.layer.v1.tar+zstd "$types"

# The other tools take it, verify it, and see the same tree as in what we imported.
umoci unpack --image "$small/oci:small" "$work/expected" >/dev/null
skopeo copy -q --src-tls-verify=false "docker://$host/made:1" "oci:$work/layout:made"
umoci unpack --image "$work/layout:made" "$work/actual" >/dev/null
assert_same_tree "$work/expected/rootfs" "$work/actual/rootfs"
podman_ pull -q --tls-verify=false "$host/made:1" >"$work/podman.id"
config=$(skopeo inspect --tls-verify=false --raw "docker://$host/made:1" | jq -r .config.digest)
assert_eq "the image's id in podman" "$config" "sha256:$(tail -n 1 "$work/podman.id")"

# All tags, and what cannot be.
oblea push -a "$host/made" | grep -c "digest: sha256" >"$work/count"
assert_eq "pushed tags" 2 "$(cat "$work/count")"
expect_failure "tag can't be used with --all-tags/-a" oblea push -a "$host/made:1"
expect_failure "An image does not exist locally with the tag: $host/made:none" oblea push "$host/made:none"
oblea tag "$host/made:1" 127.0.0.1:1/made:1
expect_failure "cannot connect to 127.0.0.1:1: connection refused" oblea push 127.0.0.1:1/made:1

# From repository to repository, and to another registry, with everything that the name stands for.
first=$host
skopeo inspect --tls-verify=false --raw "docker://$first/made:1" >"$work/manifest.json"
jq -n --arg digest "$(digest_of "$first/made:1")" --argjson size "$(stat -c %s "$work/manifest.json")" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size, platform: {os: "linux", architecture: "s390x"}}]}' >"$work/index.json"
curl -s -f -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" --data-binary "@$work/index.json" "http://$first/v2/made/manifests/index"
oblea copy "$first/made:index" "$first/copied:1" >"$work/copy.out"
assert_contains "mounted layers" "$(cat "$work/copy.out")" "Mounted from made"
storage=$work/storage2
start_registry second
assert_eq "quiet copy" "$host/copied:1" "$(oblea copy -q "$first/made:index" "$host/copied:1")"
assert_eq "digest of the copied index" "sha256:$(sha256sum "$work/index.json" | cut -d ' ' -f 1)" \
    "sha256:$(curl -s -H "Accept: application/vnd.oci.image.index.v1+json" "http://$host/v2/copied/manifests/1" | sha256sum | cut -d ' ' -f 1)"
skopeo copy -q --src-tls-verify=false --override-arch s390x "docker://$host/copied:1" "oci:$work/copied:1"
host=$first

# With a password; nothing of it is said.
htpasswd -Bbn ann vErY-sEcReT >"$work/users"
start_registry htpasswd "auth: {htpasswd: {realm: test, path: $work/users}}"
oblea tag 127.0.0.1:1/made:1 "$host/secret:1"
expect_failure "no basic auth credentials" oblea push "$host/secret:1"
oblea login -u ann --password-stdin "$host" <<<vErY-sEcReT >/dev/null 2>&1
oblea push -q "$host/secret:1" >/dev/null
