# SPDX-License-Identifier: MIT
# A published store whose packs are zstd frames shows every reader what one with plain packs shows: listed, exported, mounted (through
# kills of the server), run from, repaired from; what is damaged in it is found, and an I/O error that the log names.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need jq zstd
small_image

oblea import -q "$small/oci" small:latest >/dev/null
plain=$work/plain shared=$work/shared
oblea publish "$plain" small >/dev/null
(umask 077 && oblea publish --compress-packs "$shared" small) | tee "$work/published"
assert_contains "what publish says" "$(cat "$work/published")" "3 layers new, 0 there already"
assert_eq "files that not everybody may read" "" "$(find "$shared" -type f ! -perm 0644)"
assert_missing "$shared/tmp"

# The same pack for everybody who has zstd; what would not become smaller stays as it is.
framed=0
for folder in "$plain"/layers/*; do
    same=$shared/layers/$(basename "$folder")
    if [[ -e $same/pack.zst ]]; then
        ((++framed))
        assert_missing "$same/pack"
        zstd -dc "$same/pack.zst" | cmp - "$folder/pack" || fail "$same/pack.zst is not that pack"
        (($(stat -c %s "$same/pack.zst") * 8 <= $(stat -c %s "$folder/pack") * 7)) || fail "$same/pack.zst is too large"
    else
        cmp "$same/pack" "$folder/pack" || fail "$same/pack is another one"
    fi
    cmp "$same/index" "$folder/index" || fail "$same/index is another one"
done
((framed >= 2)) || fail "only $framed packs are in frames"
echo "packs: $(cat "$plain"/layers/*/pack | wc -c) bytes, with $framed of them in frames $(cat "$shared"/layers/*/pack* | wc -c)"

# What is there stays in its form, whichever is asked for.
before=$(find "$shared/layers" -printf '%P %i %s %T@\n' | sort)
assert_contains "publishing again" "$(oblea publish "$shared" small)" "0 layers new, 3 there already"
assert_contains "and with frames" "$(oblea publish --compress-packs "$shared" small)" "0 layers new, 3 there already"
assert_eq "the layers" "$before" "$(find "$shared/layers" -printf '%P %i %s %T@\n' | sort)"
assert_contains "verify" "$(oblea verify "$shared")" "No faults"
assert_contains "verify, of the other" "$(oblea verify --fast "$plain")" "No faults"

# Another machine's user, who can only read.
export OBLEA_ROOT=$work/mine OBLEA_STORES=$shared
mount --bind "$shared" "$shared"
mount -o remount,bind,ro "$shared"
OBLEA_STORES=$plain OBLEA_ROOT=$work/other oblea save -o "$work/plain.tar" small
oblea save -o "$work/framed.tar" small
cmp "$work/plain.tar" "$work/framed.tar" || fail "the saved image is another one"
mkdir "$work/root" "$work/expected"
OBLEA_STORES=$plain OBLEA_ROOT=$work/other oblea unpack small "$work/expected/tree" >/dev/null
oblea unpack small "$work/unpacked" >/dev/null
assert_same_tree "$work/expected/tree" "$work/unpacked"

(cd "$work/expected/tree" && find . -xdev -type f -exec sha256sum {} +) >"$work/sums"

server_of() {
    local holder
    holder=$(oblea mounts --format json | jq -r --arg at "$work/root" '.[] | select(.mount_point == $at) | .pid')
    tr -d ' ' <"/proc/$holder/task/$holder/children"
}
other_server() {
    local now
    now=$(server_of)
    [[ -n $now && $now != "$server" ]]
}
for how in trusted verified; do
    options=(--name "$how")
    [[ $how == trusted ]] || options+=(--verify)
    oblea mount "${options[@]}" small "$work/root" >/dev/null
    assert_same_tree "$work/expected/tree" "$work/root"
    echo mine >"$work/root/etc/issue"
    for ((i = 0; i < 3; ++i)); do
        server=
        until_true other_server
        server=$(server_of)
        exec 5<"$work/root/etc/passwd"
        kill -9 "$server"
        echo 3 >/proc/sys/vm/drop_caches
        cmp "$work/expected/tree/etc/passwd" /proc/self/fd/5 || fail "a file that was open"
        exec 5<&-
        find "$work/root" -xdev -type f -size -64k -exec cat {} + >/dev/null
        until_true other_server
    done
    assert_eq "what was written" mine "$(cat "$work/root/etc/issue")"
    cat "$work/expected/tree/etc/issue" >"$work/root/etc/issue"
    (cd "$work/root" && sha256sum --quiet -c "$work/sums") || fail "other contents after kills"
    oblea umount "$work/root" >/dev/null
done
# As a base: only what is new is stored here, and it is plain.
oblea commit trusted derived >/dev/null
assert_eq "layers stored here" 1 "$(ls "$OBLEA_ROOT/layers" | wc -l)"
assert_eq "packs of frames here" "" "$(find "$OBLEA_ROOT" -name pack.zst)"
if command -v crun >/dev/null; then
    assert_eq "a container" "Hello, world!" "$(oblea run --rm derived hello)"
fi
oblea verify -q || fail "verify finds faults"

# One's own store from it: by an archive, and what is damaged, in place.
export OBLEA_ROOT=$work/store OBLEA_STORES=
pack=$(ls -S "$OBLEA_ROOT"/layers/*/pack | head -n 1)
cp "$pack" "$work/pack"
printf XX | dd of="$pack" bs=1 seek=1000 conv=notrunc status=none
rm "$(ls -S "$OBLEA_ROOT"/objects/*/* | head -n 1)"
! oblea verify -q >/dev/null 2>&1 || fail "the damage is not found"
oblea repair --from "$shared"
cmp "$pack" "$work/pack" || fail "the repaired pack is another one"
assert_eq "packs of frames here" "" "$(find "$OBLEA_ROOT" -name pack.zst)"
oblea verify -q || fail "verify finds faults"

