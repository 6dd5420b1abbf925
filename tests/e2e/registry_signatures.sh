# SPDX-License-Identifier: MIT
# Signatures as cosign keeps them, made by openssl: pull, copy and verify-signature let through what policy.json lets through, and
# skopeo judges the same, as far as it can: Debian's has no such signatures.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
small_image
start_registry plain
policy=$HOME/.config/containers/policy.json
mkdir -p "$(dirname "$policy")" "$work/registries.d"
echo "default-docker: {use-sigstore-attachments: true}" >"$work/registries.d/default.yaml"

openssl ecparam -name prime256v1 -genkey -noout -out "$work/ec.key"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/other.key"
openssl genrsa -out "$work/rsa.key" 2048 2>/dev/null
openssl genpkey -algorithm ed25519 -out "$work/ed.key"
openssl genrsa -out "$work/weak.key" 1024 2>/dev/null
for key in ec other rsa ed weak; do
    openssl pkey -in "$work/$key.key" -pubout -out "$work/$key.pub" 2>/dev/null
done

put_blob() { # FILE
    local location
    location=$(curl -s -f -D - -o /dev/null -X POST "http://$host/v2/demo/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -s -f -X PUT -H "Content-Type: application/octet-stream" --data-binary "@$1" "$location&digest=sha256:$(sha256sum "$1" | cut -d ' ' -f 1)"
}
put_manifest() { # TAG TYPE FILE
    curl -s -f -X PUT -H "Content-Type: application/vnd.oci.image.$2.v1+json" --data-binary "@$3" "http://$host/v2/demo/manifests/$1"
}
descriptor() { # FILE TYPE
    jq -n -c --arg type "$2" --arg digest "sha256:$(sha256sum "$1" | cut -d ' ' -f 1)" --argjson size "$(stat -c %s "$1")" '{mediaType: $type, digest: $digest, size: $size}'
}
# sign KEY DIGEST REFERENCE [DIGEST-IN-THE-PAYLOAD]: replaces the signatures of the manifest DIGEST.
sign() {
    local key=$work/$1.key
    printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}' \
        "$3" "${4:-$2}" >"$work/payload"
    if [[ $1 == ed ]]; then
        openssl pkeyutl -sign -inkey "$key" -rawin -in "$work/payload" -out "$work/signature"
    else
        openssl dgst -sha256 -sign "$key" -out "$work/signature" "$work/payload"
    fi
    attach "$2"
}
attach() { # DIGEST: $work/payload with $work/signature
    printf '{}' >"$work/config"
    put_blob "$work/config"
    put_blob "$work/payload"
    jq -n --argjson config "$(descriptor "$work/config" application/vnd.oci.image.config.v1+json)" --arg signature "$(base64 -w 0 "$work/signature")" \
        --argjson layer "$(descriptor "$work/payload" application/vnd.dev.cosign.simplesigning.v1+json)" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $config, layers: [$layer + {annotations: {"dev.cosignproject.cosign/signature": $signature}}]}' >"$work/attached.json"
    put_manifest "sha256-${1#sha256:}.sig" manifest "$work/attached.json"
}
unsign() { # DIGEST: the tag stays, and has no signature
    jq '.layers = []' "$work/attached.json" >"$work/none.json"
    put_manifest "sha256-${1#sha256:}.sig" manifest "$work/none.json"
}
# requires REQUIREMENT...: of images of this registry, where there are no others.
requires() {
    jq -n --arg scope "$host/demo" --argjson list "[$(IFS=,; echo "$*")]" '{default: [{type: "reject"}], transports: {docker: {($scope): $list}}}' >"$policy"
}
signed_by() { # KEY [IDENTITY]
    jq -n -c --arg path "$work/$1.pub" --argjson identity "${2:-null}" '{type: "sigstoreSigned", keyPath: $path} + (if $identity then {signedIdentity: $identity} else {} end)'
}
# Whether oblea and skopeo let the image through; both have to say the same.
judge() {
    local mine=accepted theirs=accepted
    OBLEA_ROOT=$work/judged oblea pull -q "$1" >/dev/null 2>"$work/said" || mine=rejected
    skopeo --policy "$policy" --registries.d "$work/registries.d" copy -q --src-tls-verify=false "docker://$1" "dir:$work/judged.dir" 2>"$work/skopeo.said" || theirs=rejected
    ! grep -q "sigstore disabled" "$work/skopeo.said" || theirs=$mine
    [[ $mine == "$theirs" ]] || fail "$1: oblea: $mine ($(cat "$work/said")), skopeo: $theirs ($(cat "$work/skopeo.said"))"
    verdict=$mine
}
accepts() {
    judge "$1"
    assert_eq "$1" accepted "$verdict"
}
# rejects NAME TEXT
rejects() {
    judge "$1"
    assert_eq "$1" rejected "$verdict"
    assert_contains "why $1 is rejected" "$(cat "$work/said")" "$2"
}

