# SPDX-License-Identifier: MIT
# The main way from end to end: import, mount, read, write, unmount, and find the change again.
source "$(dirname "$0")/lib.sh"
need_fuse
small_image

oblea version >/dev/null
# What only registries need is loaded when one is asked, so that mounting does not wait for it.
[[ $(ldd "$(command -v oblea)") != *libcurl* ]] || fail "every command loads libcurl"
oblea import "$small/oci" small:latest
assert_contains "the list of images" "$(oblea images)" small

mkdir "$work/root"
name=$(oblea mount small:latest "$work/root")
[[ -n $name ]] || fail "mount printed no name"
assert_eq "a file of the top layer" "Debian, changed by the third layer" "$(cat "$work/root/etc/issue")"
assert_missing "$work/root/etc/issue.net"
assert_exists "$work/root/usr/bin/hello"
assert_contains "the list of mounts" "$(oblea mounts)" "$work/root"

echo written >"$work/root/etc/new"
assert_eq "what was written" written "$(cat "$work/root/etc/new")"
oblea umount "$work/root"
! mountpoint -q "$work/root" || fail "still mounted"

oblea mount --name "$name" small:latest "$work/root"
assert_eq "what was written, after mounting again" written "$(cat "$work/root/etc/new")"
oblea umount "$work/root"

# A container in which nothing was changed is dropped.
before=$(ls "$OBLEA_ROOT/containers" | wc -l)
oblea mount small:latest "$work/root" >/dev/null
oblea umount "$work/root"
assert_eq "the number of containers" "$before" "$(ls "$OBLEA_ROOT/containers" | wc -l)"
