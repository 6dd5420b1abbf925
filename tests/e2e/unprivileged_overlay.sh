# SPDX-License-Identifier: MIT
# Stacks of plain folders of an ordinary user outlive their servers as root's do: mounted by fusermount3, and in a user namespace of
# the user's own, as podman mounts them; and others see them where the administrator lets them.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/users_lib.sh"
need python3 unshare

# The test where any user gets at it.
mkdir "$work/e2e"
cp "$tests"/e2e/{lib.sh,overlay_takeover.sh,list_tree.py} "$work/e2e"
ln -s oblea "$work/oblea-overlay"
add_user_without_ids
course=(env OBLEA_PROGRAM="$work/oblea" OBLEA_TEST_KILLS=20 bash "$work/e2e/overlay_takeover.sh")

echo "--- mounted by fusermount3"
"${as_user[@]}" "${course[@]}"
echo "--- in a user namespace"
"${as_user[@]}" unshare --user --map-root-user --mount "${course[@]}"

echo "--- privileges that were given to a file of a lower folder"
cat >"$work/e2e/privileges" <<'END'
set -euo pipefail
folder=$(mktemp -d)
trap 'cd / && rm -rf "$folder"' EXIT
cd "$folder"
mkdir low up work mnt
cp /bin/true low/program
"$1" -o lowerdir=low,upperdir=up,workdir=work mnt
chmod 6755 mnt/program
umount mnt
until [[ ! -e work/oblea ]]; do sleep 0.05; done # completed
stat -c %a up/program
cmp /bin/true up/program
END
assert_eq "mode" 6755 "$("${as_user[@]}" unshare --user --map-root-user --mount bash "$work/e2e/privileges" "$work/oblea-overlay")"

echo "--- other users, as fuse.conf says"
# Seen in this test's mount namespace only.
touch "$work/fuse.conf"
[[ -e /etc/fuse.conf ]] || fail "/etc/fuse.conf is missing: it comes with fuse3"
mount --bind "$work/fuse.conf" /etc/fuse.conf
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
sharing=$work/sharing
mkdir -m 755 "$sharing" "$sharing"/{low,mnt,root}
echo text >"$sharing/low/file"
chown "$(id -u "${users[0]}")" "$sharing"/{mnt,root}
user_oblea=("${as_user[@]}" env OBLEA_ROOT="$home/store" "$work/oblea")
"${user_oblea[@]}" import --quiet --progress none "$work/image" small >/dev/null
user_mounts() { # COMMAND...: it must be forbidden, with the remedy
    assert_fails "$@"
    assert_contains "refusal" "$message" "user_allow_other to /etc/fuse.conf"
}
seen_by() { # WHO PATH: yes or no
    local -n who=$1
    if "${who[@]}" cat "$2" >/dev/null 2>&1; then echo yes; else echo no; fi
}
overlay=("${as_user[@]}" "$work/oblea-overlay")
user_mounts "${overlay[@]}" -o "lowerdir=$sharing/low,allow_other" "$sharing/mnt"
user_mounts "${user_oblea[@]}" mount --allow-other small "$sharing/root"
"${overlay[@]}" -o "lowerdir=$sharing/low" "$sharing/mnt"
assert_eq "the user's own" yes "$(seen_by as_user "$sharing/mnt/file")"
assert_eq "not others'" no "$(seen_by as_nobody "$sharing/mnt/file")"
"${as_user[@]}" fusermount3 -u "$sharing/mnt"
echo user_allow_other >"$work/fuse.conf"
# Where it is allowed, it is what fuse-overlayfs does without being asked.
for options in "lowerdir=$sharing/low" "lowerdir=$sharing/low,allow_other"; do
    "${overlay[@]}" -o "$options" "$sharing/mnt"
    assert_eq "others, $options" yes "$(seen_by as_nobody "$sharing/mnt/file")"
    "${as_user[@]}" fusermount3 -u "$sharing/mnt"
done
"${user_oblea[@]}" mount small "$sharing/root" >/dev/null
assert_eq "not asked for" no "$(seen_by as_nobody "$sharing/root/etc/passwd")"
"${user_oblea[@]}" umount "$sharing/root" >/dev/null
"${user_oblea[@]}" mount --allow-other small "$sharing/root" >/dev/null
assert_eq "asked for" yes "$(seen_by as_nobody "$sharing/root/etc/passwd")"
"${user_oblea[@]}" umount "$sharing/root" >/dev/null
umount /etc/fuse.conf
