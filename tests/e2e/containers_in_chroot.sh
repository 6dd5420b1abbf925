# SPDX-License-Identifier: MIT
# Inside of a chroot oblea runs containers itself, though crun is installed there: the root cannot be swapped.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need crun unshare
small_image
oblea import -q "$small/oci" small:latest >/dev/null

# The machine's programs in a folder that is no mount; in a mount namespace that ends with the command.
cat >"$work/enter" <<'SH'
set -e
root=$1 store=$2 programs=$3
shift 3
mount --make-rprivate /
mkdir -p "$root"
for name in bin sbin lib lib64; do
    [ ! -L "/$name" ] || ln -sfn "usr/$name" "$root/$name"
done
for folder in /usr /etc /proc /sys /dev "$store" "$programs"; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
done
mkdir -p "$root/tmp" "$root/run"
exec chroot "$root" "$@"
SH
in_chroot() {
    unshare -m bash "$work/enter" "$work/root" "$OBLEA_ROOT" "$(dirname "$oblea")" "$@"
}
assert_eq "a program" "Hello, world!" "$(in_chroot "$oblea" run --rm small:latest hello)"
status=0
in_chroot "$oblea" run --rm small:latest sh -c 'exit 3' || status=$?
assert_eq "its status" 3 "$status"
