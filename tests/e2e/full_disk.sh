#!/bin/bash
# SPDX-License-Identifier: MIT
# A disk that is full: an import fails in one line and leaves nothing, and images can be removed and their space collected.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_root
need mkfs.ext4
small_image

truncate -s 192M "$work/disk.img"
mkfs.ext4 -q -m 0 "$work/disk.img"
mkdir "$work/disk"
mount -o loop "$work/disk.img" "$work/disk"
test_cleanup() { umount "$work/disk" 2>/dev/null || true; }
export OBLEA_ROOT=$work/disk/store

oblea import -q "$small/oci.tar" small
head -c 300M /dev/urandom >"$work/large"
tar -C "$work" -cf "$work/large.tar" --transform 's,^,opt/,' large
rm "$work/large"
before=$(find "$OBLEA_ROOT" | sort)
assert_fails oblea import --as rootfs "$work/large.tar" large
assert_contains "a full disk" "$message" "No space left on device"
assert_eq "what a failed import left" "$before" "$(find "$OBLEA_ROOT" | sort)"

# To the last byte.
cat /dev/zero >"$work/disk/filler" 2>/dev/null || true
for i in $(seq 2000); do echo x >"$work/disk/filler.$i" 2>/dev/null || break; done
assert_eq "free blocks" 0 "$(stat -f -c %a "$work/disk")"
oblea verify -q
oblea tag small again
oblea rmi small again >/dev/null
oblea gc -q
(($(stat -f -c %a "$work/disk") * $(stat -f -c %S "$work/disk") > 40000000)) || fail "gc has freed nothing"
assert_eq "images" "" "$(oblea images -q)"
assert_exists "$OBLEA_ROOT/tmp/reserve"
oblea import -q "$small/oci.tar" small
oblea verify -q
