# SPDX-License-Identifier: MIT
# A newcomer's course on docker images, run as it is written: seeds.sh [small|apache [SCREENSHOT]]
#
# With apache, PHP runs inside and Chromium looks at its page; a screenshot of it is left in the file SCREENSHOT.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/registry_lib.sh"
kind=${1:-small}
screenshot=${2:-}
need_fuse
need crun pasta ip
[[ $kind == small ]] || need chromium
# pasta takes addresses from the machine's default route.
[[ -n $(ip route show default) ]] || skip "this machine has no default route"
images=$("$tests/images/seeds" "$kind")

start_registry hub
for pair in ubuntu=library/ubuntu:18.04 httpd=library/httpd:latest tomcat=library/tomcat:9.0.39-jdk11 \
    jenkins=jenkins/jenkins:lts php=library/php:7.4-apache registry=library/registry:2; do
    skopeo copy -q --dest-tls-verify=false "oci:$images/${pair%%=*}" "docker://$host/${pair#*=}"
done
cat >"$CONTAINERS_REGISTRIES_CONF" <<TOML
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "$host"
insecure = true
TOML

mkdir "$work/bin" "$work/course"
ln -s "$oblea" "$work/bin/docker"
if [[ $kind == small ]]; then
    printf '#!/bin/sh\nexec curl -s "$1"\n' >"$work/bin/browse"
else
    cat >"$work/bin/browse" <<SH
#!/bin/bash
chromium() {
    command chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$work/chromium" "\$@" 2>>"$work/chromium.log"
}
[[ -z "$screenshot" ]] || chromium --window-size=1000,800 --screenshot="$screenshot" "\$1"
chromium --dump-dom "\$1"
SH
fi
chmod +x "$work/bin/browse"
export PATH=$work/bin:$PATH

# The ports as written, unless somebody has them.
is_free() {
    python3 -c 'import socket, sys; socket.socket().bind(("", int(sys.argv[1])))' "$1" 2>/dev/null
}
cp "$tests/seeds/course.md" "$work/course.md"
is_free 8080 || sed -i "s/8080/$(free_port)/g" "$work/course.md"
is_free 5000 || sed -i -E "s/(localhost:|-p )5000/\\1$(free_port)/g" "$work/course.md"
python3 "$tests/e2e/run_readme.py" "$work/course.md" "$work/course" || fail "the course goes otherwise"
