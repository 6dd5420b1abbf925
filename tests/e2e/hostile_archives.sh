# SPDX-License-Identifier: MIT
# Whatever is wrong with an archive, import ends with one clear line and leaves no trace of it in the store.
source "$(dirname "$0")/lib.sh"

mkdir "$work/bad" "$work/made"
python3 "$tests/e2e/hostile_archives.py" "$work/made" "$work/bad"

# Something is in the store already, and stays as it is.
mkdir -p "$work/rootfs/etc"
echo kept >"$work/rootfs/etc/kept"
oblea import "$work/rootfs" kept:latest >/dev/null

trace() {
    (cd "$OBLEA_ROOT" && find . -mindepth 1 ! -path './leases/*' ! -path './tmp/*' -printf '%P %y %s\n' | sort
     find "$OBLEA_ROOT/tmp" -mindepth 1 ! -name reserve -printf 'tmp/%P\n')
}
trace >"$work/before"

faults=0 count=0
complain() {
    echo "$*" >&2
    faults=$((faults + 1))
}
for archive in "$work"/bad/* "$work/no-such-file"; do
    name=$(basename "$archive")
    count=$((count + 1))
    status=0
    timeout 120 "$oblea" import --progress none "$archive" bad:latest >"$work/out" 2>"$work/err" || status=$?
    case $status in
    0) complain "$name: was imported" ;;
    124) complain "$name: import did not end" ;;
    1 | 2) ;;
    *) complain "$name: ended with status $status" ;;
    esac
    [[ $(wc -l <"$work/err") == 1 ]] || complain "$name: not one line: $(head -c 500 "$work/err")"
    [[ $(head -c 7 "$work/err") == 'oblea: ' ]] || complain "$name: the message does not begin with 'oblea: ': $(head -n 1 "$work/err")"
    trace >"$work/after"
    diff "$work/before" "$work/after" >"$work/diff" || complain "$name: left a trace: $(head -n 5 "$work/diff")"
    echo "$name: $(cat "$work/err")"
done
((faults == 0)) || fail "$faults faults in $count archives"
assert_contains "the images" "$(oblea images)" kept
