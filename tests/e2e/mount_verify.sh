# SPDX-License-Identifier: MIT
# mount -o verify, chroot --verify, run --verify: sound files are read as ever, a damaged one is an I/O error that the log names.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
small_image
oblea import -q "$small/oci" small:latest >/dev/null
mkdir "$work/root"

oblea mount --verify --read-only small "$work/root"
cp -a "$work/root" "$work/sound"
oblea umount "$work/root"

# The contents of etc/issue lie in a pack, and the largest file is an object.
pack=$(grep -l -a "Debian, changed by the third layer" "$OBLEA_ROOT"/layers/*/pack)
offset=$(grep -a -b -o "Debian, changed by the third layer" "$pack" | cut -d: -f1)
printf X | dd of="$pack" bs=1 seek="$offset" conv=notrunc status=none
large=$(cd "$work/sound" && find . -xdev -type f -printf '%s %P\n' | sort -n | tail -1 | cut -d' ' -f2)
object=$OBLEA_ROOT/objects/$(sha256sum "$work/sound/$large" | sed -E 's|^(..)([^ ]*).*|\1/\1\2|')
cp "$object" "$work/object"
printf XX | dd of="$object" bs=1 seek=1000 conv=notrunc status=none

assert_eq "without verify the damage is read" "Xebian, changed by the third layer" "$(oblea cat small etc/issue)"
for how in mount.oblea option; do
    if [[ $how == mount.oblea ]]; then
        "$(dirname "$oblea")/mount.oblea" small "$work/root" -o verify,name=kept
    else
        OBLEA_MOUNT_VERIFY=true oblea mount --name kept small "$work/root" >/dev/null
    fi
    # Whoever serves it.
    if [[ $how == option ]]; then oblea upgrade-server "$work/root" >/dev/null; fi
    ! cat "$work/root/etc/issue" 2>"$work/said" || fail "$how: the damaged file was read"
    assert_contains "$how: the error" "$(cat "$work/said")" "Input/output error"
    ! cat "$work/root/$large" >/dev/null 2>&1 || fail "$how: the damaged object was read"
    assert_eq "$how: another file" "$(cat "$work/sound/etc/passwd")" "$(cat "$work/root/etc/passwd")"
    log=$(container_folder kept)/log
    touch "$work/root/etc/keeps-the-container"
    oblea umount "$work/root" >/dev/null
    assert_contains "$how: the log" "$(cat "$log")" "/etc/issue: damaged in the store: layers/"
    assert_contains "$how: the log" "$(cat "$log")" "/$large: damaged in the store: objects/"
    : >"$log"
done

# Where a command is run on it, too; it may need the library that the object is.
cp "$work/object" "$object"
damaged() { # COMMAND...
    ! "$@" >"$work/said" 2>&1 || fail "$*: the damaged file was read"
    assert_contains "$*" "$(cat "$work/said")" "Input/output error"
}
assert_eq "chroot without verify" "Xebian, changed by the third layer" "$(oblea chroot --rm small cat /etc/issue)"
damaged oblea chroot --rm --verify small cat /etc/issue
assert_eq "chroot, another file" "$(cat "$work/sound/etc/passwd")" "$(oblea chroot --rm --verify small cat /etc/passwd)"
assert_eq "run without verify" "Xebian, changed by the third layer" "$(oblea run --rm --network none small cat /etc/issue)"
damaged oblea run --rm --network none --verify small cat /etc/issue
# It is the container's, whoever starts it.
oblea create --name checked --network none --verify small cat /etc/issue >/dev/null
damaged oblea start -a checked
assert_contains "the log of a container" "$(cat "$(container_folder checked)/log")" "/etc/issue: damaged in the store: layers/"