skopeo copy -q --dest-tls-verify=false "oci:$small/oci" "docker://$host/demo:1"
digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/demo:1")
image=$host/demo:1

# Without a policy everything goes; with one, what it says.
oblea pull -q "$image" >/dev/null
requires '{"type": "reject"}'
rejects "$image" "the policy accepts no image from there"
requires '{"type": "insecureAcceptAnything"}'
accepts "$image"
requires "$(signed_by ec)"
rejects "$image" "A signature was required, but no signature exists"

# Every kind of key, and the wrong one.
for key in ec rsa ed; do
    sign "$key" "$digest" "$image"
    requires "$(signed_by "$key")"
    accepts "$image"
    requires "$(signed_by other)"
    rejects "$image" "none of the keys has made the signature"
done
sign ec "$digest" "$image"
requires "{\"type\": \"sigstoreSigned\", \"keyData\": \"$(base64 -w 0 "$work/ec.pub")\"}"
accepts "$image"
requires "$(signed_by ec)" "$(signed_by other)"
rejects "$image" "none of the keys"
jq -n '{default: [{type: "insecureAcceptAnything"}], transports: {docker: {"": [{type: "reject"}]}}}' >"$policy"
rejects "$image" "accepts no image"

# Under which name it was signed.
requires "$(signed_by ec)"
accepts "$host/demo@$digest"
sign ec "$digest" "$host/demo:2"
rejects "$image" "Signature for identity \"$host/demo:2\" is not accepted"
requires "$(signed_by ec '{"type": "matchRepository"}')"
accepts "$image"
sign ec "$digest" example.com/team/app:1
rejects "$image" "is not accepted"
requires "$(signed_by ec '{"type": "exactReference", "dockerReference": "example.com/team/app:1"}')"
accepts "$image"
requires "$(signed_by ec '{"type": "exactRepository", "dockerRepository": "example.com/team/app"}')"
accepts "$image"
requires "$(signed_by ec "{\"type\": \"remapIdentity\", \"prefix\": \"$host/demo\", \"signedPrefix\": \"example.com/team/app\"}")"
accepts "$image"

# A signature of something else, or changed afterwards.
requires "$(signed_by ec)"
sign ec "$digest" "$image" "sha256:$(printf 'ab%.0s' {1..32})"
rejects "$image" "does not match $digest"
sign ec "$digest" "$image"
sed -i 's/null/{}/' "$work/payload"
attach "$digest"
rejects "$image" "none of the keys has made the signature"
unsign "$digest"
rejects "$image" "no signature exists"

# What is refused before it is used: a policy with a fault, demands that cannot be verified, weak keys.
sign ec "$digest" "$image"
requires '{"type": "sigstoreSigned", "keyPath": "/k", "keypath": "/k"}'
rejects "$image" "\"keypath\" is not known"
requires '{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}'
rejects "$image" "which oblea cannot verify"
sign weak "$digest" "$image"
requires "$(signed_by weak)"
expect_failure "nor (of 2048 bits) an RSA key" oblea pull "$image"

# An index that was signed stands for its images.
manifest=$(skopeo inspect --tls-verify=false --raw "docker://$image")
architecture=$(skopeo inspect --tls-verify=false --config "docker://$image" | jq -r .architecture)
jq -n --arg digest "$digest" --argjson size "$(printf %s "$manifest" | wc -c)" --arg architecture "$architecture" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size, platform: {os: "linux", architecture: $architecture}}]}' >"$work/index.json"
put_manifest index index "$work/index.json"
index=sha256:$(sha256sum "$work/index.json" | cut -d ' ' -f 1)
requires "$(signed_by ec)"
unsign "$digest"
expect_failure "no signature exists" oblea pull "$host/demo:index"
sign ec "$index" "$host/demo:index"
oblea pull -q "$host/demo:index" >/dev/null

