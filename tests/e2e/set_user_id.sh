# SPDX-License-Identifier: MIT
# Programs with the set-user-id bit and device nodes of an image give nobody anything through a mount, and work in a chroot.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need setpriv
small_image

PYTHONPATH=$tests/images python3 - "$small" "$work" <<'END'
import sys
import tarfile
import oci_image
small, work = sys.argv[1:]
program = tarfile.open(f"{small}/layers/1.tar").extractfile("./usr/bin/id").read()
top = oci_image.LayerTar()
top.file("usr/bin/root-id", program, mode=0o4755)
top.device("dev-zero", 1, 5)
top.save(f"{work}/top.tar")
layers = [f"{small}/layers/{number}.tar" for number in (1, 2)] + [f"{work}/top.tar"]
config = oci_image.make_config(layers, ["base", "hello", "set-user-id"], {}, "amd64")
oci_image.write_layout(f"{work}/image", layers, config, "suid", ["gzip"] * 3)
END
oblea import "$work/image" suid:latest >/dev/null
mkdir "$work/root"
as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)

# Root's mounts are open to others.
oblea mount suid:latest "$work/root" >/dev/null
assert_eq "the mode that is shown" 4755 "$(stat -c %a "$work/root/usr/bin/root-id")"
loader=$({ ls "$work"/root/lib64/ld-linux* "$work"/root/lib/ld-linux* 2>/dev/null || true; } | head -n 1)
[[ -n $loader ]] || fail "the image has no loader"
options=$(findmnt -n -o OPTIONS "$work/root")
assert_contains "mount options" ",$options," ,nosuid,
assert_contains "mount options" ",$options," ,nodev,
assert_eq "the effective user of a set-user-id program" 65534 "$("${as_user[@]}" "$work/root/usr/bin/root-id" -u)"
! head -c 1 "$work/root/dev-zero" >/dev/null 2>&1 || fail "a device node of the image works through a mount"
oblea umount "$work/root"

# Inside a chroot they are what they say.
assert_eq "the effective user in a chroot" 0 "$(oblea chroot --user 65534 suid:latest root-id -u)"
assert_eq "a device in a chroot" 1 "$(oblea chroot suid:latest head -c 1 /dev-zero | wc -c)"
