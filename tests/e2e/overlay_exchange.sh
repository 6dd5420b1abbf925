# SPDX-License-Identifier: MIT
# oblea-overlay, kernel overlayfs and fuse-overlayfs show the same tree of the same folders, whoever wrote the upper one.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need fuse-overlayfs

cd "$work"
mkdir mnt

# What a writer does to the tree at $1: whiteouts, opaque folders, redirects, hard links, attributes, all kinds of files.
change() {
    local at=$1
    echo changed >>"$at/etc/issue"
    rm "$at/etc/gone"
    rm -r "$at/usr/share"
    mkdir "$at/usr/share"
    echo new >"$at/usr/share/new"
    chmod 4755 "$at/bin/tool"
    chown 7:8 "$at/bin/other"
    setfattr -n user.note -v text "$at/bin/other"
    ln -s ../bin/tool "$at/etc/link"
    mkfifo "$at/etc/pipe"
    mknod "$at/etc/null" c 1 3
    touch -d 2001-02-03T04:05:06.789 "$at/etc/dated"
    ln "$at/etc/dated" "$at/usr/dated-too"
    truncate -s 10M "$at/usr/sparse"
    echo tail >>"$at/usr/sparse"
    rm "$at/etc/links/b"
    mkdir -p "$at/opt/deep/er"
    mv "$at/bin/other" "$at/opt/deep/other"
    rm "$at/top" && mkdir "$at/top" && echo inside >"$at/top/inside"
    rm -r "$at/dir" && echo "a file now" >"$at/dir"
    echo "again" >"$at/etc/again.tmp" && mv "$at/etc/again.tmp" "$at/etc/again"
}
rename_folders() {
    local at=$1
    mv "$at/lib" "$at/lib-moved"
    mv "$at/opt/app/old" "$at/opt/app/new"
    echo more >"$at/opt/app/new/more"
    rm "$at/opt/app/new/x"
    mkdir "$at/opt/app/old"
}

make_lowers() {
    mkdir -p low1/{etc/links,usr/share/doc,bin,lib/sub,opt/app/old,dir} low2/{etc,usr/share,opt/app,dir} low3/etc
    echo issue >low1/etc/issue
    echo gone >low1/etc/gone
    echo again >low1/etc/again
    echo dated >low1/etc/dated
    echo doc >low1/usr/share/doc/x
    echo tool >low1/bin/tool
    echo other >low1/bin/other
    echo l >low1/lib/l.so && echo s >low1/lib/sub/s.so
    echo x >low1/opt/app/old/x && echo y >low1/opt/app/old/y
    echo d >low1/dir/d
    echo top >low1/top
    echo a >low1/etc/links/a && ln low1/etc/links/a low1/etc/links/b && ln low1/etc/links/a low1/etc/links/c
    echo two >low2/usr/share/two
    mknod low2/dir/d c 0 0 && echo e >low2/dir/e
    mkdir low2/lib && setfattr -n trusted.overlay.opaque -v y low2/lib && echo only >low2/lib/only.so && mkdir low2/lib/sub2
    echo three >low3/etc/three && mknod low3/etc/gone2 c 0 0
    mkdir -p low1/origin/sub && echo p >low1/origin/p && echo q >low1/origin/sub/q
    mkdir low3/renamed && setfattr -n trusted.overlay.redirect -v /origin low3/renamed && mknod low3/origin c 0 0
}

lowers=low3:low2:low1
mount_ours() { oblea-overlay -o "lowerdir=$lowers,upperdir=$1,workdir=$2" mnt; }
mount_kernel() { mount -t overlay overlay -o "lowerdir=$lowers,upperdir=$1,workdir=$2,redirect_dir=on,index=off,metacopy=off" mnt; }
mount_fuse() { fuse-overlayfs -o "lowerdir=$lowers,upperdir=$1,workdir=$2" mnt 2>/dev/null; }
gone() {
    umount mnt
    # The server seals before it ends.
    until_true test ! -d "${1:-none}/oblea"
}
# Link counts of folders, and of files that were linked below, are each program's own.
same_trees() { assert_same_tree "$1" "$2" --omit "nlink${4:-}" --skip "${3:-none}"; }

make_lowers
echo "--- lower folders alone, read-only"
mkdir kernel-copy
mount -t overlay overlay -o "lowerdir=$lowers,redirect_dir=follow" mnt
cp -a mnt/. kernel-copy
umount mnt
oblea-overlay -o lowerdir=$lowers mnt
same_trees kernel-copy mnt
assert_fails touch mnt/new
umount mnt

for writer in ours kernel fuse; do
    echo "--- written by $writer"
    rm -rf up work copy && mkdir up work copy
    mount_$writer up work
    change mnt
    [[ $writer == fuse ]] || rename_folders mnt
    cp -a mnt/. copy
    if [[ $writer == ours ]]; then
        assert_eq "a hard link's content" "a" "$(cat mnt/etc/links/a)"
        echo more >>mnt/etc/links/c
        rm -rf copy && mkdir copy && cp -a mnt/. copy
        assert_contains "the state of a mounted upper" "$(getfattr --only-values -n trusted.overlay.oblea.format up)" private
    fi
    gone work
    for reader in ours kernel; do
        echo "    read by $reader"
        # fuse-overlayfs follows no redirects, and leaves attributes of its own that overlayfs does not hide; the times that
        # it shows are not all in the upper yet.
        told=()
        [[ $writer != fuse ]] || told=(renamed "$([[ $reader == ours ]] || echo ,xattrs),mtime")
        mount_$reader up work
        same_trees copy mnt "${told[@]}"
        if [[ $writer == ours ]]; then
            assert_eq "links" "$(stat -c %i mnt/etc/links/a)" "$(stat -c %i mnt/etc/links/c)"
        fi
        gone work
    done
    if [[ $writer == ours ]]; then
        assert_eq "the state of a sealed upper" "1 sealed" "$(getfattr --only-values -n trusted.overlay.oblea.format up)"
        assert_eq "what is left in the work folder" "" "$(ls -A work | grep -v '^work$' || true)"
    fi
done

echo "--- the server is killed: the upper is refused as a lower folder until it is sealed"
rm -rf up work && mkdir up work
mount_ours up work
mv mnt/etc/links mnt/etc/moved
gone work
mount_ours up work
echo more >>mnt/etc/moved/a
# The one that holds the mount, which would start another server, and the one that serves. Those before may still be about to end.
both_run() {
    mapfile -t servers < <(own_processes "^oblea-overlay -o lowerdir=$lowers,upperdir=up,workdir=work mnt")
    ((${#servers[@]} == 2))
}
until_true both_run
kill -9 "${servers[@]}"
umount -l mnt
assert_fails oblea-overlay -o lowerdir=up mnt
oblea seal -o "lowerdir=$lowers,upperdir=up,workdir=work"
mount_kernel up work
for name in a b c; do
    assert_eq "a name of the changed file" "a more" "$(echo $(cat mnt/etc/moved/$name))"
done
gone