# Damage in the shared store: a frame in the middle of the largest pack.
umount "$shared"
pack=$(ls -S "$shared"/layers/*/pack.zst | head -n 1)
cp "$pack" "$work/pack.zst"
printf XXXX | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") / 2)) conv=notrunc status=none
! oblea verify "$shared" >"$work/said" 2>"$work/error" || fail "verify finds nothing"
assert_contains "verify" "$(cat "$work/said")" "${pack#"$shared"/}: "
assert_contains "verify" "$(cat "$work/said")" "needed by small"
assert_contains "verify" "$(cat "$work/error")" "publish the images again"
export OBLEA_ROOT=$work/mine OBLEA_STORES=$shared
oblea mount --name damaged small "$work/root" >/dev/null
failed=0 read=0
while IFS= read -r -d '' file; do
    if cat "$work/root/$file" >"$work/content" 2>"$work/error"; then
        ((++read))
        cmp "$work/content" "$work/expected/tree/$file" || fail "other bytes of $file"
    else
        ((++failed))
        assert_contains "$file" "$(cat "$work/error")" "Input/output error"
    fi
done < <(cd "$work/expected/tree" && find . -xdev -type f -print0)
((failed > 0 && read > failed)) || fail "$failed files cannot be read, $read can"
echo "$failed files of one frame cannot be read, $read can"
log=$(container_folder damaged)/log
touch "$work/root/etc/keeps-the-container"
oblea umount "$work/root" >/dev/null
assert_contains "the log" "$(cat "$log")" "${pack#"$shared"/}: frame "

# Publishing again mends what is gone.
export OBLEA_ROOT=$work/store OBLEA_STORES=
rm "$pack"
assert_contains "publishing again" "$(oblea publish --compress-packs "$shared" small)" "1 layers new, 2 there already"
cmp "$pack" "$work/pack.zst" || fail "the pack is another one"
assert_contains "verify" "$(oblea verify "$shared")" "No faults"
oblea publish --remove small --sweep-after 0s "$shared" >/dev/null
assert_eq "files that are left" "" "$(find "$shared/layers" "$shared/objects" "$shared/merged" -type f)"
