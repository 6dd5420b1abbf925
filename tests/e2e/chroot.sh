# SPDX-License-Identifier: MIT
# `oblea chroot` runs programs as the image wants them run, and leaves nothing of the machine in the writable layer.
source "$(dirname "$0")/lib.sh"
need_fuse
small_image
oblea import "$small/oci" small:latest >/dev/null

assert_eq "a program of the image" "Hello, world!" "$(oblea chroot small:latest hello)"
assert_eq "standard input" "through a pipe" "$(echo through a pipe | oblea chroot small:latest cat)"
assert_eq "the image's environment" yes "$(oblea chroot small:latest sh -c 'echo $OBLEA_SMALL')"
assert_eq "the image's working folder" /srv "$(oblea chroot small:latest pwd)"
assert_eq "the first user" 0 "$(oblea chroot small:latest id -u)"

status_of() {
    local status=0
    "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}
assert_eq "the command's exit status" 7 "$(status_of oblea chroot small:latest sh -c 'exit 7')"
assert_eq "the status of a killed command" 143 "$(status_of oblea chroot small:latest sh -c 'kill -TERM $$')"
assert_eq "the status of a missing command" 127 "$(status_of oblea chroot small:latest no-such-program)"
assert_eq "the status of what is no program" 126 "$(status_of oblea chroot small:latest /etc/issue)"

assert_eq "proc is there" yes "$(oblea chroot small:latest sh -c 'test -e /proc/self/exe && echo yes')"
oblea chroot small:latest sh -c 'echo gone >/dev/null && head -c 4 /dev/urandom >/dev/null' || fail "devices are missing"
assert_eq "the machine's resolv.conf" "$(cat /etc/resolv.conf)" "$(oblea chroot small:latest cat /etc/resolv.conf)"
assert_eq "containers left by commands that change nothing" "" "$(ls "$OBLEA_ROOT/containers" 2>/dev/null)"

# What was killed is gone, though nobody is left who started it.
assert_eq "a killed process without a parent" gone "$(oblea chroot small:latest sh -c '
    pid=$(sh -c "while :; do :; done >/dev/null 2>&1 & echo \$!")
    kill -9 "$pid"
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
    if kill -0 "$pid" 2>/dev/null; then echo there; else echo gone; fi')"

# In a named container changes stay; proc, dev, sys, resolv.conf and hosts are not among them.
oblea chroot --name kept small:latest sh -c 'echo one >/srv/file; cat /etc/resolv.conf /etc/hosts >/dev/null'
assert_eq "a change in a named container" one "$(oblea chroot --name kept small:latest cat /srv/file)"
upper=$(container_folder kept)/upper
assert_eq "files in the writable layer" "srv/file" "$(cd "$upper" && find . -type f -printf '%P\n')"
assert_eq "folders in the writable layer" "srv" "$(cd "$upper" && find . -mindepth 1 -type d -printf '%P\n')"

# A mounted folder is used as it stands.
mkdir "$work/root"
oblea mount small:latest "$work/root" >/dev/null
oblea chroot "$work/root" sh -c 'echo two >/srv/inside'
assert_eq "a change made inside, seen from outside" two "$(cat "$work/root/srv/inside")"
if ((EUID == 0)); then
    another_user=(setpriv --reuid 12345 --regid 12345 --clear-groups)
    assert_eq "another user of the machine" two "$("${another_user[@]}" cat "$work/root/srv/inside")"
    assert_eq "another user in the chroot" two "$(oblea chroot --user 12345:12345 "$work/root" cat /srv/inside)"
    ! "${another_user[@]}" sh -c 'echo three >"$1"' sh "$work/root/srv/inside" 2>/dev/null || fail "permissions do not count"
fi
oblea umount "$work/root"
