# SPDX-License-Identifier: MIT
# Stacks of plain folders of an ordinary user outlive their servers as root's do: mounted by fusermount3, and in a user namespace of
# the user's own, as podman mounts them.
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
cd "$(mktemp -d)"
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
