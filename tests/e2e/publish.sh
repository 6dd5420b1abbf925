# SPDX-License-Identifier: MIT
# `oblea run -p`: a network of the container's own, and ports of it on the machine.
source "$(dirname "$0")/lib.sh"
need_fuse
need crun pasta python3 ip jq
small_image
oblea import "$small/oci" small:latest >/dev/null

# pasta takes addresses from the machine's default route.
[[ -n $(ip route show default) ]] || skip "this machine has no default route"


# --- a web server

port=$(free_port)
oblea run -d --name web -p "127.0.0.1:$port:80" -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -v "$work:/www" small:latest \
    python3 -m http.server --directory /www 80 >/dev/null
echo "hello from inside" >"$work/page"
fetch() { python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode(), end="")' "http://127.0.0.1:$port/page"; }
until_true fetch
assert_eq "the page by the published port" "hello from inside" "$(fetch)"
assert_eq "PORTS" "127.0.0.1:$port->80/tcp" "$(oblea ps --format '{{.Ports}}')"
assert_eq "by published port" web "$(oblea ps --filter "publish=$port" --filter expose=80/tcp --filter health=none --format '{{.Names}}')"
assert_eq "by other ports" "" "$(oblea ps -q --filter publish=80; oblea ps -q --filter expose=80/udp)"
oblea rm -f web >/dev/null
! fetch >/dev/null 2>&1 || fail "the port is still open"
assert_eq "containers" "" "$(oblea ps -aq)"

# --- connections of every kind

peer() { python3 "$tests/e2e/publish_peer.py" "$@"; }
# Where ordinary users get at it, too.
mkdir "$work/tests" && cp "$tests/e2e/publish_peer.py" "$work/tests/"
inside=(-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -v "$work/tests:/tests:ro" small:latest python3 /tests/publish_peer.py serve 80)
address_of() { oblea port "$1" 80 | head -n 1; }
is_answered() { [[ $(peer half 127.0.0.1 "$port") == "1000 "* ]]; }
is_closed() { peer closed 127.0.0.1 "$port"; }

oblea run -d --name peer -p 80 --restart always "${inside[@]}" >/dev/null
port=$(address_of peer)
assert_contains "the port that was chosen" "$port" 0.0.0.0:
port=${port##*:}
until_true is_answered
# pasta itself left the last bytes of these lying.
peer upload 127.0.0.1 "$port" 8
if peer closed ::1 1 2>/dev/null; then
    assert_contains "by IPv6" "$(peer half ::1 "$port")" "1000 "
fi
source_address=$(peer half 127.0.0.1 "$port")
[[ $source_address != *127.0.0.1* ]] || fail "others look like the container itself: $source_address"
peer many 127.0.0.1 "$port" 300
assert_eq "what is taken slowly" $((16 << 20)) "$(peer download 127.0.0.1 "$port")"
assert_eq "a reset" reset "$(peer reset 127.0.0.1 "$port")"

# Taken ports are told before anything starts.
status=0
said=$(oblea run --name second -p "$port:80" small:latest true 2>&1) || status=$?
assert_eq "exit status of a taken port" 125 "$status"
assert_contains "a taken port" "$said" "listen tcp4 0.0.0.0:$port: bind: address already in use"
assert_eq "what did not start" "Created" "$(oblea ps -a --filter name=second --format '{{.Status}}')"
oblea rm second >/dev/null

# The command ends and is run again, in a new network: the port stays.
kill -9 "$(jq .init_pid "$(container_folder peer)/state.json")"
until_true is_answered
oblea restart -t 0 peer >/dev/null
until_true is_answered
oblea stop -t 0 peer >/dev/null
is_closed || fail "stopped, and the port is still open"
oblea start peer >/dev/null
until_true is_answered

# Nothing of it survives its monitor.
network=$(container_folder peer)/netns
pgrep -f "pasta .*--netns $network" >/dev/null || fail "the container has no pasta"
kill -9 "$(jq .monitor_pid "$(container_folder peer)/state.json")"
until_true is_closed
no_pasta() { ! pgrep -f "pasta .*--netns $network"; }
until_true no_pasta
oblea rm -f peer >/dev/null
assert_eq "containers at the end" "" "$(oblea ps -aq)"

# --- an ordinary user

((EUID == 0)) || exit 0
source "$(dirname "$0")/users_lib.sh"
add_user_without_ids
# pasta makes its interface by this device, which is everybody's on most machines.
mknod -m 666 "$work/tun" c 10 200
mount --bind "$work/tun" /dev/net/tun
user() { "${as_user[@]}" "$@"; }
user oblea import "$work/image" small:latest >/dev/null
user oblea run -d --name peer -p 127.0.0.1::80 "${inside[@]}" >/dev/null
port=$(user oblea port peer 80)
port=${port##*:}
until_true is_answered
peer upload 127.0.0.1 "$port" 2
if (($(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) > 1)); then
    assert_contains "a port of root's" "$(user oblea run -p 127.0.0.1:1:80 small:latest true 2>&1)" \
        "listen tcp4 127.0.0.1:1: bind: permission denied"
fi
user oblea rm -f peer >/dev/null
is_closed || fail "removed, and the port is still open"
