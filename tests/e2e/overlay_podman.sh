# SPDX-License-Identifier: MIT
# podman and buildah with oblea-overlay as mount_program: they build, run, change, commit, diff, copy and save what they do with
# kernel overlayfs and with fuse-overlayfs. As root, and as an ordinary user with subordinate ids.
source "$(dirname "$0")/lib.sh"
need podman buildah crun umoci fuse-overlayfs
source "$(dirname "$0")/users_lib.sh"

# crun takes one hierarchy of cgroups, not a mixture of both versions.
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || skip "no cgroup2 here"

ln -s oblea "$work/oblea-overlay"
oblea import "$small/oci" small >/dev/null
oblea unpack --progress none small "$work/rootfs" >/dev/null
tar -C "$work/rootfs" -cf "$work/base.tar" .
mkdir "$work/context"
cat >"$work/context/Containerfile" <<'STEPS'
FROM base
RUN echo one > /one && rm /etc/issue && chmod 4755 /bin/cat
COPY Containerfile /copied
RUN mv /one /two && ln /two /three && mkdir -p /d/e && echo x > /d/e/f && ln -s f /d/e/l
RUN rm -r /d/e && mkdir /d/e && echo y > /d/e/g && chown 5:6 /d/e/g && mv /usr/share /usr/shared
STEPS
cp "$tests/e2e/list_tree.py" "$work/list_tree.py"
chmod -R a+rX "$work/list_tree.py" "$work/context" "$work/base.tar" "$work/oblea"

# The course, in an empty folder, with the mount_program as argument; empty: kernel overlayfs. What it prints is what is compared.
cat >"$work/course" <<'COURSE'
set -euo pipefail
program=$1
mkdir -p graph run tmp
export CONTAINERS_STORAGE_CONF=$PWD/storage.conf TMPDIR=$PWD/tmp XDG_RUNTIME_DIR=$PWD/run BUILDAH_ISOLATION=chroot
setting=
[[ -z $program ]] || setting="mount_program = \"$program\""
cat >storage.conf <<CONF
[storage]
driver = "overlay"
graphroot = "$PWD/graph"
runroot = "$PWD/run"
[storage.options.overlay]
$setting
CONF
podman() { command podman --cgroup-manager cgroupfs --events-backend file --runtime crun "$@"; }
run() { podman run --network none --cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 "$@"; }
quiet() { "$@" >/dev/null 2>log || { cat log >&2; return 1; }; }
in_mount() { # IMAGE: every inode of it, as the mount program shows it
    local at
    at=$(podman image mount "$1")
    python3 "$LIST_TREE" --omit nlink "$at" | sed 's/ mtime=[0-9]*//'
    podman image unmount "$1" >/dev/null
}
podman info --format '{{index .Store.GraphStatus "Native Overlay Diff"}}' >native
quiet podman import "$WORK/base.tar" base
quiet buildah ${program:+--storage-opt "overlay.mount_program=$program"} bud --layers -t built "$WORK/context"
echo "--- run"
run --name first built sh -c 'echo hello; cat /two /d/e/g; ls /d/e /usr; echo changed >> /copied; rm /three; mkdir /made; exit 3' || echo "status $?"
echo "--- diff"
podman diff first | sort
echo "--- cp"
podman cp first:/copied copied && cmp <(tail -n 1 copied) <(echo changed) && echo same
echo into | podman cp - first:/made 2>/dev/null || true
echo file >into && podman cp into first:/made/into
echo "--- commit"
quiet podman commit first committed
run --rm committed sh -c 'cat /copied /made/into; ls -l /two | cut -c 1-10; test ! -e /three && echo gone'
podman diff committed 2>/dev/null | sort
echo "--- save"
quiet podman save --format oci-archive -o saved.tar committed
tar -tf saved.tar | wc -l
skopeo inspect oci-archive:saved.tar | jq '.Layers | length'
echo "--- tree"
if [[ $(id -u) == 0 ]]; then in_mount committed; else podman unshare bash -c "$(declare -f in_mount podman); in_mount committed"; fi
podman rm -af >/dev/null && podman rmi -af >/dev/null
! grep -F "$PWD/" /proc/self/mountinfo | grep fuse || echo "still mounted"
COURSE

course() { # NAME PROGRAM WORDS...: the course in $work/NAME, its output in $work/NAME.out
    local name=$1 program=$2
    shift 2
    "$@" env WORK="$work" LIST_TREE="$work/list_tree.py" bash -c "mkdir -p '$base/$name' && cd '$base/$name' && bash '$work/course' '$program'" \
        >"$work/$name.out" || fail "the course of $name"
}
compare_courses() {
    diff "$work/$1.out" "$work/$2.out" || fail "$1 and $2 differ"
}

echo "--- root"
base=$work
course root-kernel ''
assert_eq "kernel overlayfs" true "$(cat "$work/root-kernel/native")"
course root-fuse "$(command -v fuse-overlayfs)"
course root-ours "$work/oblea-overlay"
compare_courses root-kernel root-ours
compare_courses root-fuse root-ours
assert_contains "the course" "$(cat "$work/root-ours.out")" "status 3"

echo "--- an ordinary user"
add_user_with_ids
base=$home
course user-fuse "$(command -v fuse-overlayfs)" "${as_user[@]}"
course user-ours "$work/oblea-overlay" "${as_user[@]}"
compare_courses user-fuse user-ours
