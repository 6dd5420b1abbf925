# SPDX-License-Identifier: MIT
# `oblea upgrade-server` exchanges the program under a live mount, of an image or of a stack of folders: what is open goes on, and a
# program that cannot do it costs nothing.
source "$(dirname "$0")/lib.sh"
need_fuse
need python3 jq
small_image
oblea import -q "$small/oci" small:latest

# The program as a package manager replaces it: another file of the same name.
mkdir "$work/bin" "$work/root" "$work/look"
own=$work/bin/oblea
ln -s oblea "$own-overlay"
install_program() {
    cp -L "$oblea" "$own.new"
    mv "$own.new" "$own"
}
install_program
holder_of() {
    if [[ -n ${stack_holders[$1]:-} ]]; then
        echo "${stack_holders[$1]}"
    else
        oblea mounts --format json | jq -r --arg at "$1" '.[] | select(.mount_point == $at) | .pid'
    fi
}
server_of() {
    cat "/proc/$(holder_of "$1")/task/$(holder_of "$1")/children" | tr -d ' '
}
# mount_stack OPTIONS DIR: with the program that is installed.
declare -A stack_holders
has_server() { [[ -n $(server_of "$1") ]]; }
mount_stack() {
    "$own-overlay" -f -o "$1" "$2" &
    stack_holders[$2]=$!
    until_true mountpoint -q "$2"
    until_true has_server "$2"
}
program_of() {
    stat -L -c %i "/proc/$(server_of "$1")/exe"
}

# Has everything open that a program can have, and looks at it again each time it is told to.
cat >"$work/user.py" <<'END'
import fcntl, mmap, os, sys

root = sys.argv[1]
def path(name):
    return f"{root}/{name}"

