# SPDX-License-Identifier: MIT
# Sourced by the tests of registries, after lib.sh: registries on free ports of loopback, ended with the test.
#
# All registries of a test share one storage, unless it sets another one ($storage). $HOME is a folder of the test's own.

need docker-registry skopeo openssl htpasswd python3 jq curl
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}  # the images of the tests stay where they are
export HOME=$work/home CONTAINERS_REGISTRIES_CONF=$work/registries.conf
unset DOCKER_CONFIG DOCKER_AUTH_CONFIG REGISTRY_AUTH_FILE XDG_CONFIG_HOME XDG_RUNTIME_DIR
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
mkdir -p "$HOME"
: >"$CONTAINERS_REGISTRIES_CONF"

storage=$work/storage
servers=()
end_servers() {
    local pid
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
}
test_cleanup() { end_servers; }

# start_registry NAME [CONFIGURATION]: sets $host. CONFIGURATION is YAML for "auth" and "http.tls".
start_registry() {
    local name=$1 more=${2:-} log=$work/$1.log
    cat >"$work/$name.yml" <<YAML
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: $storage}, delete: {enabled: true}}
http:
  addr: 127.0.0.1:0
  secret: test
$more
YAML
    : >"$log"  # before it is looked into: the shell in the background may come to it later
    docker-registry serve "$work/$name.yml" >"$log" 2>&1 &
    servers+=($!)
    until_true registry_has_spoken "$log"
    # It says which port it has got once it listens.
    host=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$log")
    [[ -n $host ]] || fail "docker-registry ended: $(tail -n 3 "$log")"
}
registry_has_spoken() { # LOG
    grep -q 'listening on 127\.0\.0\.1:[0-9]' "$1" || ! kill -0 "${servers[-1]}"
}

# start_server COMMAND...: a server of the test's own, which prints its port first; sets $host.
start_server() {
    local port=$work/port.${#servers[@]}
    "$@" >"$port" &
    servers+=($!)
    until_true test -s "$port"
    host=127.0.0.1:$(cat "$port")
}

# make_certificate NAME: $work/NAME.key and a self-signed $work/NAME.crt for 127.0.0.1.
make_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -addext "subjectAltName=IP:127.0.0.1" \
        -keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null
}

# expect_failure TEXT COMMAND...: it fails with a message that contains TEXT.
expect_failure() {
    local text=$1
    shift
    if "$@" >"$work/failure.out" 2>&1; then
        fail "'$*' succeeded"
    fi
    grep -q -F -- "$text" "$work/failure.out" || fail "'$*' said: $(cat "$work/failure.out"); expected: $text"
}
