# SPDX-License-Identifier: MIT
# An ordinary user, with and without subordinate ids: import, mount, change, chroot, unmount.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/users_lib.sh"

use_everything() {
    "${as_user[@]}" oblea import "$work/image" small:latest >/dev/null
    assert_exists "$home/.local/share/oblea/index.json"
    "${as_user[@]}" mkdir -p root
    local name
    name=$("${as_user[@]}" oblea mount small:latest root)
    assert_eq "a file of the image" "Debian, changed by the third layer" "$("${as_user[@]}" cat root/etc/issue)"
    "${as_user[@]}" sh -c 'echo mine >root/etc/new && rm root/usr/bin/hello-again'
    assert_eq "a new file" mine "$("${as_user[@]}" cat root/etc/new)"
    # Not even root gets into a user's mount.
    ! ls "$home/root" >/dev/null 2>&1 || fail "another user sees the mount"
    "${as_user[@]}" oblea umount root
    "${as_user[@]}" oblea mount --name "$name" small:latest root >/dev/null
    assert_eq "the new file, after mounting again" mine "$("${as_user[@]}" cat root/etc/new)"
    "${as_user[@]}" oblea umount root
    assert_eq "a program in a chroot" "Hello, world!" "$("${as_user[@]}" oblea chroot small:latest hello 2>"$work/err")"
    assert_eq "the user in a chroot" 0 "$("${as_user[@]}" oblea chroot small:latest id -u 2>/dev/null)"
}

add_user_without_ids
use_everything

add_user_with_ids
use_everything
# With the full range of ids owners are what the image says, and can be changed.
assert_eq "an owner of the image" 1000:33 "$("${as_user[@]}" oblea chroot small:latest stat -c %u:%g /srv/data/first)"
assert_eq "a changed owner" 5:6 \
    "$("${as_user[@]}" oblea chroot small:latest sh -c 'chown 5:6 /srv/data/first && stat -c %u:%g /srv/data/first')"
