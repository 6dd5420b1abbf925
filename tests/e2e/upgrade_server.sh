# SPDX-License-Identifier: MIT
# `oblea upgrade-server` exchanges the program under a live mount: what is open goes on, and a program that cannot do it costs nothing.
source "$(dirname "$0")/lib.sh"
need_fuse
need python3 jq
small_image
oblea import -q "$small/oci" small:latest

# The program as a package manager replaces it: another file of the same name.
mkdir "$work/bin" "$work/root" "$work/look"
own=$work/bin/oblea
install_program() {
    cp -L "$oblea" "$own.new"
    mv "$own.new" "$own"
}
install_program
"$own" mount small:latest "$work/root" >/dev/null
"$own" mount --read-only small:latest "$work/look" >/dev/null

holder_of() {
    oblea mounts --format json | jq -r --arg at "$1" '.[] | select(.mount_point == $at) | .pid'
}
server_of() {
    cat "/proc/$(holder_of "$1")/task/$(holder_of "$1")/children" | tr -d ' '
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
coproc user { exec python3 "$work/user.py" "$work/root" 2>"$work/user.err"; }
user_pid=$user_PID
expect() {
    local answer=
    read -r -t 60 answer <&"${user[0]}" || true
    [[ $answer == "$1" ]] || fail "the program that uses the mount: '$answer' $(cat "$work/user.err")"
}
still_fine() {
    echo again >&"${user[1]}"
    expect fine
}
expect ready
still_fine

first=$(program_of "$work/root")
install_program
[[ $(stat -c %i "$own") != "$first" ]] || fail "the program's file is the same"
assert_contains "what upgrade-server says" "$("$own" upgrade-server)" "$work/root: served by oblea"
assert_eq "the program that serves" "$(stat -c %i "$own")" "$(program_of "$work/root")"
assert_eq "the program that serves the read-only mount" "$(stat -c %i "$own")" "$(program_of "$work/look")"
assert_eq "a file of the read-only mount" "$(tail -n 1 "$work/look/etc/issue")" "Debian, changed by the third layer"
still_fine

# The new one is exchanged, and replaced when it dies, as the first one was.
install_program
oblea upgrade-server "$work/root" >/dev/null
assert_eq "the third program" "$(stat -c %i "$own")" "$(program_of "$work/root")"
still_fine
third=$(server_of "$work/root")
kill -9 "$third"
still_fine
[[ $(server_of "$work/root") != "$third" ]] || fail "no other server came"
assert_eq "the program after a kill" "$(stat -c %i "$own")" "$(program_of "$work/root")"

# What cannot serve leaves the mount to what can.
refuses() { # WHAT PART
    local status=0
    message=$(oblea upgrade-server "$work/root" 2>&1) || status=$?
    assert_eq "the exit status with $1" 1 "$status"
    assert_contains "with $1" "$message" "$2"
    still_fine
}
echo "no program" >"$own.new" && chmod +x "$own.new" && mv "$own.new" "$own"
refuses "a file that is no program" "exec"
cp /bin/false "$own.new" && mv "$own.new" "$own"
refuses "a program that knows nothing of mounts" "without a word"
rm "$own"
refuses "no file" "No such file"
assert_fails oblea upgrade-server "$work/bin"
assert_contains "the refusal" "$message" "nothing of this store is mounted there"

# Work goes on while it happens, many times; not all the time, since each one looks through the whole upper layer.
install_program
python3 - "$work/root/folder/log" "$work/exchanged" <<'END' &
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
load=$!
for ((upgrades = 0; upgrades < 30; ++upgrades)); do
    kill -0 $load 2>/dev/null || break
    oblea upgrade-server "$work/root" >/dev/null
    ((upgrades < 2)) || touch "$work/exchanged"
done
wait $load || fail "the work failed"
((upgrades > 1)) || fail "too few upgrades to tell"
assert_eq "lines written meanwhile" "$(seq 0 1999 | sha256sum)" "$(sha256sum <"$work/root/folder/log")"
assert_eq "folders made meanwhile" 1000 "$(find "$work/root/folder" -name 'log+*' | wc -l)"
rm -rf "$work/root/folder/"log*
still_fine

exec {user[1]}>&-
wait "$user_pid" || fail "the program that uses the mount: $(cat "$work/user.err")"
name=$(oblea mounts --format json | jq -r --arg at "$work/root" '.[] | select(.mount_point == $at) | .container')
oblea umount "$work/root" >/dev/null

# Who is asked to end while it exchanges the program ends.
holder=$(holder_of "$work/look")
kill -USR2 "$holder"
kill -TERM "$holder"
is_unmounted() { ! mountpoint -q "$work/look"; }
until_true is_unmounted
oblea mount --name "$name" small:latest "$work/root" >/dev/null
assert_eq "what was written, after a remount" round "$(tail -n 1 "$work/root/etc/issue")"
assert_missing "$work/root/usr/bin/hello"
oblea umount "$work/root" >/dev/null
