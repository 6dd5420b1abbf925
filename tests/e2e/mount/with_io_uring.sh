#!/bin/bash
# SPDX-License-Identifier: MIT
# with_io_uring.sh COMMAND...: runs the command while the kernel offers FUSE requests by io_uring, and leaves the setting as it was.
#
# Only one test uses this, so nobody else can want the setting as it is meanwhile. Other tests may mount at the same time: a mount
# keeps what it was offered when it was made.
set -euo pipefail

setting=/sys/module/fuse/parameters/enable_uring
# The module may not have been loaded so far.
[[ -e $setting ]] || { : </dev/fuse; } 2>/dev/null || true

skip() {
    # Where CI has the means, what is missing is a fault of the set-up.
    if [[ ${CI:-} == true && $EUID -eq 0 && -e $setting ]]; then
        echo "would be skipped: $*" >&2
        exit 1
    fi
    echo "skipped: $*"
    exit 77
}

((EUID == 0)) || skip "only root may switch io_uring on"
[[ -e $setting ]] || skip "$setting is missing: it needs Linux 6.14 with CONFIG_FUSE_IO_URING"
(($(nproc) == $(getconf _NPROCESSORS_ONLN))) || skip "not every processor may be used here"
if [[ $(<"$setting") == N ]]; then
    # Not a test -w: root may write everything but what is mounted read-only.
    { echo Y >"$setting"; } 2>/dev/null || skip "$setting cannot be written"
    trap 'echo N >"$setting"' EXIT
fi
"$@"
