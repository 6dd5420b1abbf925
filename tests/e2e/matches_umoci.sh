# SPDX-License-Identifier: MIT
# What a mount and `unpack` show is what umoci unpacks: every inode's type, mode, owner, size, time, links, xattrs and content.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need umoci
small_image

umoci unpack --image "$small/oci:small" "$work/expected" >/dev/null
mkdir "$work/root"

for source in "$small/oci" "$small/oci.tar" "$small/docker.tar"; do
    export OBLEA_ROOT=$work/store-$(basename "$source")
    oblea import "$source" small:latest >/dev/null
    oblea mount --read-only small:latest "$work/root"
    assert_same_tree "$work/expected/rootfs" "$work/root"
    diff -r --no-dereference "$work/expected/rootfs/usr" "$work/root/usr" || fail "diff sees a difference in $source"
    oblea umount "$work/root"

    # A writable layer without changes shows the same.
    oblea mount small:latest "$work/root" >/dev/null
    assert_same_tree "$work/expected/rootfs" "$work/root"
    oblea umount "$work/root"
done

oblea unpack small:latest "$work/unpacked"
assert_same_tree "$work/expected/rootfs" "$work/unpacked"
