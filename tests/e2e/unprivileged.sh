# SPDX-License-Identifier: MIT
# An ordinary user, with and without subordinate ids: import, mount, change, chroot, unmount.
#
# Run by root, since it makes users for the time of the test. /dev/fuse is opened to them in a mount namespace of the test's own,
# so the machine's stays as it is.
if [[ ${1:-} != inside ]] && ((EUID == 0)); then
    exec unshare --mount --propagation private bash "$0" inside
fi
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need useradd userdel setpriv fusermount3 newuidmap
small_image

# The program and the image where any user gets at them.
cp -L "$oblea" "$work/oblea"
cp -a "$small/oci" "$work/image"
chmod -R a+rX "$work/image" "$work/oblea"
mknod -m 666 "$work/fuse" c 10 229 2>/dev/null || skip "device nodes cannot be made here"
mount --bind "$work/fuse" /dev/fuse
{ : <>/dev/fuse; } 2>/dev/null || skip "device nodes do not work in $work"

users=()
test_cleanup() {
    umount /dev/fuse
    local user
    for user in "${users[@]}"; do
        userdel -f "$user" 2>/dev/null
    done
}

# add_user NAME: sets `as_user`, the words that run a command as the new user, and `home`.
add_user() {
    local user=$1
    home=$work/home-$user
    useradd --no-log-init --create-home --home-dir "$home" --shell /bin/sh "$user"
    users+=("$user")
    as_user=(setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --init-groups
        env -i PATH="$work:$PATH" HOME="$home" USER="$user" LANG=C.UTF-8 sh -c 'cd && exec "$@"' sh)
}

use_everything() {
    "${as_user[@]}" oblea import "$work/image" small:latest >/dev/null
    assert_exists "$home/.local/share/oblea/index.json"
    "${as_user[@]}" mkdir -p root
    local name
    name=$("${as_user[@]}" oblea mount small:latest root)
    assert_eq "a file of the image" "Debian, changed by the third layer" "$("${as_user[@]}" cat root/etc/issue)"
    "${as_user[@]}" sh -c 'echo mine >root/etc/new && rm root/usr/bin/hello-again'
    assert_eq "a new file" mine "$("${as_user[@]}" cat root/etc/new)"
    "${as_user[@]}" oblea umount root
    "${as_user[@]}" oblea mount --name "$name" small:latest root >/dev/null
    assert_eq "the new file, after mounting again" mine "$("${as_user[@]}" cat root/etc/new)"
    "${as_user[@]}" oblea umount root
    assert_eq "a program in a chroot" "Hello, world!" "$("${as_user[@]}" oblea chroot small:latest hello 2>"$work/err")"
    assert_eq "the user in a chroot" 0 "$("${as_user[@]}" oblea chroot small:latest id -u 2>/dev/null)"
}

suffix=$$
add_user "oblea-one-$suffix"
sed -i "/^oblea-one-$suffix:/d" /etc/subuid /etc/subgid
use_everything

add_user "oblea-many-$suffix"
grep -q "^oblea-many-$suffix:" /etc/subuid || usermod --add-subuids 700000-765535 --add-subgids 700000-765535 "oblea-many-$suffix"
use_everything
# With the full range of ids owners are what the image says, and can be changed.
assert_eq "an owner of the image" 1000:33 "$("${as_user[@]}" oblea chroot small:latest stat -c %u:%g /srv/data/first)"
assert_eq "a changed owner" 5:6 \
    "$("${as_user[@]}" oblea chroot small:latest sh -c 'chown 5:6 /srv/data/first && stat -c %u:%g /srv/data/first')"
