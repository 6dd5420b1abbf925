# SPDX-License-Identifier: MIT
# Changes go to the writable layer, and the image stays as it was.
source "$(dirname "$0")/lib.sh"
need_fuse
small_image
oblea import "$small/oci" small:latest >/dev/null
mkdir "$work/root" "$work/image"

(cd "$OBLEA_ROOT" && find layers objects -type f -exec sha256sum {} + | sort) >"$work/store.before"
name=$(oblea mount small:latest "$work/root")
root=$work/root
echo appended >>"$root/etc/issue"
: >"$root/etc/debian_version"
rm "$root/usr/bin/hello-again"
rm -r "$root/usr/share/doc/dash"
mkdir "$root/srv/folder"
echo new >"$root/srv/folder/new"
ln "$root/srv/folder/new" "$root/srv/folder/linked"
ln -s nowhere "$root/srv/folder/dangling"
mv "$root/etc/host.conf" "$root/etc/renamed.conf"
mv "$root/srv/data" "$root/srv/moved"
chmod 600 "$root/etc/passwd"
touch -d 2001-02-03T04:05:06.789Z "$root/etc/group"

check_changes() {
    assert_eq "an appended file" appended "$(tail -n 1 "$root/etc/issue")"
    assert_eq "the size of a truncated file" 0 "$(stat -c %s "$root/etc/debian_version")"
    assert_missing "$root/usr/bin/hello-again"
    assert_exists "$root/usr/bin/hello"
    assert_missing "$root/usr/share/doc/dash"
    assert_eq "links of a new file" 2 "$(stat -c %h "$root/srv/folder/linked")"
    assert_eq "a new link" nowhere "$(readlink "$root/srv/folder/dangling")"
    assert_missing "$root/etc/host.conf"
    assert_contains "a renamed file" "$(cat "$root/etc/renamed.conf")" multi
    assert_missing "$root/srv/data"
    assert_eq "a file in a renamed folder" "linked twice" "$(cat "$root/srv/moved/first")"
    assert_eq "a changed mode" 600 "$(stat -c %a "$root/etc/passwd")"
    assert_eq "a changed time" "981173106.789000000" "$(stat -c %.9Y "$root/etc/group")"
}
check_changes

upper=$(container_folder "$name")/upper
assert_contains "the file in the writable layer" "$(cat "$upper/etc/issue")" appended
assert_missing "$upper/etc/hostname"

# Seen through a mount of its own, the image has nothing of it, and neither have the files of the store.
oblea mount --read-only small:latest "$work/image"
assert_eq "the image's file" "Debian, changed by the third layer" "$(cat "$work/image/etc/issue")"
assert_exists "$work/image/usr/bin/hello-again"
assert_exists "$work/image/srv/data/second"
! : 2>/dev/null >"$work/image/etc/new" || fail "a read-only mount was written"
oblea umount "$work/image"
(cd "$OBLEA_ROOT" && find layers objects -type f -exec sha256sum {} + | sort) >"$work/store.after"
diff "$work/store.before" "$work/store.after" || fail "files of the store changed"

# All of it is there after mounting again.
oblea umount "$root"
oblea mount --name "$name" small:latest "$root" >/dev/null
check_changes
oblea umount "$root"
