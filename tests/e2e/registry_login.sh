# SPDX-License-Identifier: MIT
# Logging in to registries with htpasswd, with tokens and with TLS by a private authority; secrets stay where they belong.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
small_image
start_registry plain
skopeo copy -q --dest-tls-verify=false "oci:$small/oci" "docker://$host/demo:1"

secret=vErY-sEcReT
config=$HOME/.docker/config.json
log_in() {
    oblea login -u ann --password-stdin "$host"
}
check_login() {
    expect_failure "$1" oblea pull "$host/demo:1"
    expect_failure "unauthorized" log_in <<<"wrong-$secret"
    ! grep -q "$secret" "$work/failure.out" || fail "the password was shown"
    [[ ! -e $config ]] || ! grep -q "$host" "$config" || fail "a refused login was stored"
    log_in <<<"$secret" >"$work/login.out" 2>&1
    grep -q -x "Login Succeeded" "$work/login.out" || fail "login said: $(cat "$work/login.out")"
    ! grep -q "$secret" "$work/login.out" || fail "the password was shown"
    assert_eq "mode of config.json" 600 "$(stat -c %a "$config")"
    oblea pull -q "$host/demo:1" >/dev/null
    # The other tools read what was stored.
    skopeo inspect --authfile "$config" --tls-verify=false "docker://$host/demo:1" >/dev/null
    assert_eq "logout" "Removing login credentials for $host" "$(oblea logout "$host")"
    ! grep -q "$host" "$config" || fail "the credentials are still there"
    expect_failure "$1" oblea pull "$host/demo:2"
}

htpasswd -Bbn ann "$secret" >"$work/users"
start_registry htpasswd "auth: {htpasswd: {realm: test, path: $work/users}}"
mkdir -p "$(dirname "$config")"
echo '{"psFormat": "mine"}' >"$config"
chmod 644 "$config"
check_login "no basic auth credentials"
assert_eq "foreign keys" mine "$(jq -r .psFormat "$config")"
expect_failure "the --password-stdin option requires --username to be set" oblea login --password-stdin "$host" </dev/null
expect_failure "cannot perform an interactive login from a non-TTY device" oblea login "$host" </dev/null

# podman's file and DOCKER_AUTH_CONFIG are read too.
auth=$(printf 'ann:%s' "$secret" | base64)
mkdir -p "$HOME/.config/containers"
echo "{\"auths\": {\"$host/demo\": {\"auth\": \"$auth\"}}}" >"$HOME/.config/containers/auth.json"
oblea pull -q "$host/demo:1" >/dev/null
rm "$HOME/.config/containers/auth.json"
DOCKER_AUTH_CONFIG="{\"auths\": {\"$host\": {\"auth\": \"$auth\"}}}" oblea pull -q "$host/demo:1" >/dev/null

make_certificate tokens
start_server "$tests/e2e/registry_token_server.py" "$work/tokens.key" "$work/tokens.crt" ann "$secret"
start_registry token "auth: {token: {realm: 'http://$host/token', service: s, issuer: test, rootcertbundle: $work/tokens.crt}}"
check_login "pull access denied for $host/demo, repository does not exist or may require"

# The same behind TLS. Without a certificate for it, this machine's own registry needs none that is known.
make_certificate authority
start_registry tls "  tls: {certificate: $work/authority.crt, key: $work/authority.key}
auth: {htpasswd: {realm: test, path: $work/users}}"
check_login "no basic auth credentials"
certificates=$HOME/.config/containers/certs.d/$host
mkdir -p "$certificates"
cp "$work/tokens.crt" "$certificates/ca.crt"
expect_failure "x509: certificate signed by unknown authority" oblea pull "$host/demo:1"
cp "$work/authority.crt" "$certificates/ca.crt"
check_login "no basic auth credentials"
