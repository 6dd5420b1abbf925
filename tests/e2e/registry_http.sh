# SPDX-License-Identifier: MIT
# The ways to a registry: HTTP/2, a client's certificate, a server in front that speaks TLS for it, and proxies.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
need_root  # for names that the proxy alone knows
need nginx tinyproxy unshare
small_image
start_registry plain
plain=$host
skopeo copy -q --dest-tls-verify=false "oci:$small/oci" "docker://$plain/demo:1"

is_listened_at() { # PORT
    (: <>"/dev/tcp/127.0.0.1/$1")
}

# A server that speaks TLS and HTTP/2, and lets in who has a certificate.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server -addext "subjectAltName=IP:127.0.0.1,DNS:registry.test" -keyout "$work/server.key" -out "$work/server.crt" 2>/dev/null
make_certificate client
make_certificate stranger
tls_port=$(free_port)
cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.err;
events {}
http {
    log_format short '\$server_protocol \$request_method \$status \$uri';
    access_log $work/nginx.log short;
    client_body_temp_path $work/nginx.body;
    proxy_temp_path $work/nginx.proxy;
    fastcgi_temp_path $work/nginx.fastcgi;
    uwsgi_temp_path $work/nginx.uwsgi;
    scgi_temp_path $work/nginx.scgi;
    server {
        listen 127.0.0.1:$tls_port ssl http2;
        ssl_certificate $work/server.crt;
        ssl_certificate_key $work/server.key;
        ssl_client_certificate $work/client.crt;
        ssl_verify_client on;
        client_max_body_size 0;
        location / {
            proxy_pass http://$plain;
            # The registry thinks that it is reached by plain http, and says so where it tells places.
            proxy_set_header Host \$http_host;
        }
    }
}
CONF
chmod 755 "$work"
nginx -c "$work/nginx.conf" -e "$work/nginx.err" 2>/dev/null &
servers+=($!)
until_true is_listened_at "$tls_port"
secure=127.0.0.1:$tls_port
folder=$HOME/.config/containers/certs.d/$secure
mkdir -p "$folder"
cp "$work/server.crt" "$folder/ca.crt"
expect_failure "$secure" oblea pull "$secure/demo:1"
cp "$work/stranger.crt" "$folder/client.cert"
expect_failure "there is no client.key beside it" oblea pull "$secure/demo:1"
cp "$work/stranger.key" "$folder/client.key"
expect_failure "$secure" oblea pull "$secure/demo:1"
cp "$work/client.crt" "$folder/client.cert"
cp "$work/client.key" "$folder/client.key"
: >"$work/nginx.log"
oblea pull -q "$secure/demo:1" >/dev/null
oblea tag "$secure/demo:1" "$secure/pushed:1"
oblea push -q --compression zstd "$secure/pushed:1" >/dev/null 2>&1
skopeo inspect --tls-verify=false "docker://$plain/pushed:1" >/dev/null
grep -q '^HTTP/2.0 GET 200 /v2/demo/blobs/' "$work/nginx.log" || fail "no layer came by HTTP/2: $(cat "$work/nginx.log")"
grep -q '^HTTP/2.0 PATCH 202 /v2/pushed/blobs/' "$work/nginx.log" || fail "no layer went by HTTP/2: $(cat "$work/nginx.log")"
assert_eq "requests by another protocol" "" "$(grep -v '^HTTP/2.0 ' "$work/nginx.log" || true)"

# A proxy that knows a name which nobody else does.
proxy_port=$(free_port)
cat >"$work/proxy.conf" <<CONF
Port $proxy_port
Listen 127.0.0.1
Timeout 60
LogFile "$work/proxy.log"
LogLevel Connect
MaxClients 50
Allow 127.0.0.1
CONF
echo "127.0.0.1 registry.test" >"$work/hosts"
unshare --mount sh -c 'mount --bind "$1/hosts" /etc/hosts && exec tinyproxy -d -c "$1/proxy.conf"' sh "$work" >/dev/null 2>&1 &
servers+=($!)
until_true is_listened_at "$proxy_port"
proxy=http://127.0.0.1:$proxy_port
cp -r "$folder" "$HOME/.config/containers/certs.d/registry.test:$tls_port"
export OBLEA_ROOT=$work/by_proxy
expect_failure "registry.test:$tls_port: no such host" oblea pull "registry.test:$tls_port/demo:1"
HTTPS_PROXY=$proxy oblea pull -q "registry.test:$tls_port/demo:1" >/dev/null
assert_contains "what the proxy says" "$(cat "$work/proxy.log")" "CONNECT registry.test:$tls_port"
NO_PROXY=other.test,registry.test HTTPS_PROXY=$proxy expect_failure "no such host" oblea pull "registry.test:$tls_port/demo:1"
# Plain http, where that is allowed. What is on this machine is never asked for by a proxy.
port=${plain#*:}
printf '[[registry]]\nlocation = "registry.test:%s"\ninsecure = true\n' "$port" >"$CONTAINERS_REGISTRIES_CONF"
export OBLEA_ROOT=$work/by_plain_proxy
HTTP_PROXY=$proxy oblea pull -q "registry.test:$port/demo:1" >/dev/null
assert_contains "what the proxy says" "$(cat "$work/proxy.log")" "GET http://registry.test:$port/v2/"
HTTP_PROXY=$proxy HTTPS_PROXY=$proxy oblea pull -q "$plain/demo:1" >/dev/null
assert_eq "what the proxy was asked of this machine" "" "$(grep -F "$plain" "$work/proxy.log" || true)"
expect_failure "no such host" env HTTP_PROXY=http://proxy.invalid:1 oblea pull "registry.test:$port/demo:2"
