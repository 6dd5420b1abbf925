#!/bin/bash
# SPDX-License-Identifier: MIT
# To the byte: what the dry run says of each image and of each layer is what du shows freed when it goes; and what a mount needs stays,
# whatever is removed meanwhile.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_root
need_fuse
small_image

# The lists grow and shrink by themselves, with whatever names they have.
disk_bytes() {
    du -s --block-size=1 --exclude=images.json --exclude=index.json --exclude=leases "$OBLEA_ROOT" | cut -f 1
}

# Three images: two that share a layer, a folder of objects or both with others, and one that shares nothing.
mkdir -p "$work/tree/etc"
for number in 1 2 3 4 5 6; do head -c $((number * 100000)) /dev/urandom >"$work/tree/etc/large$number"; done
seq 20000 >"$work/tree/etc/small"
oblea import -q --as rootfs "$work/tree" alone >/dev/null
oblea import -q "$small/oci.tar" one:1 >/dev/null
oblea mount --name changes one:1 "$(mkdir -p "$work/root" && echo "$work/root")" >/dev/null
cp "$work/tree/etc/large1" "$work/tree/etc/large6" "$work/root/srv/"
head -c 300000 /dev/urandom >"$work/root/srv/own"
oblea umount "$work/root" >/dev/null
oblea commit changes two:1 >/dev/null
oblea rm changes >/dev/null
oblea gc -q >/dev/null

# Each image by itself, oldest first: what was promised for it, then freed.
names=(alone one:1 two:1)
age=40
for name in "${names[@]}"; do
    id=$(oblea inspect --format '{{.Id}}' "$name")
    touch -d "$age days ago" "$OBLEA_ROOT/blobs/sha256/${id#sha256:}"
    : $((age -= 10))
