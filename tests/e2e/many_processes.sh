#!/bin/bash
# SPDX-License-Identifier: MIT
# Many processes on one store: imports of the same and of different images, looks into them, mounts, tags, removals, gc, in random
# order. Nothing is lost, nobody waits for ever, and one layer that several import is worked on once. OBLEA_ROUNDS: rounds of each
# process.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_fuse
small_image
rounds=${OBLEA_ROUNDS:-6} processes=${OBLEA_PROCESSES:-6}
seed=${OBLEA_SEED:-$RANDOM}
echo "OBLEA_SEED=$seed"

for i in 1 2 3; do
    mkdir -p "$work/root$i/etc" "$work/root$i/opt"
    echo "image $i" >"$work/root$i/etc/issue"
    head -c 200000 /dev/zero | tr '\0' "$i" >"$work/root$i/opt/own"
    head -c 300000 /dev/zero | tr '\0' s >"$work/root$i/opt/shared"
done
oblea import -q "$small/oci.tar" kept

# What a mount shows stays, whatever the others do to its image.
mounted() { # PROCESS NUMBER
    local folder=$work/mounted.$1
    mkdir -p "$folder"
    if ! oblea mount --pull never "own$2" "$folder" >/dev/null 2>"$work/err.$1"; then
        grep -qi "no such image" "$work/err.$1"
        return
    fi
    oblea rmi -f "own$2" >/dev/null 2>"$work/err.$1" || grep -qi "no such image" "$work/err.$1" || return 1
    oblea gc -q >/dev/null || return 1
    cmp "$work/root$2/opt/own" "$folder/opt/own" || return 1
    cmp "$work/root$2/opt/shared" "$folder/opt/shared" || return 1
    oblea umount "$folder"
}

worker() {
    local i n
    RANDOM=$((seed + $1))
    for ((i = 0; i < rounds; i++)); do
        n=$((RANDOM % 3 + 1))
        # Each of these may find that its image is not there (any more); nothing else may go wrong.
        case $((RANDOM % 9)) in
        0 | 1) oblea import -q --as rootfs "$work/root$n" "own$n" >/dev/null || return 1 ;;
        2) oblea import -q "$small/docker.tar" again >/dev/null || return 1 ;;
        3) oblea gc -q >/dev/null || return 1 ;;
        4) oblea rmi "own$n" >/dev/null 2>"$work/err.$1" || grep -qiE "no such image|is using" "$work/err.$1" || return 1 ;;
        5) oblea tag kept "tag$1" || return 1 ;;
        6) [[ $(oblea cat kept etc/issue) == "Debian, changed by the third layer" ]] || return 1 ;;
        7) oblea cat "own$n" etc/issue >"$work/out.$1" 2>"$work/err.$1" && [[ $(cat "$work/out.$1") == "image $n" ]] ||
            grep -qi "no such image" "$work/err.$1" || return 1 ;;
        8) mounted "$1" "$n" || return 1 ;;
        esac
    done
}
pids=()
for ((p = 0; p < processes; p++)); do
    worker "$p" 2>"$work/log.$p" &
    pids+=($!)
done
for p in "${!pids[@]}"; do
    wait "${pids[p]}" || fail "process $p: $(tail -n 3 "$work/log.$p" "$work/err.$p" 2>/dev/null)"
done
oblea verify -q
oblea cat kept etc/issue >/dev/null
mapfile -t names < <(oblea images -q | sort -u)
oblea rmi -f "${names[@]}" >/dev/null
oblea gc -q
assert_eq "what is left of everything" "" "$(cd "$OBLEA_ROOT" && find layers objects blobs/sha256 merged leases containers -mindepth 1)"
assert_eq "temporaries" "tmp/reserve" "$(cd "$OBLEA_ROOT" && find tmp -mindepth 1)"

# Four imports at the same moment: each of the three layers is read by one, and the others wait.
pids=()
for p in 1 2 3 4; do
    oblea import "$small/docker.tar" "same$p" >"$work/same.$p" &
    pids+=($!)
done
for p in "${pids[@]}"; do wait "$p" || fail "an import beside the same import failed"; done
known=$(grep -h "^Recognised: " "$work"/same.* | sed -n 's/.* \([0-9]\) of them in the store already.*/\1/p' | paste -sd+)
assert_eq "layers that an import found done by another, of 4 times 3" 9 "$((known))"
