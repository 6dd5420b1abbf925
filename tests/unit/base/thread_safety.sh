#!/bin/bash
# SPDX-License-Identifier: MIT
# store/base/mutex.h says to clang what it needs to find a member that is touched without its mutex: a planted mistake
# is found, and nothing else is. `thread_safety.sh SOURCE-ROOT`.
set -euo pipefail
cd "$1"
compiler=clang++-19
command -v $compiler >/dev/null || exit 77

compile() {
    $compiler -std=c++23 -I. -Wthread-safety -Werror=thread-safety -fsyntax-only -DMISTAKE="$1" tests/unit/base/guarded_snippet.cc 2>&1
}

compile 0 || {
    echo "a snippet without a mistake is refused"
    exit 1
}
for mistake in 1 2 3 4; do
    if found=$(compile $mistake); then
        echo "mistake $mistake is not found"
        exit 1
    fi
    grep -q -F -- '-Wthread-safety' <<<"$found" || {
        echo "mistake $mistake is refused for another reason: $found"
        exit 1
    }
done
