# SPDX-License-Identifier: MIT
# Images pushed by skopeo are pulled, verified and shown as docker does; failures leave the store as it was.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
small_image

start_registry plain
push() {
    skopeo copy -q --dest-tls-verify=false "$@"
}
push "oci:$small/oci" "docker://$host/demo:1"
push --dest-compress-format zstd "oci:$small/oci" "docker://$host/demo:zstd"
push --format v2s2 "oci:$small/oci" "docker://$host/demo:docker"
digest_of() {
    skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/demo:$1"
}

# Lines as docker's.
oblea pull "$host/demo:1" >"$work/pull.out"
digest=$(digest_of 1)
assert_eq "first line" "1: Pulling from demo" "$(head -n 1 "$work/pull.out")"
assert_eq "last lines" "Digest: $digest
Status: Downloaded newer image for $host/demo:1
$host/demo:1" "$(tail -n 3 "$work/pull.out")"
layers=$(skopeo inspect --tls-verify=false --raw "docker://$host/demo:1" | jq -r '.layers[].digest' | cut -c 8-19)
for layer in $layers; do
    for state in "Pulling fs layer" "Download complete" "Pull complete"; do
        assert_eq "lines of $layer" 1 "$(grep -c -x "$layer: $state" "$work/pull.out")"
    done
done

# A second time there is nothing to do.
assert_eq "second pull" "1: Pulling from demo
Digest: $digest
Status: Image is up to date for $host/demo:1
$host/demo:1" "$(oblea pull "$host/demo:1")"
assert_eq "quiet pull" "$host/demo:1" "$(oblea pull -q "$host/demo:1")"
oblea pull -q "$host/demo:zstd" "$host" >/dev/null 2>&1 && fail "two names were taken"
oblea pull "$host/demo:docker" >"$work/docker.out"
oblea pull -q "$host/demo:zstd" >/dev/null
assert_eq "by digest" "$host/demo@$digest" "$(oblea pull -q "$host/demo@$digest")"

# What was pulled is byte for byte what was pushed: a copy checks every digest.
jq -e --arg digest "$digest" '.manifests[] | select(.digest == $digest)' "$OBLEA_ROOT/index.json" >/dev/null ||
    fail "the manifest $digest is not in the store"
name=$(jq -r --arg digest "$digest" '[.manifests[] | select(.digest == $digest)][0].annotations["org.opencontainers.image.ref.name"]' "$OBLEA_ROOT/index.json")
skopeo copy -q "oci:$OBLEA_ROOT:$name" "oci:$work/copy:copy"

# An index of platforms, with an attestation in it.
manifest() {
    skopeo inspect --tls-verify=false --raw "docker://$host/demo:$1"
}
entry() {
    jq -n --arg digest "$(digest_of "$1")" --argjson size "$(manifest "$1" | wc -c)" --arg os "$2" --arg architecture "$3" \
        '{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size, platform: {os: $os, architecture: $architecture}}'
}
architecture=$(jq -r '.architecture' <(skopeo inspect --tls-verify=false --config "docker://$host/demo:1"))
jq -n --argjson a "$(entry 1 unknown unknown)" --argjson b "$(entry zstd linux riscv64)" --argjson c "$(entry 1 linux "$architecture")" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [($a + {annotations: {"vnd.docker.reference.type": "attestation-manifest"}}), $b, $c]}' >"$work/index.json"
put_manifest() {
    curl -s -f -o "$work/put.out" -X PUT -H "Content-Type: $2" --data-binary "@$3" "http://$host/v2/demo/manifests/$1" || fail "PUT $1: $(cat "$work/put.out")"
}
put_manifest multi application/vnd.oci.image.index.v1+json "$work/index.json"
assert_eq "digest of the index" "Digest: sha256:$(sha256sum "$work/index.json" | cut -d ' ' -f 1)" "$(oblea pull "$host/demo:multi" | grep Digest)"
oblea pull -q --platform linux/riscv64 "$host/demo:multi" >/dev/null
expect_failure "no matching manifest for linux/s390x" oblea pull --platform linux/s390x "$host/demo:multi"

# What a registry says of an image, without pulling it.
assert_eq "inspect --remote" "$digest" "$(OBLEA_ROOT=$work/none oblea inspect --remote --format '{{.Digest}}' "$host/demo:1")"
assert_eq "config of inspect --remote" "$architecture" "$(OBLEA_ROOT=$work/none oblea inspect --remote "$host/demo:1" | jq -r '.[0].Config.architecture')"
assert_missing "$work/none"

# Tags, and all of them; an artifact among them is named and does not stop the others.
jq '.artifactType = "application/x-test" | .config.mediaType = "application/x-test"' <(manifest 1) >"$work/artifact.json"
put_manifest artifact application/vnd.oci.image.manifest.v1+json "$work/artifact.json"
assert_eq "tags" "1 artifact docker multi zstd" "$(oblea tags "$host/demo" | sort | xargs)"
OBLEA_ROOT=$work/all expect_failure "error pulling $host/demo:artifact" oblea pull -a "$host/demo"
assert_eq "pulled tags" "1 docker multi zstd" "$(OBLEA_ROOT=$work/all oblea images | awk 'NR > 1 && $2 != "<none>" { print $2 }' | sort | xargs)"
expect_failure "tag can't be used with --all-tags/-a" oblea pull -a "$host/demo:1"

