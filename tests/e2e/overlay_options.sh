# SPDX-License-Identifier: MIT
# Each option of oblea-overlay does what the manual says of it.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse

cd "$work"
mkdir -p low/d/sub up work mnt other
echo text >low/f && chown 5:6 low/f && chmod 4755 low/f
cp /bin/true low/program
mknod low/null c 1 3
setfattr -n user.note -v text low/f

# with OPTIONS: a fresh writable mount.
with() {
    oblea-overlay -o "lowerdir=low,upperdir=up,workdir=work${1:+,$1}" mnt
}
done_with() {
    unmount
    rm -rf up work && mkdir up work
}
# The server seals before it ends.
unmount() {
    umount mnt
    until_true test ! -d work/oblea
}
owner() { stat -c %u:%g "$1"; }

echo "--- names: version, help, refusals"
assert_contains version "$(oblea-overlay --version | head -n 1)" "oblea-overlay: version "
assert_contains help "$(oblea-overlay --help)" "squash_to_uid"
while IFS='|' read -r options part; do
    assert_fails oblea-overlay -o "$options" mnt
    assert_contains "refusal of $options" "$message" "$part"
done <<'REFUSED'
lowerdir=low,upprdir=up|did you mean 'upperdir'
lowerdir=low,zzzzzz|option 'zzzzzz' is not known
lowerdir=low,upperdir=up|needs a workdir
upperdir=up,workdir=work|no folder below
lowerdir=none|none
lowerdir=low,upperdir=none,workdir=work|none
lowerdir=low,plugins=/usr/lib/x.so|plugins
lowerdir=low,squash_to_uid=me|not a number
lowerdir=low,uidmapping=1:2|STORED:SHOWN:COUNT
lowerdir=low,xino=maybe|off, auto, on
lowerdir=low,xattr_permissions=3|0, 1 and 2
lowerdir=low,static_nlink=1|takes no value
lowerdir=low,timeout=soon|not a number
lowerdir=low:low/f|low/f
REFUSED
for place in "$work" up work up/inside; do
    mkdir -p "$place"
    assert_fails oblea-overlay -o lowerdir=low,upperdir=up,workdir=work "$place"
    assert_contains "refusal of $place" "$message" "cannot be the mount point"
done
rm -r up/inside

echo "--- paths: escapes, relative ones, a mount on its own lower folder"
mkdir 'a:b' 'c,d' 'e\f' && touch 'a:b/1' 'c,d/2' 'e\f/3'
oblea-overlay -o 'lowerdir=a\:b:c\,d:e\\f' mnt
assert_eq "names" "1 2 3" "$(echo $(ls mnt))"
umount mnt
oblea-overlay -o lowerdir=low,upperdir=up,workdir=work low
echo x >low/written
umount low
assert_missing low/written
assert_exists up/written
done_with 2>/dev/null || true

echo "--- owners"
with uidmapping=0:100:10:1000:0:1,gidmapping=:0:200:10:1000:0:1
assert_eq "mapped" 105:206 "$(owner mnt/f)"
touch mnt/new && chown 101:202 mnt/new
assert_eq "shown" 101:202 "$(owner mnt/new)"
assert_eq "stored" 1:2 "$(owner up/new)"
assert_fails chown 50:50 mnt/new
done_with
with squash_to_root
assert_eq "squashed" 0:0 "$(owner mnt/f)"
chown 9:9 mnt/f
assert_eq "squashed, after chown" 0:0 "$(owner mnt/f)"
done_with
with squash_to_uid=7,squash_to_gid=8,squash_to_root
assert_eq "squashed to one" 7:8 "$(owner mnt/f)"
done_with

