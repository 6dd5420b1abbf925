#!/bin/bash
# SPDX-License-Identifier: MIT
# What df and gc say of space is what du shows: shared and unique add up, and gc frees what it names, to the byte.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
small_image

disk_bytes() { du -s --block-size=1 "$OBLEA_ROOT" | cut -f 1; }
df() { oblea df --bytes "$@" >"$work/df"; }
assert_adds_up() {
    local total
    df
    # SIZE is the last column but one.
    total=$(awk 'NR > 1 && $1 != "Total" { print $(NF - 1) }' "$work/df" | paste -sd+)
    assert_eq "sum of df" "$(awk '$1 == "Total" { print $2 }' "$work/df")" "$((total))"
    assert_eq "df against du" "$(disk_bytes)" "$((total))"
}

oblea import -q "$small/oci.tar" one
assert_adds_up
mkdir -p "$work/root/etc"
head -c 500000 /dev/urandom >"$work/root/etc/large"
oblea import -q --as rootfs "$work/root" two
oblea import -q "$small/docker.tar" three
assert_adds_up

# A large content in layers that differ is there once.
saved() { oblea df -v --bytes | awk -v what="$1" '/^THERE ONCE/ { here = 1 } here && $1 == what { print $NF; exit }'; }
assert_eq "saved by objects before" 0 "$(saved Objects)"
echo more >"$work/root/etc/more"
oblea import -q --as rootfs "$work/root" four
blocks=$(($(stat -c %b "$OBLEA_ROOT/objects"/*/"$(sha256sum "$work/root/etc/large" | cut -d " " -f 1)") * 512))
assert_eq "saved by objects" "$blocks" "$(saved Objects)"
oblea rmi four >/dev/null
rm "$work/root/etc/more"
assert_eq "saved by objects after rmi" 0 "$(saved Objects)"
oblea gc -q >/dev/null

oblea rmi two >/dev/null
assert_adds_up
promised=$(awk '$1 == "Unused" { print $2 }' "$work/df")
((promised > 500000)) || fail "gc would free only $promised bytes"
before=$(disk_bytes)
oblea gc -q >/dev/null
freed=$((before - $(disk_bytes)))
# Folders that are emptied may give blocks back too.
((freed >= promised && freed < promised + 200000)) || fail "gc promised $promised bytes and freed $freed"
assert_adds_up

# Without the layers as they came the image is as good, but for being pushed byte for byte.
before=$(disk_bytes)
promised=$(oblea gc --blobs --dry-run --quiet)
oblea gc --blobs -q >/dev/null
((before - $(disk_bytes) > 1000000)) || fail "gc --blobs freed too little ($promised)"
oblea verify -q
[[ $(oblea cat one etc/issue) == "Debian, changed by the third layer" ]] || fail "the image is not whole"
oblea import -q "$small/oci.tar" one
oblea verify -q

# By budget: what was used longest ago goes first, what is in use stays.
oblea import -q --as rootfs "$work/root" two
touch -d "40 days ago" "$OBLEA_ROOT"/merged/* "$OBLEA_ROOT"/blobs/sha256/*
oblea cat two etc/large >/dev/null
oblea gc --older-than 720h --dry-run >"$work/old"
grep -q '^image .*one\|^image .*small' "$work/old" || fail "nothing is older than 720h"
assert_eq "images before" 2 "$(oblea images -q | sort -u | wc -l)"
oblea gc --older-than 720h -q >/dev/null
assert_eq "images that were used lately" "two" "$(oblea images --format '{{.Repository}}')"
oblea gc --keep-storage 1KB -q >/dev/null
assert_eq "images in no space" "" "$(oblea images -q)"
assert_fails oblea gc --keep-storage much
