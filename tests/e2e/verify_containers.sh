#!/bin/bash
# SPDX-License-Identifier: MIT
# What verify finds in containers: their records and writable layers, whoever wrote them; repair touches nothing of it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/users_lib.sh"
need setfattr getfattr

oblea import -q "$small/oci" small:latest >/dev/null
mkdir "$work/root"
oblea mount --name web small "$work/root" >/dev/null
change() { # DIR
    mkdir "$1/srv/new" "$1/var/empty"
    mv "$1/srv/data" "$1/srv/moved"
    rm "$1/etc/issue"
    chmod 600 "$1/etc/passwd"
    echo more >>"$1/etc/group"
    mv "$1/etc/group" "$1/srv/new/group"
    rmdir "$1/var/empty"
}
change "$work/root"
web=$(container_folder web)

# Beside a mount what makes sense is looked at, and that the rest was not is said.
oblea --log-level info verify >"$work/out" 2>"$work/err" || fail "a mounted container has faults: $(cat "$work/out")"
assert_contains "verify beside a mount" "$(cat "$work/err")" "container web is in use"
oblea umount "$work/root" >/dev/null
oblea create --name created small true >/dev/null
oblea verify -q || fail "faults in containers that are sound"
oblea verify -q --fast || fail "faults in containers that are sound"

# expect PATH WORDS: verify names the file below web's folder, the container and no other fault.
expect() {
    ! oblea verify >"$work/out" 2>"$work/err" || fail "no fault is found: $1"
    assert_contains "the fault" "$(cat "$work/out")" "containers/${web##*/}/$1: "
    assert_contains "the fault" "$(cat "$work/out")" "$2"
    assert_contains "whom it hurts" "$(cat "$work/out")" "; needed by container web"
    assert_contains "the message" "$(cat "$work/err")" "1 container affected; of what a container has written there is no second copy"
    # Everything that repair leaves alone: names, owners, times, contents, attributes.
    find "$web" -printf '%p %i %m %u %s %T@ %C@\n' | sort >"$work/before"
    ! oblea repair >"$work/out" 2>"$work/err" || fail "repair says that all is well: $1"
    assert_contains "repair" "$(cat "$work/out")" "Left: containers/${web##*/}/$1: "
    assert_contains "repair" "$(cat "$work/err")" "oblea rm"
    find "$web" -printf '%p %i %m %u %s %T@ %C@\n' | sort >"$work/after"
    cmp "$work/before" "$work/after" || fail "repair changed something of the container"
}
# planted PATH XATTR VALUE: another value for a mark, and the old one again.
planted() {
    local old
    old=$(getfattr --absolute-names --only-values -n "trusted.overlay.$2" "$web/$1")
    setfattr -n "trusted.overlay.$2" -v "$3" "$web/$1"
    expect "$1" "trusted.overlay.$2 is damaged"
    setfattr -n "trusted.overlay.$2" -v "$old" "$web/$1"
}
planted upper/srv oblea.inode "1 x"
planted upper/srv/moved redirect "/../../etc"
planted upper/etc/passwd oblea.partial "?"

origin=$(getfattr --absolute-names --only-values -n trusted.overlay.oblea.inode "$web/upper/etc/passwd")
setfattr -n trusted.overlay.oblea.inode -v "1 ${origin:2:64}.999999 -" "$web/upper/etc/passwd"
expect upper/etc/passwd "the image has no such inode"
setfattr -n trusted.overlay.oblea.inode -v "$origin" "$web/upper/etc/passwd"

mv "$web/upper/etc/group" "$work/whiteout"
expect upper/srv/new/group "also shows by its own name"
mv "$work/whiteout" "$web/upper/etc/group"

cp "$web/work/format" "$work/format"
echo "oblea-upper 77" >"$web/work/format"
expect work/format "newer version"
cp "$work/format" "$web/work/format"

# A copy that lost all extended attributes.
cp -a "$web/upper" "$work/kept"
setfattr -x trusted.overlay.oblea.inode "$web/upper"
expect upper "extended attributes are lost"
rm -rf "$web/upper"
expect upper "is missing, with all that was written"
mv "$work/kept" "$web/upper"

chmod 755 "$web"
! oblea verify >"$work/out" 2>&1 || fail "an open container is not found"
assert_contains "an open container" "$(cat "$work/out")" "others than its owner may enter it: its permissions are 0755"
chmod 700 "$web"

cp "$web/container.json" "$work/container.json"
sed -i 's/"owner_ids": "real"/"owner_ids": "unreal"/' "$web/container.json"
! oblea verify >"$work/out" 2>&1 || fail "a damaged record is not found"
assert_contains "a damaged record" "$(cat "$work/out")" 'container.json: unknown owner ids "unreal"; needed by container '
cp "$work/container.json" "$web/container.json"
oblea verify -q || fail "faults are left when all is as it was"

# A layer that only containers need is named with them.
image=$(oblea inspect --format '{{.Id}}' small)
oblea rmi --force small >/dev/null
index=$(find "$OBLEA_ROOT/layers" -name index | head -1)
mv "$index" "$work/index"
! oblea verify >"$work/out" 2>&1 || fail "a missing index is not found"
for name in web created; do assert_contains "a layer that containers need" "$(cat "$work/out")" ", container $name"; done
mv "$work/index" "$index"
oblea verify -q
oblea mount --name web "$image" "$work/root" >/dev/null
assert_eq "after all" more "$(tail -1 "$work/root/srv/new/group")"
oblea umount "$work/root" >/dev/null

# What ordinary users have written, with their own id and with subordinate ones.
check_as_user() { # COMMAND...: that changes a container "mine"
    "${as_user[@]}" oblea import -q "$work/image" small:latest >/dev/null
    "$@"
    "${as_user[@]}" oblea verify -q || fail "$1: faults in a user's container that is sound"
    OBLEA_ROOT=$home/.local/share/oblea
    web=$(container_folder mine)
    setfattr -n user.overlay.oblea.inode -v "1 x" "$web/upper/srv"
    ! "${as_user[@]}" oblea verify >"$work/out" 2>&1 || fail "$1: the fault in a user's container is not found"
    assert_contains "$1" "$(cat "$work/out")" "upper/srv: its attribute user.overlay.oblea.inode is damaged; needed by container mine"
}
with_one_id() {
    "${as_user[@]}" mkdir root
    "${as_user[@]}" oblea mount --name mine small root >/dev/null 2>&1
    change "$home/root" 2>/dev/null || "${as_user[@]}" sh -c 'mv root/srv/data root/srv/moved && rm root/etc/issue && chmod 600 root/etc/passwd && mkdir root/srv/new'
    "${as_user[@]}" oblea umount root >/dev/null
}
with_many_ids() {
    "${as_user[@]}" oblea chroot --name mine small \
        sh -c 'mv /srv/data /srv/moved && rm /etc/issue && mkdir -m 700 /srv/new && chown 5:6 /srv/new && chmod 0 /etc/passwd' 2>/dev/null
}
add_user_without_ids
check_as_user with_one_id
add_user_with_ids
check_as_user with_many_ids