# verify-signature: by the policy, or by keys.
assert_contains "by the policy" "$(oblea verify-signature "$host/demo:index")" "Signed: $index as $host/demo:index, verified with $work/ec.pub"
expect_failure "no signature exists" oblea verify-signature "$image"
rm "$policy"
assert_contains "without a policy" "$(oblea verify-signature "$image")" "demands no signature"
expect_failure "no signature exists" oblea verify-signature --key "$work/ec.pub" "$image"
sign ec "$digest" "$host/demo"
oblea verify-signature -q --key "$work/other.pub" --key "$work/ec.pub" "$image"
expect_failure "is not accepted for $image" oblea verify-signature --identity exact --key "$work/ec.pub" "$image"
expect_failure "is no public key in PEM" oblea verify-signature --key "$work/ec.key" "$image"

# A copy has the signatures with it, and is refused where a pull is.
requires "$(signed_by ec '{"type": "matchRepository"}')"
oblea copy -q "$image" "$host/copied:1" >/dev/null
expect_failure "accepts no image from there" oblea verify-signature "$host/copied:1"
jq -n --arg a "$host" --argjson one "$(signed_by ec "{\"type\": \"exactRepository\", \"dockerRepository\": \"$host/demo\"}")" '{default: [{type: "reject"}], transports: {docker: {($a): [$one]}}}' >"$policy"
oblea verify-signature -q "$host/copied:1"
unsign "$digest"
expect_failure "no signature exists" oblea copy "$image" "oci:$work/layout:1"
expect_failure "accepts no image from there" oblea copy "oci:$small/oci" "$host/copied:2"
jq --arg path "$small/oci" '.transports.oci = {($path): [{type: "insecureAcceptAnything"}]}' "$policy" >"$work/policy"
cp "$work/policy" "$policy"
oblea copy -q "oci:$(readlink -f "$small/oci")" "$host/copied:2" >/dev/null

# Archives, too: load and import let through what podman loads, and what has to be signed is refused, as nothing there is signed.
own_podman() { podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver vfs --tmpdir "$work/podman-tmp" "$@"; }
judge_load() { # TRANSPORT RULES: the two archives, each held to its own rules
    local transport=$1 mine theirs file=$small/${1%-archive}.tar
    jq -n --argjson rules "$2" '{default: [{type: "reject"}], transports: $rules}' >"$policy"
    mine=accepted theirs=accepted
    OBLEA_ROOT=$work/loaded oblea load -q -i "$file" >/dev/null 2>"$work/said" || mine=rejected
    own_podman load -q -i "$file" >/dev/null 2>"$work/podman.said" || theirs=rejected
    [[ $mine == "$theirs" ]] || fail "load of $transport with $2: oblea: $mine ($(cat "$work/said")), podman: $theirs ($(cat "$work/podman.said"))"
    verdict=$mine
}
test_cleanup() {
    end_servers
    own_podman system reset --force >/dev/null 2>&1
}
if command -v podman >/dev/null; then
    accept='[{"type": "insecureAcceptAnything"}]'
    here=$(readlink -f "$small")
    judge_load docker-archive '{}'
    assert_eq "a docker archive by default" rejected "$verdict"
    assert_contains "why" "$(cat "$work/said")" "rejected by $policy"
    assert_eq "what came of it" "" "$(OBLEA_ROOT=$work/loaded oblea images -q)"
    judge_load docker-archive "{\"docker-archive\": {\"\": $accept}}"
    assert_eq "a docker archive" accepted "$verdict"
    judge_load docker-archive "{\"docker-archive\": {\"\": [$(signed_by ec)]}}"
    assert_eq "a docker archive that has to be signed" rejected "$verdict"
    judge_load oci-archive "{\"oci-archive\": {\"\": $accept}}"
    assert_eq "an OCI archive" accepted "$verdict"
    judge_load oci-archive "{\"oci-archive\": {\"$here\": $accept}}"
    assert_eq "an OCI archive by its folder" accepted "$verdict"
    judge_load oci-archive "{\"oci-archive\": {\"$work\": $accept}}"
    assert_eq "an OCI archive of another folder" rejected "$verdict"
fi
jq -n '{default: [{type: "reject"}], transports: {oci: {"": [{type: "insecureAcceptAnything"}]}}}' >"$policy"
export OBLEA_ROOT=$work/imported
oblea import -q "$small/oci" layout >/dev/null
expect_failure "rejected by $policy" oblea import "$small/docker.tar"
expect_failure "rejected by $policy" oblea load <"$small/oci.tar"
expect_failure "rejected by $policy" oblea import --as rootfs "$small/oci" files