echo "--- recorded owners"
mkdir recorded && setfattr -n user.containers.override_stat -v 0:0:0755:dir recorded
touch recorded/f && setfattr -n user.containers.override_stat -v 11:12:4711 recorded/f
oblea-overlay -o lowerdir=recorded mnt
assert_eq "recorded" "11:12 4711" "$(stat -c '%u:%g %a' mnt/f)"
umount mnt
with xattr_permissions=2
echo new >mnt/new && chown 21:22 mnt/new && chmod 4750 mnt/new
mkdir -m 700 mnt/folder && chown 23:24 mnt/folder
chmod 600 mnt/f
assert_eq "recorded" "21:22 4750" "$(stat -c '%u:%g %a' mnt/new)"
assert_eq "record" 21:22:4750 "$(getfattr --only-values -n user.containers.override_stat up/new | cut -d: -f 1-3)"
assert_eq "stored owner" 0:0 "$(owner up/new)"
assert_eq "recorded, copied up" "5:6 600" "$(stat -c '%u:%g %a' mnt/f)"
assert_eq "hidden" "" "$(getfattr -d -m - mnt/new 2>/dev/null)"
unmount
with xattr_permissions=2
assert_eq "recorded, mounted again" "21:22 4750" "$(stat -c '%u:%g %a' mnt/new)"
assert_eq "recorded folder" "23:24 700" "$(stat -c '%u:%g %a' mnt/folder)"
done_with

echo "--- attributes"
with static_nlink
assert_eq "links of a folder" 1 "$(stat -c %h mnt/d)"
done_with
with ""
assert_eq "links of a folder" 3 "$(stat -c %h mnt/d)"
assert_eq "number" "$(stat -c %i low/f)" "$(stat -c %i mnt/f)"
echo more >>mnt/f
assert_eq "number after copy-up" "$(stat -c %i low/f)" "$(stat -c %i mnt/f)"
mv mnt/f mnt/g
unmount
with xino=on
assert_eq "number after rename and remount" "$(stat -c %i low/f)" "$(stat -c %i mnt/g)"
done_with
with noacl
assert_fails setfacl -m u:5:r mnt/f
setfattr -n user.more -v 1 mnt/f
done_with
with noxattrs=1
assert_fails setfattr -n user.more -v 1 mnt/f
assert_eq "none" "" "$(getfattr -d mnt/f 2>/dev/null)"
done_with

echo "--- the mount's own options"
flags() { findmnt -no OPTIONS mnt; }
with ""
assert_contains "default" "$(flags)" nodev
[[ $(flags) != *nosuid* ]] || fail "nosuid is not root's default"
assert_contains "default" "$(flags)" allow_other
done_with
with nosuid,noexec,dev
assert_contains "asked for" "$(flags)" nosuid
assert_contains "asked for" "$(flags)" noexec
: <mnt/null
! mnt/program 2>/dev/null || fail "a program ran on a mount with noexec"
done_with
label=system_u:object_r:container_file_t:s0:c1,c2
with "context=\"$label\""
if grep -q selinuxfs /proc/filesystems; then
    assert_eq "label" "$label" "$(stat -c %C mnt/f)"
else
    # As mount(8) and fuse-overlayfs have it; the kernel would not know the option.
    assert_eq "text" text "$(cat mnt/f)"
fi
done_with
with ro
assert_fails touch mnt/x
umount mnt
assert_eq "an untouched upper" "" "$(ls -A up)"
with volatile,fsync=0,timeout=1.5,fast_ino=1,writeback=0,threaded=0,noatime,allow_root,rw,async,x-any=1
sync mnt/f && echo more >>mnt/f && sync mnt/f
done_with
with redirect_dir=off
mv mnt/d mnt/e
assert_exists mnt/e/sub
done_with
oblea-overlay -f -o lowerdir=low mnt &
server=$!
until_true mountpoint -q mnt
assert_eq "text" text "$(cat mnt/f)"
umount mnt
wait "$server"
oblea-overlay -o lowerdir=low -o debug mnt 2>"$work/debug" &
server=$!
until_true mountpoint -q mnt
cat mnt/f >/dev/null
umount mnt
wait "$server"
assert_contains "debug" "$(cat "$work/debug")" LOOKUP

echo "--- two mounts of one upper, a private upper as a lower"
with ""
assert_fails oblea-overlay -o lowerdir=up mnt
assert_contains "refusal" "$message" "oblea seal"
done_with

echo "--- 500 layers"
list=
for ((i = 0; i < 500; ++i)); do
    mkdir -p "many/$i/d" && echo "$i" >"many/$i/d/f$i" && echo "$i" >"many/$i/same"
    list=many/$i${list:+:}$list
done
oblea-overlay -o "lowerdir=$list" mnt
assert_eq "files" 500 "$(ls mnt/d | wc -l)"
assert_eq "the topmost" 499 "$(cat mnt/same)"
assert_eq "the lowest" 0 "$(cat mnt/d/f0)"
umount mnt