os.makedirs(path("folder"))
changed = os.open(path("etc/issue"), os.O_RDWR | os.O_APPEND)
os.write(changed, b"one\n")
gone = os.open(path("folder/gone"), os.O_RDWR | os.O_CREAT)
os.write(gone, b"no name any more")
os.unlink(path("folder/gone"))
nameless = os.open(path("folder"), os.O_RDWR | os.O_TMPFILE)
os.write(nameless, b"never had one")
of_image = os.open(path("usr/bin/hello"), os.O_RDONLY)
os.unlink(path("usr/bin/hello"))
hello = os.read(of_image, 1 << 20)
mapped = os.open(path("folder/mapped"), os.O_RDWR | os.O_CREAT)
os.truncate(mapped, 8192)
memory = mmap.mmap(mapped, 8192)
folder = os.open(path("folder"), os.O_RDONLY | os.O_DIRECTORY)
fcntl.flock(mapped, fcntl.LOCK_EX)
before = {name: os.stat(path(name)).st_ino for name in ("etc/issue", "folder", "folder/mapped", "usr/bin", "etc/passwd")}
os.chdir(path("folder"))
rounds = 0
print("ready", flush=True)
for line in sys.stdin:
    rounds += 1
    os.write(changed, b"round\n")
    text = open(path("etc/issue"), "rb").read()
    assert text.endswith(b"one\n" + b"round\n" * rounds), text
    assert os.pread(gone, 100, 0) == b"no name any more"
    assert os.fstat(gone).st_nlink == 0
    os.pwrite(nameless, b"NEVER", 0)
    assert os.pread(nameless, 100, 0) == b"NEVER had one"
    assert os.pread(of_image, 1 << 20, 0) == hello
    memory[4096] = rounds
    memory.flush()
    assert os.pread(mapped, 1, 4096) == bytes([rounds])
    assert os.listdir(folder) == ["mapped"], os.listdir(folder)
    assert os.getcwd() == path("folder")
    other = os.open(path("folder/mapped"), os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raise AssertionError("the lock is gone")
    except BlockingIOError:
        pass
    os.close(other)
    for name, number in before.items():
        assert os.stat(path(name)).st_ino == number, name
    print("fine", flush=True)
END

# start_user DIR: it runs until end_user, and says now and then that it is fine.
start_user() {
    coproc user { exec python3 "$work/user.py" "$1" 2>"$work/user.err"; }
    user_pid=$user_PID
    expect ready
    still_fine
}
end_user() {
    exec {user[1]}>&-
    wait "$user_pid" || fail "the program that uses the mount: $(cat "$work/user.err")"
}
expect() {
    local answer=
    read -r -t 60 answer <&"${user[0]}" || true
    [[ $answer == "$1" ]] || fail "the program that uses the mount: '$answer' $(cat "$work/user.err")"
}
still_fine() {
    echo again >&"${user[1]}"
    expect fine
}
serves_the_installed() { # DIR
    assert_eq "the program that serves $1" "$(stat -c %i "$own")" "$(program_of "$1")"
}
refuses() { # DIR WHAT PART
    local status=0
    message=$(oblea upgrade-server "$1" 2>&1) || status=$?
    assert_eq "the exit status with $2" 1 "$status"
    assert_contains "with $2" "$message" "$3"
    still_fine
}

# A live writable mount, with the user in it, and a read-only one.
exchange_programs() { # WRITABLE READ_ONLY
    local first third
    first=$(program_of "$1")
    install_program
    [[ $(stat -c %i "$own") != "$first" ]] || fail "the program's file is the same"
    message=$("$own" upgrade-server "$1" "$2")
    assert_contains "what upgrade-server says" "$message" "$1: served by oblea"
    serves_the_installed "$1"
    serves_the_installed "$2"
    assert_eq "a file of the read-only mount" "$(tail -n 1 "$work/issue")" "$(tail -n 1 "$2/etc/issue")"
    still_fine

    # The new one is exchanged, and replaced when it dies, as the first one was.
    install_program
    oblea upgrade-server "$1" >/dev/null
    serves_the_installed "$1"
    still_fine
    third=$(server_of "$1")
    kill -9 "$third"
    still_fine
    [[ $(server_of "$1") != "$third" ]] || fail "no other server came"
    serves_the_installed "$1"

    # What cannot serve leaves the mount to what can.
    echo "no program" >"$own.new" && chmod +x "$own.new" && mv "$own.new" "$own"
    refuses "$1" "a file that is no program" "exec"
    cp /bin/false "$own.new" && mv "$own.new" "$own"
    refuses "$1" "a program that knows nothing of mounts" "without a word"
    rm "$own"
    refuses "$1" "no file" "No such file"
    install_program
}

# Work goes on while it happens, many times; not all the time, since each one looks through the whole upper layer.
exchange_under_load() { # DIR EXCHANGES
    python3 - "$1/folder/log" "$work/exchanged" <<'END' &
import os, sys, time
with open(sys.argv[1], "wb", buffering=0) as log:
    for number in range(2000):
        while number == 1500 and not os.path.exists(sys.argv[2]):
            time.sleep(0.01)  # who works may be much faster than who exchanges
        log.write(b"%d\n" % number)
        os.mkdir(f"{sys.argv[1]}-{number}")
        os.rename(f"{sys.argv[1]}-{number}", f"{sys.argv[1]}+{number}")
        if number % 2:
            os.rmdir(f"{sys.argv[1]}+{number}")
END
    local load=$! upgrades
    for ((upgrades = 0; upgrades < $2; ++upgrades)); do
        kill -0 $load 2>/dev/null || break
        oblea upgrade-server "$1" >/dev/null
        ((upgrades < 2)) || touch "$work/exchanged"
    done
    wait $load || fail "the work failed"
    rm -f "$work/exchanged"
    ((upgrades > 1)) || fail "too few upgrades to tell"
    assert_eq "lines written meanwhile" "$(seq 0 1999 | sha256sum)" "$(sha256sum <"$1/folder/log")"
    assert_eq "folders made meanwhile" 1000 "$(find "$1/folder" -name 'log+*' | wc -l)"
    rm -rf "$1/folder/"log*
    still_fine
}

# Who is asked to end while it exchanges the program ends.
ends_when_told() { # DIR
    local holder
    holder=$(holder_of "$1")
    kill -USR2 "$holder"
    kill -TERM "$holder"
    until_true is_unmounted "$1"
    [[ -z ${stack_holders[$1]:-} ]] || wait "$holder" || fail "the server of $1 did not end well"
}
is_unmounted() { ! mountpoint -q "$1"; }

echo "--- mounts of an image"
"$own" mount small:latest "$work/root" >/dev/null
"$own" mount --read-only small:latest "$work/look" >/dev/null
cp "$work/look/etc/issue" "$work/issue"
cp -a "$work/look" "$work/below"
start_user "$work/root"
exchange_programs "$work/root" "$work/look"
assert_fails oblea upgrade-server "$work/bin"
assert_contains "the refusal" "$message" "nothing of this store is mounted there"
exchange_under_load "$work/root" 30
end_user
name=$(oblea mounts --format json | jq -r --arg at "$work/root" '.[] | select(.mount_point == $at) | .container')
oblea umount "$work/root" >/dev/null
ends_when_told "$work/look"
oblea mount --name "$name" small:latest "$work/root" >/dev/null
assert_eq "what was written, after a remount" round "$(tail -n 1 "$work/root/etc/issue")"
assert_missing "$work/root/usr/bin/hello"
oblea umount "$work/root" >/dev/null

echo "--- stacks of folders, mounted over a folder of theirs"
mkdir "$work/above" "$work/upper" "$work/layer.work"
cp -a "$work/below" "$work/expected"
stack=lowerdir=$work/above:$work/below,upperdir=$work/upper,workdir=$work/layer.work
mount_stack "$stack" "$work/below"
mount_stack "lowerdir=$work/above:$work/expected" "$work/look"
start_user "$work/below"
mv "$work/upper" "$work/upper.moved"  # nothing is asked by its path again
exchange_programs "$work/below" "$work/look"
exchange_under_load "$work/below" 10
end_user
mv "$work/upper.moved" "$work/upper"
ends_when_told "$work/look"
umount "$work/below" 2>/dev/null || fusermount3 -u "$work/below"
wait "${stack_holders[$work/below]}" || fail "the stack's server did not end well"
assert_same_tree "$work/below" "$work/expected"
assert_eq "what is left in the work folder" "" "$(ls -A "$work/layer.work")"
mount_stack "$stack" "$work/root"
assert_eq "what was written, after a remount" round "$(tail -n 1 "$work/root/etc/issue")"
assert_missing "$work/root/usr/bin/hello"
# All that are seen here and came from this program.
assert_contains "what upgrade-server says" "$("$own" upgrade-server)" "$work/root: served by oblea"
message=$(oblea upgrade-server)
[[ $message != *"$work/root"* ]] || fail "another program's stack was exchanged: $message"
ends_when_told "$work/root"
