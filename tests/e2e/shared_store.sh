# SPDX-License-Identifier: MIT
# A published store: listed, mounted, used as a base and run from in place, without a byte written there.
#
# OBLEA_MOUNTS: how many mounts at once (2).
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need strace jq
small_image

oblea import -q "$small/oci" small:latest >/dev/null
shared=$work/shared
(umask 077 && oblea publish --blobs "$shared" small) | tee "$work/published"
assert_contains "what publish says" "$(cat "$work/published")" "3 layers new, 0 there already"
assert_contains "publishing again" "$(oblea publish "$shared" small)" "0 layers new, 3 there already"
assert_eq "files that not everybody may read" "" "$(find "$shared" -type f ! -perm 0644)"
assert_eq "folders that not everybody may enter" "" "$(find "$shared" -type d ! -perm 0755)"
assert_missing "$shared/tmp"
assert_missing "$shared/leases"
assert_missing "$shared/containers"
if command -v skopeo >/dev/null; then
    skopeo inspect "oci:$shared:small:latest" >/dev/null || fail "skopeo does not read the published store"
fi
assert_fails oblea --root "$shared" images
assert_contains "a published store as the own one" "$message" "name it by --store"
mkdir "$work/other"
assert_fails oblea publish "$work/store" small
assert_contains "publishing into a store" "$message" "neither a published store nor an empty folder"
assert_fails oblea --store "$work/other" images
assert_contains "a shared store that is none" "$message" "'oblea publish' makes one"

state_of_shared() {
    find "$shared" -printf '%P %i %s %m %T@ %C@\n' | sort
}
before=$(state_of_shared)

# Another machine's user: an empty store, and the shared one, which can only be read.
export OBLEA_ROOT=$work/mine OBLEA_STORES=$shared
mount --bind "$shared" "$shared"
mount -o remount,bind,ro "$shared"
assert_eq "images" "small latest" "$(oblea images --format '{{.Repository}} {{.Tag}}')"
assert_eq "the same by option" "small" "$(OBLEA_STORES= oblea --store "$shared" images --format '{{.Repository}}')"
assert_eq "a file without a mount" "Debian, changed by the third layer" "$(oblea cat small etc/issue)"

# Mounts, watched call by call.
watched=openat,openat2,open,creat,write,pwrite64,writev,pwritev,ftruncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,setxattr,fsetxattr,flock,copy_file_range,sendfile
count=${OBLEA_MOUNTS:-2}
tracers=()
for ((i = 0; i < count; ++i)); do
    mkdir "$work/root$i"
    # It ends with the last process that it follows, the mount's server. A file for each, so that no call is torn in two.
    strace -ff -y -qq -e "trace=$watched" -o "$work/trace.$i" oblea mount --name "m$i" small "$work/root$i" >/dev/null &
    tracers+=($!)
done
for ((i = 0; i < count; ++i)); do
    until_true mountpoint -q "$work/root$i"
    find "$work/root$i" -type f -exec cat {} + >/dev/null
    echo mine >"$work/root$i/etc/issue"
    [[ $(cat "$work/root$i/etc/issue") == mine ]] || fail "mount $i is not writable"
done
for ((i = 0; i < count; ++i)); do
    oblea umount "$work/root$i" >/dev/null
done
wait "${tracers[@]}"
reads=$(cat "$work"/trace.* | grep -c "$shared" || true)
((reads > count * 5)) || fail "the traces show only $reads calls on the shared store"
# Everything with the shared store's path that is not a plain open for reading.
writes=$(cat "$work"/trace.* | grep "$shared" | grep -vE '(openat2?|open)\(.*(O_RDONLY|O_PATH)' || true)
assert_eq "calls that could change the shared store" "" "$writes"
assert_eq "opens for writing" "" "$(cat "$work"/trace.* | grep "$shared" | grep -E 'O_(WRONLY|RDWR|CREAT|TRUNC)' || true)"
assert_eq "the shared store" "$before" "$(state_of_shared)"
echo "$count mounts, $reads calls on the shared store, none of them a write"

# As a base: only what is new is stored here.
oblea commit m0 derived >/dev/null
oblea rm $(for ((i = 0; i < count; ++i)); do echo "m$i"; done) >/dev/null
assert_eq "layers stored here" 1 "$(ls "$OBLEA_ROOT/layers" | wc -l)"
assert_eq "layers of the image" 4 "$(oblea inspect -f '{{len .RootFS.Layers}}' derived)"
assert_eq "the changed file" mine "$(oblea cat derived etc/issue)"
assert_eq "an unchanged one" "$(oblea cat small etc/hostname 2>/dev/null || true)" "$(oblea cat derived etc/hostname 2>/dev/null || true)"
oblea verify -q || fail "verify finds faults"
oblea gc -q
assert_eq "the changed file, after gc" mine "$(oblea cat derived etc/issue)"
oblea save -o "$work/derived.tar" derived
OBLEA_ROOT=$work/third OBLEA_STORES= oblea import -q "$work/derived.tar" >/dev/null
assert_eq "the saved image elsewhere" mine "$(OBLEA_ROOT=$work/third OBLEA_STORES= oblea cat derived etc/issue)"
oblea import -q "$small/oci" again:latest >/dev/null
assert_eq "layers stored here, after an import of what is shared" 1 "$(ls "$OBLEA_ROOT/layers" | wc -l)"
oblea rmi again:latest >/dev/null
oblea tag small:latest mine:1
assert_eq "a name for a shared image" "Debian, changed by the third layer" "$(oblea cat mine:1 etc/issue)"
oblea rmi mine:1 >/dev/null
assert_fails oblea rmi small:latest
assert_contains "removing a shared image" "$message" "$shared"
if command -v crun >/dev/null; then
    assert_eq "a container" "Hello, world!" "$(oblea run --rm small hello)"
fi
assert_eq "the shared store, after all" "$before" "$(state_of_shared)"

# The shared store goes away below a mount: what is open stays, what is not is an error that names the store.
umount "$shared"
mkdir "$work/root"
oblea mount --read-only small "$work/root"
object=$(find "$shared/objects" -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
mv "$shared" "$work/replaced"
cp -a "$work/replaced" "$shared"
assert_eq "a small file, while the store was moved" "Debian, changed by the third layer" "$(cat "$work/root/etc/issue")"
rm -r "$work/replaced"
! find "$work/root" -type f -size +64k -exec cat {} + >/dev/null 2>&1 || fail "object $object is still there"
oblea umount "$work/root"
assert_eq "the new one, mounted again" "Debian, changed by the third layer" "$(oblea cat small etc/issue)"

# Images go at once, their parts when they have waited long enough.
export OBLEA_ROOT=$work/store OBLEA_STORES=
assert_contains "a sweep" "$(oblea publish --remove small --sweep-after 1h "$shared")" "wait for their time"
assert_eq "layers that wait" 3 "$(ls "$shared/layers" | wc -l)"
oblea publish --sweep-after 0s "$shared" >/dev/null
assert_eq "files that are left" "" "$(find "$shared/layers" "$shared/objects" "$shared/blobs" "$shared/merged" -type f)"
assert_contains "publishing again" "$(oblea publish "$shared" small)" "3 layers new"
