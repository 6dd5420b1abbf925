# SPDX-License-Identifier: MIT
# System calls on objects of an image give the answers, and leave the tree, that a plain folder does: 1000 cases.
source "$(dirname "$0")/lib.sh"
need_fuse
need_root
need python3

cases() {
    python3 "$tests/e2e/posix_cases.py" "$@"
}

mkdir "$work/plain" "$work/layer" "$work/root"
chmod 755 "$work/plain" "$work/layer"
mkdir "$work/plain/cases" "$work/layer/cases"
cases make "$work/plain/cases"
cp -a "$work/plain/cases" "$work/layer/"
oblea import "$work/layer" cases:latest >/dev/null
mount_image --allow-other --dev --suid cases:latest "$work/root" >/dev/null
cases run "$work/plain/cases" >"$work/expected"
cases run "$work/root/cases" >"$work/got"
(($(wc -l <"$work/expected") > 900)) || fail "too few cases"
diff "$work/expected" "$work/got" >"$work/diff" || {
    head -n 40 "$work/diff" >&2
    fail "$(grep -c '^>' "$work/diff") cases differ from the file system beneath"
}
oblea umount "$work/root" >/dev/null
