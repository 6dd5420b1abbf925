# SPDX-License-Identifier: MIT
# mount(8) and fstab(5) mount images by the helpers mount.oblea and mount.fuse.oblea, and umount(8) unmounts them.
#
# mount(8) looks for helpers in /sbin alone, so that gets them, in the test's own mount namespace.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
small_image
oblea import "$small/oci" small:latest >/dev/null
cp -a /usr/sbin "$work/sbin"
for helper in mount.oblea mount.fuse.oblea; do
    ln -sf "$oblea" "$work/sbin/$helper"
done
mount --bind "$work/sbin" /usr/sbin
[[ /sbin -ef /usr/sbin ]] || mount --bind "$work/sbin" /sbin
test_cleanup() { umount -l /sbin /usr/sbin 2>/dev/null; }
unset OBLEA_ROOT  # as at boot: the options say which store
store=$work/store
mkdir "$work/a" "$work/b"

mount -t oblea -o "root=$store,name=kept" small:latest "$work/a"
assert_eq "a file of the image" "Debian, changed by the third layer" "$(cat "$work/a/etc/issue")"
echo changed >"$work/a/etc/issue"
assert_eq "its type" fuse.oblea "$(findmnt -n -o FSTYPE "$work/a")"
umount "$work/a"
mount -t oblea -o "root=$store,name=kept" small:latest "$work/a"
assert_eq "what was changed" changed "$(cat "$work/a/etc/issue")"
umount "$work/a"
mount -t fuse.oblea -o "root=$store,ro,nosuid" small:latest "$work/a"
assert_eq "the image, read-only" "Debian, changed by the third layer" "$(cat "$work/a/etc/issue")"
assert_fails touch "$work/a/etc/new"
assert_contains "a read-only mount" "$message" "Read-only"
umount "$work/a"

# As the machine's fstab would have it.
cat >"$work/fstab" <<FSTAB
small:latest $work/a oblea      root=$store,name=first,defaults,nofail,_netdev,x-systemd.automount 0 0
small:latest $work/b fuse.oblea root=$store,ro,allow_other 0 0
small:latest /nowhere oblea     root=$store,noauto 0 0
FSTAB
mount --fstab "$work/fstab" -a
mountpoint -q "$work/a" && mountpoint -q "$work/b" || fail "not all of fstab is mounted"
mount --fstab "$work/fstab" -a # what is mounted stays as it is
assert_eq "mounts" 2 "$(grep -c " $work/.* - fuse.oblea " /proc/self/mountinfo)"
umount "$work/a"
mount --fstab "$work/fstab" "$work/a"
umount "$work/a" "$work/b"
# Nobody waits for the servers of mounts that umount(8) ends: each tidies up a moment later.
containers_are() { [[ $(OBLEA_ROOT=$store oblea ps -a --format '{{.Names}}') == "$1" ]]; }
until_true containers_are kept  # the one that was written to

# What is wrong is told by the helper, and mount(8) fails.
assert_fails mount -t oblea -o "root=$store,nosuch" small:latest "$work/a"
assert_contains "an unknown option" "$message" "mount option 'nosuch' is not known"
assert_fails mount -t oblea -o "root=$store,pull=never" nosuch:1 "$work/a"
assert_contains "an image that is not there" "$message" "nosuch:1"
