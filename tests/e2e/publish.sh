# SPDX-License-Identifier: MIT
# `oblea run -p`: a network of the container's own, and a port of it on the machine, by pasta.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun pasta python3 ip
small_image
oblea import "$small/oci" small:latest >/dev/null

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# pasta takes addresses from the machine's default route.
[[ -n $(ip route show default) ]] || skip "this machine has no default route"

port=$(free_port)
oblea run -d --name web -p "127.0.0.1:$port:80" -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -v "$work:/www" small:latest \
    python3 -m http.server --directory /www 80 >/dev/null
echo "hello from inside" >"$work/page"
fetch() { python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode(), end="")' "http://127.0.0.1:$port/page"; }
for ((try = 0; try < 100; ++try)); do
    ! fetch >/dev/null 2>&1 || break
    sleep 0.1
done
assert_eq "the page by the published port" "hello from inside" "$(fetch)"
assert_eq "PORTS" "127.0.0.1:$port->80/tcp" "$(oblea ps --format '{{.Ports}}')"
assert_eq "by published port" web "$(oblea ps --filter "publish=$port" --filter expose=80/tcp --filter health=none --format '{{.Names}}')"
assert_eq "by other ports" "" "$(oblea ps -q --filter publish=80; oblea ps -q --filter expose=80/udp)"
oblea rm -f web >/dev/null
! fetch >/dev/null 2>&1 || fail "the port is still open"
assert_eq "containers" "" "$(oblea ps -aq)"
