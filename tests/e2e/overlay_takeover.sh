# SPDX-License-Identifier: MIT
# Programs that use a stack of plain folders do not notice when its server is killed, or its program exchanged: what they have open,
# where they stand and what they have changed stay, and the upper folder is what it would have been.
source "$(dirname "$0")/lib.sh"
need_fuse
need python3
cd "$work"
PATH=$(dirname "$oblea"):$PATH

# Three layers, the middle one with a folder of which the upper one hides a file; a hard link across two folders.
mkdir -p one/{d,e,deep/er} two/{d,n} three/d up work mnt
for i in $(seq 200); do echo "text $i" >"one/d/f$i"; done
ln one/d/f1 one/e/linked
ln one/d/f1 one/deep/er/linked
head -c 3000000 /dev/urandom >one/large
echo two >two/d/f2
echo two >two/n/new
: >three/d/.wh.f3
cp -a one expected.one

# Does what programs do until a file named stop is there, checks what it sees after each step, and says what it was when it was wrong.
cat >worker.py <<'END'
import mmap
import os
import random
import sys

root, stop, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
pick = random.Random(seed)
os.chdir(root + "/d")  # stays there
large = os.open("../large", os.O_RDWR)
shared = mmap.mmap(large, 3000000)
unlinked = os.open("gone", os.O_RDWR | os.O_CREAT)
os.write(unlinked, b"still here")
os.unlink("gone")
lower_unlinked = os.open("f200", os.O_RDONLY)
os.unlink("f200")
numbers = {name: os.lstat(name).st_ino for name in os.listdir(".")}
texts = {}
for name in numbers:
    with open(name) as file:
        texts[name] = file.read()
bytes_of_large = bytearray(shared[:])


def check(what, seen, expected):
    if seen != expected:
        sys.exit(f"{what}: {seen!r} instead of {expected!r}")


step = 0
while not os.path.exists(stop):
    step += 1
    what = pick.randrange(8)
    name = pick.choice(sorted(texts))
    if what == 0:
        texts[name] += f"{step}\n"
        with open(name, "a") as file:
            file.write(f"{step}\n")
    elif what == 1:
        fresh = f"new{step}"
        with open(fresh, "x") as file:
            file.write(fresh)
        texts[fresh] = fresh
        numbers[fresh] = os.lstat(fresh).st_ino
    elif what == 2 and len(texts) > 50:
        os.unlink(name)
        del texts[name], numbers[name]
    elif what == 3:
        moved = f"moved{step}"
        os.rename(name, moved)
        texts[moved], numbers[moved] = texts.pop(name), numbers.pop(name)
    elif what == 4:
        at = pick.randrange(3000000 - 8)
        os.pwrite(large, b"%8d" % step, at)
        bytes_of_large[at:at + 8] = b"%8d" % step
    elif what == 5:
        os.mkdir(f"../e/dir{step}")
        os.rename(f"../e/dir{step}", f"../n/dir{step}")
        check("a renamed folder", os.listdir(f"../n/dir{step}"), [])
    elif what == 6:
        check("names", sorted(os.listdir(".")), sorted(texts))
    else:
        at = pick.randrange(3000000 - 4096)
        check("the mapping", shared[at:at + 4096], bytes(bytes_of_large[at:at + 4096]))
    name = pick.choice(sorted(texts))
    check("number of " + name, os.lstat(name).st_ino, numbers[name])
    with open(name) as file:
        check("text of " + name, file.read(), texts[name])
    check("an unlinked file", os.pread(unlinked, 100, 0), b"still here")
    check("an unlinked file of a lower folder", os.pread(lower_unlinked, 100, 0), b"text 200\n")
check("the large file", os.pread(large, 3000000, 0), bytes(bytes_of_large))
# One inode under three names, by whichever it is changed.
with open("../e/linked", "a") as file:
    file.write("by another name\n")
check("names of one file", os.lstat("../deep/er/linked").st_ino, os.lstat("../e/linked").st_ino)
with open("../deep/er/linked") as file:
    check("a hard link", file.read().splitlines()[-1], "by another name")
END

server_of() { # HOLDER: the process that serves its mount now
    tr -d ' ' <"/proc/$1/task/$1/children"
}

# Nobody may be there to wait for it.
has_ended() {
    local state
    state=$(ps -o stat= -p "$1") || return 0
    [[ $state == Z* ]]
}
# One that was killed stays a child until the holder has waited for it.
killed=
is_served() {
    server=$(server_of "$holder")
    [[ -n $server && $server != "$killed" ]]
}
kill_server() {
    until_true is_served
    kill -9 "$server"
    killed=$server
}

both_run() { # OPTIONS
    mapfile -t both < <(own_processes "^oblea-overlay -o $1 mnt")
    ((${#both[@]} == 2))
}
# mount_stack OPTIONS: sets `holder`, the process that keeps the mount, nobody's child and the parent of the one that serves.
mount_stack() {
    oblea-overlay -o "$1" mnt
    until_true both_run "$1"  # a mount is there before somebody serves it
    holder=${both[0]}
    [[ -n $(server_of "$holder") ]] || holder=${both[1]}
}
unmount_stack() {
    umount mnt 2>/dev/null || fusermount3 -u mnt
    until_true has_ended "$holder"
}

wanted_kills=${OBLEA_TEST_KILLS:-50}
course() { # OPTIONS
    rm -rf up work && mkdir up work
    mount_stack "lowerdir=three:two:one,upperdir=up,workdir=work$1"
    rm -f stop
    python3 worker.py "$work/mnt" "$work/stop" 7 &
    worker=$!
    for ((kills = 1; kills <= wanted_kills; ++kills)); do
        sleep 0.1
        kill_server
        ((kills % 10 != 0)) || oblea upgrade-server "$work/mnt" >/dev/null
    done
    touch stop
    wait "$worker" || fail "what a program saw after $kills kills (options: $1)"
    python3 "$tests/e2e/list_tree.py" mnt >before
    unmount_stack
    assert_eq "what is left in the work folder" "" "$(ls -A work | grep -v '^work$' || true)"
    mount_stack "lowerdir=three:two:one,upperdir=up,workdir=work"
    python3 "$tests/e2e/list_tree.py" mnt >after
    unmount_stack
    diff before after || fail "the tree is another one after a remount"
    diff -r --no-dereference one expected.one || fail "a lower folder was changed"
}

course ""
course ",volatile"

echo "--- a stack that nobody can change"
mount_stack "lowerdir=three:two:one"
exec 5<mnt/d/f5
number=$(stat -c %i mnt/d/f5)
for ((i = 0; i < 5; ++i)); do
    kill_server
    assert_eq "a file that was open" "text 5" "$(head -n 1 /proc/self/fd/5)"
    assert_eq "its number" "$number" "$(stat -c %i mnt/d/f5)"
    assert_eq "a file that was looked up" "text $((i + 10))" "$(cat "mnt/d/f$((i + 10))")"
done
exec 5<&-
unmount_stack
