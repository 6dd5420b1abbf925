#!/bin/bash
# SPDX-License-Identifier: MIT
# --jobs bounds the threads that work in every command that works with several: one pool for import, merge, verify, the marking of gc
# and the compression of layers. Counted as system calls that make threads, so that no clock plays a part.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need strace
strace -f -o /dev/null true 2>/dev/null || skip "strace cannot be used here"

# threads NAME COMMAND...: how many threads one process of the command made, at most.
threads() {
    local name=$1
    shift
    strace -f -qq -e trace=clone,clone3 -o "$work/$name.trace" "$@" >/dev/null 2>"$work/$name.err" || fail "$*: $(cat "$work/$name.err")"
    # PID clone3({flags=...|CLONE_THREAD|...}...: by the process whose thread it is, all of whose threads strace lists by their own
    # numbers; workers make none, so who calls is the process.
    awk '/CLONE_THREAD/ { made[$1]++ } END { most = 0; for (one in made) if (made[one] > most) most = made[one]; print most }' "$work/$name.trace"
}

# An import also has threads that belong to a layer at work, reading ahead and writing back, which OBLEA_THREADS=1 leaves out, and one
# that tells how far it is.

# More layers than threads, and objects in each, so that there is work for all of them.
for number in 1 2 3 4 5 6 7 8; do
    mkdir -p "$work/tree/$number"
    head -c 300000 /dev/urandom >"$work/tree/$number/large"
    tar -C "$work/tree" -cf "$work/$number.tar" "$number"
done
PYTHONPATH=$tests/images python3 - "$work" <<'END'
import sys
import oci_image

work = sys.argv[1]
tars = [f"{work}/{number}.tar" for number in range(1, 9)]
config = oci_image.make_config(tars, tars, {}, "amd64")
oci_image.write_layout(f"{work}/layout", tars, config, "many", ["gzip"] * len(tars))
END

for jobs in 1 2 5; do
    rm -rf "$OBLEA_ROOT"
    imported=$(OBLEA_THREADS=1 threads import "$oblea" --jobs "$jobs" import -q "$work/layout" many:1)
    verified=$(threads verify "$oblea" --jobs "$jobs" verify -q)
    merged=$(rm -f "$OBLEA_ROOT"/merged/* && threads merge "$oblea" --jobs "$jobs" ls many:1 /)
    collected=$(threads gc "$oblea" --jobs "$jobs" gc -q)
    # The layers are compressed anew.
    dropped=$(threads drop "$oblea" --jobs "$jobs" gc --blobs -q)
    saved=$(threads save "$oblea" --jobs "$jobs" save -o "$work/saved.tar" many:1)
    echo "--jobs $jobs: import $imported, verify $verified, merge $merged, gc $collected, gc --blobs $dropped, save $saved"
    for made in $((imported - 1)) "$verified" "$merged" "$collected" "$dropped" "$saved"; do
        ((made <= jobs - 1)) || fail "--jobs $jobs: $made threads beside the first"
    done
done
# With five there is more than one at work, or the bound would show nothing.
((verified >= 1 && collected >= 1 && imported >= 1)) || fail "nothing works with several threads"
