# SPDX-License-Identifier: MIT
# Sourced by the end-to-end tests: a temporary folder, unmounting whatever happens, assertions that say what they saw.
#
# Gives: $work (removed at the end), OBLEA_ROOT (a store in it), $oblea and the command oblea (the program under test, from
# OBLEA_PROGRAM), $tests (the folder tests/).
set -euo pipefail

# Root's tests have a mount namespace of their own: what one of them mounts over files of the machine only it sees, and no namespace
# that another one makes copies its mounts and keeps them alive.
if ((EUID == 0)) && [[ -z ${OBLEA_TEST_NAMESPACE:-} ]]; then
    exec env OBLEA_TEST_NAMESPACE=own unshare --mount --propagation private bash "$0" "$@"
fi

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
oblea=${OBLEA_PROGRAM:?the program under test}
PATH=$(dirname "$oblea"):$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/oblea-e2e.XXXXXX")
chmod 755 "$work"
export OBLEA_ROOT=$work/store
# What the machine's users have set must not decide a test.
unset OBLEA_LOG XDG_DATA_HOME
export OBLEA_CONFIG=/dev/null

# The containers of a test that ended early: their monitors, with which they end. A number in an old file may be
# another's by now, so a monitor is told by what it has open.
end_containers() {
    local pid
    find "$work" -path '*/containers/*/state.json' -exec cat {} + 2>/dev/null |
        grep -o '"monitor_pid": *[0-9]*' | grep -o '[0-9]*$' | while read -r pid; do
        [[ -z $(find "/proc/$pid/fd" -lname "$work/*" 2>/dev/null) ]] || kill -9 "$pid"
    done
}

cleanup() {
    local status=$? point
    set +e
    end_containers
    # Deepest first. Lazily, since a process of a failed test may still stand in it.
    awk -v prefix="$work/" 'index($5, prefix) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r point; do
        "$oblea" umount "$point" >/dev/null 2>&1
        umount -l "$(printf '%b' "$point")" 2>/dev/null
    done
    if ((status != 0 && status != 77)); then
        # The servers' own words.
        find "$work" -path '*/containers/*/log' -type f -size +0 -exec sh -c 'echo "--- $1" >&2; tail -n 20 "$1" >&2' sh {} \;
    fi
    [[ $(type -t test_cleanup) != function ]] || test_cleanup
    rm -rf --one-file-system "$work" 2>/dev/null || { chmod -R u+rwX "$work" && rm -rf --one-file-system "$work"; }
    exit "$status"
}
trap cleanup EXIT

skip() {
    # CI has all that is needed: what is missing there is a fault of the set-up, not a reason to go on.
    [[ ${CI:-} != true ]] || fail "would be skipped: $*"
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "FAILED (line ${BASH_LINENO[-2]:-?}): $*" >&2
    exit 1
}

need_root() {
    ((EUID == 0)) || skip "only root can run this test"
}

need_fuse() {
    [[ -c /dev/fuse ]] || skip "/dev/fuse is missing"
    { : <>/dev/fuse; } 2>/dev/null || skip "/dev/fuse cannot be opened"
}

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is missing"
    done
}

assert_eq() { # WHAT EXPECTED ACTUAL
    [[ $2 == "$3" ]] || fail "$1: expected '$2', got '$3'"
}

assert_contains() { # WHAT TEXT PART
    [[ $2 == *"$3"* ]] || fail "$1: '$3' is missing in: $2"
}

assert_exists() {
    [[ -e $1 || -L $1 ]] || fail "$1 does not exist"
}

assert_missing() {
    [[ ! -e $1 && ! -L $1 ]] || fail "$1 exists"
}

# assert_fails COMMAND...: it fails by itself (not by a signal) and says why in one line, which is left in $message.
assert_fails() {
    local status=0
    "$@" >"$work/fails.out" 2>"$work/fails.err" || status=$?
    message=$(cat "$work/fails.err")
    ((status != 0)) || fail "'$*' succeeded"
    ((status < 126 && status != 70)) || fail "'$*' ended with status $status: $message"
    [[ $(wc -l <"$work/fails.err") == 1 ]] || fail "'$*' said not one line but: $message"
}

# until_true COMMAND...: for what another process does soon; on a busy machine soon may be a minute.
until_true() {
    local end=$((SECONDS + 60))
    while ! "$@" >/dev/null 2>&1; do
        ((SECONDS <= end)) || fail "never true: $*"
        sleep 0.05
    done
}

# own_processes PATTERN: those with such a command line that this test has started.
own_processes() {
    local pid
    for pid in $(pgrep -f "$1"); do
        ! grep -qsz "^OBLEA_ROOT=$work/" "/proc/$pid/environ" || echo "$pid"
    done
}

# For servers that cannot be given port 0: one of those that the kernel gives to nobody who asks for any port.
free_port() {
    python3 -c '
import random, socket
given = range(*map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split()))
ports = [port for port in range(10000, 65536) if port not in given] or given
while True:
    port = random.choice(ports)
    try:
        socket.socket().bind(("", port))
    except OSError:
        continue
    print(port)
    break'
}

# assert_same_tree A B [OPTIONS of list_tree.py]
assert_same_tree() {
    python3 "$tests/e2e/list_tree.py" --compare "$@" || fail "$1 and $2 differ"
}

# The folder of a container of the store, by its name.
container_folder() {
    local file
    for file in "$OBLEA_ROOT"/containers/*/container.json; do
        if [[ $(jq -r .name "$file") == "$1" ]]; then
            dirname "$file"
            return
        fi
    done
    fail "no container $1 in the store"
}

# mount_image OPTIONS IMAGE DIR: oblea mount, in the data mode of OBLEA_TEST_DATA if there is one.
mount_image() {
    oblea mount ${OBLEA_TEST_DATA:+--data "$OBLEA_TEST_DATA"} "$@"
}

small_image() {
    small=$("$tests/images/small")
}