done
find "$OBLEA_ROOT/merged" -type f -exec touch -d "50 days ago" {} +
oblea gc --dry-run --bytes --keep-storage 1 >"$work/all"
assert_eq "images of the dry run" 3 "$(grep -c '^image ' "$work/all")"
all=$(awk '/^Reclaimable space:/ { print $3 }' "$work/all")
assert_eq "the sum of the things" "$all" "$(($(awk '$1 != "image" && NF == 3 && $1 != "Reclaimable" { print $2 } /^merged tree/ { print $3 }' "$work/all" | paste -sd+)))"
assert_eq "the sum of the images" "$all" "$(($(awk '$1 == "image" { print $2 }' "$work/all" | paste -sd+)))"
for left in 35 25 15; do
    oblea gc --dry-run --bytes --older-than $((left * 24))h >"$work/dry"
    assert_eq "images that would go" 1 "$(grep -c '^image ' "$work/dry")"
    image=$(awk '$1 == "image" { print $2 }' "$work/dry")
    promised=$(awk '/^Reclaimable space:/ { print $3 }' "$work/dry")
    assert_eq "the image against its things" "$image" "$promised"
    assert_eq "the image against the dry run of all" "$(grep -F "$(awk '$1 == "image"' "$work/dry")" "$work/all")" "$(awk '$1 == "image"' "$work/dry")"
    # Each thing that goes, as du has it now; objects may take their folder with them.
    while read -r size path; do
        counted=$(du -s --block-size=1 "$OBLEA_ROOT/$path" | cut -f 1)
        [[ $path == objects/* ]] && ((size > counted)) && : $((counted += $(stat -c '%b * 512' "$OBLEA_ROOT/${path%/*}")))
        assert_eq "du of $path" "$counted" "$size"
    done < <(awk '$1 != "image" && $1 != "Reclaimable" { print $(NF - 1), $NF }' "$work/dry")
    before=$(disk_bytes)
    oblea gc --bytes --older-than $((left * 24))h >"$work/done"
    freed=$((before - $(disk_bytes)))
    assert_eq "what du shows freed" "$promised" "$freed"
    assert_eq "what gc says that it freed" "$promised" "$(awk '/^Total reclaimed space:/ { print $4 }' "$work/done")"
    while read -r path; do assert_missing "$OBLEA_ROOT/$path"; done < <(awk '$1 != "image" && $1 != "Total" { print $NF }' "$work/done")
done
assert_eq "images left" "" "$(oblea images -q)"

# One layer at a time: images of the first layers of one stack, the tallest removed first.
oblea import -q "$small/oci.tar" one:1 >/dev/null
for number in 1 2 3; do
    oblea mount --name layer "$([[ $number == 1 ]] && echo one:1 || echo "stack:$((number - 1))")" "$work/root" >/dev/null
    head -c $((number * 70000)) /dev/urandom >"$work/root/srv/large-$number"
    seq $((number * 1000)) >"$work/root/srv/small-$number"
    oblea umount "$work/root" >/dev/null
    oblea commit layer "stack:$number" >/dev/null
    oblea rm layer >/dev/null
done
oblea gc -q >/dev/null
for number in 3 2 1; do
    oblea rmi --no-prune "stack:$number" >/dev/null
    oblea gc --dry-run --bytes >"$work/dry"
    assert_eq "layers that would go" 1 "$(grep -c '^layer ' "$work/dry")"
    assert_eq "objects that would go" 1 "$(grep -c '^object ' "$work/dry")"
    layer=$(awk '$1 == "layer" { print $3 }' "$work/dry")
    assert_eq "the layer's line" "$(du -s --block-size=1 "$OBLEA_ROOT/$layer" | cut -f 1)" "$(awk '$1 == "layer" { print $2 }' "$work/dry")"
    before=$(disk_bytes)
    oblea gc -q >/dev/null
    assert_eq "what du shows freed" "$(awk '/^Reclaimable space:/ { print $3 }' "$work/dry")" "$((before - $(disk_bytes)))"
    assert_missing "$OBLEA_ROOT/$layer"
done

# A mount keeps what it needs, even if its image is removed by force; afterwards nothing does.
oblea rmi --force one:1 >/dev/null
oblea gc -q >/dev/null
empty=$(disk_bytes)
for how in --read-only --name=live; do
    oblea import -q "$small/oci.tar" one:1 >/dev/null
    mkdir -p "$work/sound"
    oblea mount --read-only one:1 "$work/sound" >/dev/null
    cp -a "$work/sound" "$work/copy"
    oblea umount "$work/sound" >/dev/null
    oblea mount "$how" one:1 "$work/root" >/dev/null
    oblea rmi --force one:1 >/dev/null
    assert_eq "$how: names left" "<none>" "$(oblea images --format '{{.Repository}}')"
    oblea gc -q >/dev/null
    assert_same_tree "$work/copy" "$work/root"
    # By its id an image in use is not removed by force either; should it be gone all the same, the mount itself holds its layers.
    assert_fails oblea rmi --force "$(oblea images -q)"
    jq '.images = []' "$OBLEA_ROOT/images.json" >"$work/images.json"
    cat "$work/images.json" >"$OBLEA_ROOT/images.json"
    oblea gc -q >/dev/null
    assert_eq "$how: images" "" "$(oblea images -q)"
    echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || true
    assert_same_tree "$work/copy" "$work/root"
    if [[ $how == --name=live ]]; then
        echo changed >>"$work/root/etc/passwd"
        oblea gc -q >/dev/null
        assert_eq "a copy-up after all was removed" changed "$(tail -1 "$work/root/etc/passwd")"
    fi
    oblea umount "$work/root" >/dev/null
    if [[ $how == --name=live ]]; then
        # The container is what needs the layers now.
        oblea gc -q >/dev/null
        oblea cp live:/etc/passwd "$work/passwd"
        assert_eq "the container, after its mount" changed "$(tail -1 "$work/passwd")"
        oblea rm live >/dev/null
    fi
    oblea gc -q >/dev/null
    assert_eq "$how: layers left after unmounting" "" "$(ls "$OBLEA_ROOT/layers" "$OBLEA_ROOT/merged" | grep -v : | tr -d '\n')"
    assert_eq "$how: what the store takes" "$empty" "$(disk_bytes)"
    rm -rf "$work/copy"
done
