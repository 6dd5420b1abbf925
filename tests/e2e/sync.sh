# SPDX-License-Identifier: MIT
# What fsync, fdatasync, msync and fsync of a folder have returned from is on the disk, in every data mode.
#
# The upper folder lies on a disk of its own, whose kernel writes nothing by itself for minutes. A copy of that disk, made at
# once, is what a loss of power would leave: it is mounted under another boot id, and the image shown with the upper folder in it.
source "$(dirname "$0")/lib.sh"
need_root
need_fuse
need mkfs.ext4 python3

truncate -s 128M "$work/disk.img"
mkfs.ext4 -q -m 0 "$work/disk.img"
mkdir -p "$work"/{disk,lost,root,after,layer/folder}
mount -o loop,commit=300 "$work/disk.img" "$work/disk"
test_cleanup() { umount "$work/lost" "$work/disk" 2>/dev/null || true; }
# Below and above the size from which only the blocks that are written are copied up.
head -c 5000 /dev/urandom >"$work/layer/small"
head -c 3M /dev/urandom >"$work/layer/large"
echo old >"$work/layer/folder/replaced"
oblea import --quiet --progress none "$work/layer" files:latest >/dev/null
tr 0-9 a-j </proc/sys/kernel/random/boot_id >"$work/boot_id"

# Steps: each changes files and makes that durable; what it prints are names of files that must be there with these contents.
cat >"$work/step.py" <<'STEPS'
import mmap, os, sys
step, root = sys.argv[1:]
os.chdir(root)

def write(path, data, at, sync, flags=os.O_WRONLY | os.O_CREAT):
    file = os.open(path, flags, 0o644)
    assert os.pwrite(file, data, at) == len(data)
    sync(file)
    os.close(file)

def sync_folder(path):
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)

if step == "new":
    write("folder/new", b"n" * 300_000, 0, os.fsync)
elif step == "small":
    write("small", b"s" * 700, 4000, os.fdatasync)
elif step == "large":
    write("large", b"l" * 4096, 1_000_000, os.fdatasync)
elif step == "append":
    write("large", b"a" * 10, 0, os.fsync, os.O_WRONLY | os.O_APPEND)
elif step == "osync":
    write("folder/osync", b"o" * 5000, 0, lambda file: None, os.O_WRONLY | os.O_CREAT | os.O_SYNC)
elif step == "mapped":
    file = os.open("small", os.O_RDWR)
    memory = mmap.mmap(file, 4096)
    memory[10:20] = b"m" * 10
    memory.flush()
elif step == "folder":
    write("folder/fresh", b"f" * 100, 0, os.fsync)
    os.mkdir("folder/made")
    os.rename("folder/fresh", "folder/replaced")
    sync_folder("folder")
elif step == "root":
    write("folder/unsynced", b"u" * 9000, 0, lambda file: None)
    os.unlink("folder/new")
    sync_folder(".")
STEPS

# tree FOLDER: every file with its contents, and every folder.
tree() { (cd "$1" && find . -mindepth 1 -printf '%y %p\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# What must be there after a loss of power is all that there is now: before each step everything was durable.
for data in passthrough cached no-open; do
    OBLEA_TEST_DATA=${data/passthrough/}
    mkdir "$work/disk/$data"
    mount_image --upper "$work/disk/$data/upper" files:latest "$work/root" >/dev/null
    assert_eq "mode" "$data" "$(oblea mounts --format json | jq -r '.[0].data')"
    for step in new small large append osync mapped folder root; do
        python3 "$work/step.py" "$step" "$work/root"
        cp "$work/disk.img" "$work/lost.img"
        mount -o loop "$work/lost.img" "$work/lost"
        tree "$work/root" >"$work/now"
        (
            mount --bind "$work/boot_id" /proc/sys/kernel/random/boot_id
            mount_image --upper "$work/lost/$data/upper" files:latest "$work/after" >/dev/null
        )
        tree "$work/after" >"$work/then"
        oblea umount "$work/after" >/dev/null
        umount /proc/sys/kernel/random/boot_id
        until_true umount "$work/lost"
        diff "$work/now" "$work/then" >&2 || fail "$data: after '$step' a loss of power takes something away"
    done
    oblea umount "$work/root" >/dev/null
done
