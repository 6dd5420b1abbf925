# SPDX-License-Identifier: MIT
# What `oblea build` makes of a Dockerfile is what `buildah bud` makes of it: every inode of the tree, the config, the texts of the
# history. The cases are the folders of tests/build_corpus, whose README says what is in one.
#
#   build_corpus.sh [CASE...]     without cases those that CI runs; "all" are all of them
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need buildah jq python3
corpus=$tests/build_corpus

if (($# == 0)); then
    # One of each kind that takes buildah a second or two.
    mapfile -t cases <"$corpus/in_ci"
elif [[ $1 == all ]]; then
    cases=(--all)
else
    cases=("$@")
fi
if [[ ${cases[0]} == --all ]]; then
    mapfile -t cases < <(cd "$corpus" && printf '%s\n' [0-9]*/ | tr -d /)
fi

buildah=(buildah --root "$work/buildah" --runroot "$work/buildah-run" --storage-driver "${OBLEA_BUILDAH_STORAGE:-overlay}")
buildah_build() { # OPTIONS...
    "${buildah[@]}" bud --isolation chroot --layers --format docker --identity-label=false "$@" >"$work/buildah.log" 2>&1 </dev/null || {
        cat "$work/buildah.log" >&2
        fail "buildah fails"
    }
}
test_cleanup() {
    "${buildah[@]}" umount --all >/dev/null 2>&1
    "${buildah[@]}" rm --all >/dev/null 2>&1
}

# The base of all: Debian's shell and core utilities in one layer, the same in both stores.
small_image
mkdir "$work/base"
ln "$small"/layers/[12].tar "$work/base" 2>/dev/null || cp "$small"/layers/[12].tar "$work/base"
cat >"$work/base/Dockerfile" <<'END'
FROM scratch
ADD 1.tar 2.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/sh"]
END
buildah_build -t localhost/base "$work/base"
"${buildah[@]}" push -q localhost/base "oci:$work/base.oci:base" 2>/dev/null
oblea import "$work/base.oci" localhost/base:latest >/dev/null

both() { # NAME OPTIONS...: of the files in the working folder
    local name=$1
    shift
    local file=Dockerfile
    [[ ! -e ../plain ]] || file=../plain
    buildah_build -t "localhost/$name" -f "$file" "$@" .
    oblea build -t "localhost/$name" "$@" . >"$work/oblea.log" 2>&1 || {
        cat "$work/oblea.log" >&2
        fail "$name: oblea build fails"
    }
}

failed=()
for case in "${cases[@]}"; do
    [[ -d $corpus/$case ]] || fail "no case $case in $corpus"
    echo "--- $case"
    mkdir "$work/$case"
    cp -a "$corpus/$case" "$work/$case/context"
    cd "$work/$case/context"
    options=()
    if [[ -e args ]]; then
        mapfile -t options <args
        rm args
    fi
    rm -f differs
    if [[ -e prepare ]]; then
        mv prepare ..
        sh -eu ../prepare
    fi
    [[ ! -e Dockerfile.plain ]] || mv Dockerfile.plain ../plain
    if [[ -e parent ]]; then
        mv parent ..
        (cd ../parent && mkdir -p none && both parent)
    fi
    both case "${options[@]}"

    container=$("${buildah[@]}" from localhost/case)
    mkdir "$work/$case/tree"
    oblea mount --read-only localhost/case "$work/$case/tree" >/dev/null
    # overlayfs counts no folders in a folder; buildah's layers say nothing of the root, and its RUN leaves a file for hosts behind.
    python3 "$tests/e2e/list_tree.py" --compare --omit mtime,nlink --skip . --skip etc/hosts \
        "$("${buildah[@]}" mount "$container")" "$work/$case/tree" >"$work/$case/found" || true
    diff <(grep -v '^#' "$corpus/$case/differs" 2>/dev/null) "$work/$case/found" || failed+=("$case (tree)")
    oblea umount "$work/$case/tree"
    "${buildah[@]}" rm "$container" >/dev/null

    "${buildah[@]}" inspect --type image localhost/case | jq .Docker >"$work/$case/buildah.json"
    oblea inspect localhost/case | jq '.[0].Id' -r | sed 's/^sha256:/sha256\//' |
        { read -r blob && cp "$OBLEA_ROOT/blobs/$blob" "$work/$case/oblea.json"; }
    python3 "$corpus/compare.py" "$work/$case/buildah.json" "$work/$case/oblea.json" \
        "$([[ -e ../plain ]] && echo plain || echo same)" || failed+=("$case (config)")
    cd "$work"
done
((${#failed[@]} == 0)) || fail "not as buildah has it: ${failed[*]}"