# A dead mirror, then a live one.
cat >"$CONTAINERS_REGISTRIES_CONF" <<TOML
[[registry]]
prefix = "mirrored.example"
location = "127.0.0.1:1"
[[registry.mirror]]
location = "127.0.0.1:1"
[[registry.mirror]]
location = "$host"
[[registry]]
location = "blocked.example"
blocked = true
TOML
assert_eq "through a mirror" mirrored.example/demo:1 "$(OBLEA_ROOT=$work/mirrored oblea pull -q mirrored.example/demo:1)"
expect_failure "registry blocked.example is blocked" oblea pull blocked.example/demo
: >"$CONTAINERS_REGISTRIES_CONF"

# What fails says why, and leaves no trace.
expect_failure "manifest for $host/demo:nope not found: manifest unknown" oblea pull "$host/demo:nope"
expect_failure "cannot connect to 127.0.0.1:1: connection refused" oblea pull 127.0.0.1:1/demo
expect_failure "'scratch' is a reserved name" oblea pull scratch
victim=$(manifest 1 | jq -r '.layers[-1].digest' | cut -d : -f 2)
data=$work/storage/docker/registry/v2/blobs/sha256/${victim:0:2}/$victim/data
size=$(stat -c %s "$data")
export OBLEA_ROOT=$work/broken
for damage in flipped short; do
    cp "$data" "$work/data"
    if [[ $damage == flipped ]]; then
        printf '\xff\x00\xff' | dd of="$data" bs=1 seek=$((size / 2)) conv=notrunc status=none
    else
        truncate -s $((size - 1)) "$data"
    fi
    expect_failure "$host/demo:1" oblea pull "$host/demo:1"
    assert_eq "images after a $damage layer" 0 "$(oblea images -q | wc -l)"
    assert_eq "traces of a $damage layer" "" "$(find "$OBLEA_ROOT"/{layers,blobs/sha256,objects,tmp} -type f 2>/dev/null | grep -v -e reserve -e /download. || true)"
    # What is wrong does not wait for the next pull.
    assert_missing "$OBLEA_ROOT/tmp/download.$victim"
    cp "$work/data" "$data"
done
oblea pull -q "$host/demo:1" >/dev/null
assert_eq "what waits after a pull" "" "$(find "$OBLEA_ROOT/tmp" -name 'download.*')"

# Without the network, and with it only where that is wanted.
assert_eq "present, offline" "$host/demo:1" "$(oblea pull --offline "$host/demo:1")"
assert_eq "present, missing" "$host/demo:1" "$(oblea pull --policy missing "$host/demo:1")"
expect_failure "No such image: $host/demo:2, and the network is not to be used" oblea pull --offline "$host/demo:2"
OBLEA_ROOT=$work/json oblea pull --progress json "$host/demo:1" >"$work/json.out"
assert_eq "layers in JSON" "$(wc -w <<<"$layers")" "$(jq -r 'select(.status == "Pull complete") | .id' "$work/json.out" | wc -l)"

# Commands that use an image bring it first, as --pull says.
export OBLEA_ROOT=$work/ensure
expect_failure "No such image" oblea chroot --pull never "$host/demo:1" true
oblea chroot --rm "$host/demo:1" cat /etc/issue >"$work/issue" 2>"$work/said"
assert_contains "the command's output" "$(cat "$work/issue")" Debian
assert_eq "what is said of a missing image" "Unable to find image '$host/demo:1' locally
1: Pulling from demo" "$(head -n 2 "$work/said")"
oblea chroot --rm "$host/demo:1" true 2>"$work/said"
assert_eq "what is said of a present one" "" "$(cat "$work/said")"
oblea chroot --rm --pull always "$host/demo:1" true 2>"$work/said"
assert_contains "--pull always" "$(cat "$work/said")" "Status: Image is up to date for $host/demo:1"
mkdir "$work/root"
oblea mount -r "$host/demo:zstd" "$work/root" 2>/dev/null
assert_exists "$work/root/etc/issue"
oblea umount "$work/root"
oblea tag "$host/demo:1" 127.0.0.1:1/demo:gone
expect_failure "connection refused" oblea chroot --rm --pull always 127.0.0.1:1/demo:gone true
oblea chroot --rm --pull newer 127.0.0.1:1/demo:gone true 2>"$work/said"
assert_contains "--pull newer" "$(cat "$work/said")" "connection refused; what the store has is used"

# Names without a registry: aliases and places to search, as podman has them. What came by one is found by the short name.
export OBLEA_ROOT=$work/short
cat >"$CONTAINERS_REGISTRIES_CONF" <<TOML
unqualified-search-registries = ["127.0.0.1:1", "$host"]
[aliases]
"little" = "$host/demo"
TOML
assert_eq "pulled by an alias" "$host/demo:1" "$(oblea pull -q little:1)"
oblea chroot --rm --pull missing little:1 true 2>"$work/said"
assert_eq "what is said of one that is there" "" "$(cat "$work/said")"
oblea chroot --rm --pull always little:1 true 2>"$work/said"
assert_contains "--pull always by an alias" "$(cat "$work/said")" "Status: Image is up to date for $host/demo:1"
assert_eq "present by an alias" "$host/demo:1" "$(oblea pull -q --policy missing little:1)"
assert_eq "pulled from the second place" "$host/demo:zstd" "$(oblea pull -q demo:zstd)"
expect_failure "127.0.0.1:1" oblea pull nothing:1
sed -i '1i short-name-mode = "enforcing"' "$CONTAINERS_REGISTRIES_CONF"
expect_failure "cannot prompt without a TTY" oblea pull demo:docker
