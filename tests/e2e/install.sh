# SPDX-License-Identifier: MIT
# `cmake --install` gives a usable system: programs under all their names, mount(8)'s helpers, man pages, completion.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need cmake man
small_image

DESTDIR=$work/installed cmake --install "${OBLEA_BUILD:?the build folder}" --prefix /usr >"$work/install.log" || fail "$(cat "$work/install.log")"
usr=$work/installed/usr

# Nothing that is installed leads to the build or source folder.
while read -r link; do
    assert_exists "$(realpath -m "$link")"
    [[ $(readlink "$link") != /* ]] || fail "$link is an absolute link"
done < <(find "$usr" -type l)
[[ -z $(objdump -p "$usr/bin/oblea" | grep -E 'R(UN)?PATH') ]] || fail "oblea looks for libraries in the build folder"

# Every command that help lists has its page, without a fault in it.
while read -r command; do
    page=$usr/share/man/man1/oblea-${command// /-}.1
    assert_exists "$page"
    assert_eq "faults of $page" "" "$(man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)"
done < <("$usr/bin/oblea" help | sed -nE 's/^  ([a-z][a-z-]*( [a-z]+)?)  .*/\1/p')
assert_eq "completion" "complete -F _oblea oblea" \
    "$(bash -c 'source "$1"; complete -p oblea' bash "$usr/share/bash-completion/completions/oblea")"

assert_contains "completion for fish" "$(cat "$usr/share/fish/vendor_completions.d/oblea.fish")" "complete -c oblea"
assert_contains "completion for zsh" "$(head -1 "$usr/share/zsh/vendor-completions/_oblea")" "#compdef oblea"

# In a mount namespace of its own the machine has what was installed.
oblea import "$small/oci" small:latest
mkdir "$work/root"
unshare -m bash -euc '
    for folder in bin sbin; do
        mount -t overlay -o "lowerdir=$1/$folder:/usr/$folder" overlay "/usr/$folder"
    done
    PATH=/usr/sbin:/usr/bin
    [[ $(command -v oblea) == /usr/bin/oblea ]]
    oblea version
    mount -t oblea -o "root=$OBLEA_ROOT,ro" small:latest "$2"
    cat "$2/etc/issue"
    umount "$2"
    mount -t fuse.oblea -o "root=$OBLEA_ROOT,ro" small:latest "$2"
    umount "$2"
' bash "$usr" "$work/root" >"$work/out" || fail "$(cat "$work/out")"
assert_contains "what the installed programs show" "$(cat "$work/out")" "Debian, changed by the third layer"
