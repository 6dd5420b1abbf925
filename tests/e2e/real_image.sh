# SPDX-License-Identifier: MIT
# A real image made by buildah: from every archive format it is imported, looks as umoci unpacks it, and runs its programs.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need umoci skopeo
real=$("$tests/images/real")

skopeo copy -q "oci-archive:$real/oci.tar:real" "oci:$work/layout:real"
umoci unpack --image "$work/layout:real" "$work/expected" >/dev/null
mkdir "$work/root"

for source in docker.tar docker.tar.gz oci.tar; do
    oblea rmi real:latest >/dev/null 2>&1 || true
    oblea gc >/dev/null
    oblea import "$real/$source" real:latest >/dev/null
    oblea mount --read-only real:latest "$work/root"
    assert_same_tree "$work/expected/rootfs" "$work/root"
    diff -r --no-dereference "$work/expected/rootfs/usr" "$work/root/usr" || fail "diff sees a difference in $source"
    oblea umount "$work/root"
done

assert_eq "python3 in the image" 42 "$(oblea chroot real:latest python3 -c 'import json; print(json.loads("42"))')"
assert_eq "a program compiled and run in the image" "compiled in the image" \
    "$(oblea chroot real:latest sh -c 'gcc -O1 -o /srv/hello /srv/hello.c && /srv/hello')"
