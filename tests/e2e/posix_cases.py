#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""System calls on every kind of object, by several users, in cases that can be run on two file systems and compared.

    posix_cases.py make DIR    makes a folder of objects for each case
    posix_cases.py run DIR     runs the cases, one line each: the answer, and what the folder is like afterwards

Made once, packed as the layer of an image and run on a mount of it, every object comes from a lower layer. The ground covered
is that of pjdfstest; the cases are combinations, so nothing of it is needed here. Needs root, to be others.
"""
import ctypes
import errno
import itertools
import os
import socket
import stat
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
ROOT, OWNER, STRANGER = 0, 65533, 65534
KINDS = ["none", "file", "folder", "full", "link", "dangling", "fifo", "twice"]


def make_object(kind, path):
    if kind in ("file", "twice"):
        with open(path, "w") as file:
            file.write("contents of " + os.path.basename(path))
        os.chmod(path, 0o644)
        if kind == "twice":
            os.link(path, path + ".second")
    elif kind in ("folder", "full"):
        os.mkdir(path, 0o755)
        if kind == "full":
            make_object("file", path + "/inside")
    elif kind == "link":
        make_object("file", path + ".target")
        os.symlink(os.path.basename(path) + ".target", path)
    elif kind == "dangling":
        os.symlink("nowhere", path)
    elif kind == "fifo":
        os.mkfifo(path, 0o644)


def renameat2(source, target, flags):
    if LIBC.renameat2(-100, source.encode(), -100, target.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), "")


def opened(path, flags, then=lambda fd: None):
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)
    try:
        then(fd)
    finally:
        os.close(fd)


def bound(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)


# Calls on one object "a".
ONE = {
    "open": lambda a: opened(a, os.O_RDONLY),
    "write": lambda a: opened(a, os.O_WRONLY, lambda fd: os.pwrite(fd, b"W", 2)),
    "append": lambda a: opened(a, os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, b"end")),
    "open_trunc": lambda a: opened(a, os.O_WRONLY | os.O_TRUNC),
    "open_creat": lambda a: opened(a, os.O_WRONLY | os.O_CREAT),
    "open_excl": lambda a: opened(a, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "open_nofollow": lambda a: opened(a, os.O_RDONLY | os.O_NOFOLLOW),
    "open_directory": lambda a: opened(a, os.O_RDONLY | os.O_DIRECTORY),
    "mkdir": lambda a: os.mkdir(a, 0o751),
    "mkfifo": lambda a: os.mkfifo(a, 0o640),
    "mknod_block": lambda a: os.mknod(a, stat.S_IFBLK | 0o640, os.makedev(7, 99)),
    "mknod_char": lambda a: os.mknod(a, stat.S_IFCHR | 0o640, os.makedev(1, 3)),
    "bind": bound,
    "symlink": lambda a: os.symlink("there", a),
    "readlink": os.readlink,
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "chmod": lambda a: os.chmod(a, 0o7711),
    "chown": lambda a: os.chown(a, OWNER, OWNER),
    "chown_setuid": lambda a: (os.chmod(a, 0o6755), os.chown(a, OWNER, -1)),
    "lchown": lambda a: os.lchown(a, OWNER, STRANGER),
    "chgrp": lambda a: os.chown(a, -1, OWNER),
    "truncate": lambda a: os.truncate(a, 3),
    "truncate_longer": lambda a: os.truncate(a, 300),
    "truncate_negative": lambda a: os.truncate(a, -1),
    "utime": lambda a: os.utime(a, ns=(123456789, 987654321)),
    "utime_link": lambda a: os.utime(a, ns=(5, 7), follow_symlinks=False),
    "utime_now": os.utime,
    "setxattr": lambda a: os.setxattr(a, "user.note", b"1", follow_symlinks=False),
    "removexattr": lambda a: os.removexattr(a, "user.note", follow_symlinks=False),
    "listdir": lambda a: sorted(os.listdir(a)),
    "open_below": lambda a: opened(a + "/x", os.O_WRONLY | os.O_CREAT),
    "mkdir_below": lambda a: os.mkdir(a + "/x"),
    "unlink_slash": lambda a: os.unlink(a + "/"),
    "rmdir_dot": lambda a: os.rmdir(a + "/."),
    "rmdir_dotdot": lambda a: os.rmdir(a + "/.."),
    "mkdir_slash": lambda a: os.mkdir(a + "/"),
    "long_name": lambda a: opened(a[:-1] + "n" * 256, os.O_WRONLY | os.O_CREAT),
    "rename_below": lambda a: os.rename(a, a + "/x"),
    "rename_self": lambda a: os.rename(a, a),
    "link_self": lambda a: os.link(a, a),
}
# Calls on two, "a" and "b".
TWO = {
    "rename": os.rename,
    "rename_noreplace": lambda a, b: renameat2(a, b, 1),
    "rename_exchange": lambda a, b: renameat2(a, b, 2),
    "link": lambda a, b: os.link(a, b, follow_symlinks=False),
}
# Permissions of the folder and its owner, the owner of the object, who acts.
RIGHTS = list(itertools.product([0o755, 0o777, 0o1777, 0o2777, 0o700], [ROOT, OWNER], [ROOT, OWNER], [OWNER, STRANGER]))
RIGHTS_CALLS = ["open_creat", "write", "unlink", "mkdir", "chmod", "chgrp", "lchown", "truncate", "utime", "utime_now", "setxattr"]


def cases():
    for call, kind in itertools.product(ONE, KINDS):
        yield {"call": call, "kinds": [kind]}
    for call, one, two in itertools.product(TWO, KINDS, KINDS):
        yield {"call": call, "kinds": [one, two]}
    for call, (mode, folder, owner, user) in itertools.product(RIGHTS_CALLS, RIGHTS):
        kind = "none" if call in ("open_creat", "mkdir") else "file"
        yield {"call": call, "kinds": [kind], "mode": mode, "folder": folder, "owner": owner, "user": user}
    for call, (mode, folder, owner, user) in itertools.product(["rename", "rename_exchange", "link"], RIGHTS):
        yield {"call": call, "kinds": ["file", "file"], "mode": mode, "folder": folder, "owner": owner, "user": user}


def make(base):
    for number, case in enumerate(cases()):
        folder = f"{base}/{number:04d}"
        os.mkdir(folder)
        for name, kind in zip("ab", case["kinds"]):
            make_object(kind, f"{folder}/{name}")
            if "owner" in case and kind != "none":
                os.lchown(f"{folder}/{name}", case["owner"], case["owner"])
        if "mode" in case:
            os.chown(folder, case["folder"], case["folder"])
            os.chmod(folder, case["mode"])


def state(folder):
    """What can be seen of everything below, times as whether they are of today."""
    lines = []
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in ["."] + sorted(folders + files):
            at = os.path.normpath(f"{path}/{name}")
            if name == "." and path != folder:
                continue
            info = os.lstat(at)
            text = f"{os.path.relpath(at, folder)}:{info.st_mode:o}:{info.st_uid}:{info.st_gid}:{info.st_nlink}"
            if not stat.S_ISDIR(info.st_mode):
                text += f":{info.st_size}"
            if stat.S_ISREG(info.st_mode):
                with open(at, "rb") as file:
                    text += f":{file.read(40)!r}"
            if stat.S_ISBLK(info.st_mode) or stat.S_ISCHR(info.st_mode):
                text += f":{info.st_rdev}"
            # As age() made it, set by a call, or now.
            text += ":" + ("old" if info.st_mtime == 1e9 else "set" if info.st_mtime < 1e9 else "new")
            lines.append(text)
    return " ".join(lines)


def answer(case, folder):
    """In a process of its own, as the case's user."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "died"
        try:
            os.chdir(folder)
            if "user" in case:
                os.setgroups([])
                os.setresgid(case["user"], case["user"], case["user"])
                os.setresuid(case["user"], case["user"], case["user"])
            os.umask(0o022)
            names = "ab"[:len(case["kinds"])]
            result = (ONE if len(names) == 1 else TWO)[case["call"]](*names)
            text = "ok" if result is None or isinstance(result, tuple) else f"ok {result}"
        except OSError as error:
            text = errno.errorcode.get(error.errno, str(error.errno))
        except ValueError:
            text = "refused by python"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


def run(base):
    for number, case in enumerate(cases()):
        folder = f"{base}/{number:04d}"
        # The folder is closed to others in some cases: the way to it is not part of them.
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        text = answer(case, f"/proc/self/fd/{fd}")
        os.close(fd)
        rest = " ".join(f"{key}={value:o}" if key == "mode" else f"{key}={value}"
                        for key, value in case.items() if key not in ("call", "kinds"))
        print(f"{number:04d} {case['call']}({', '.join(case['kinds'])}) {rest} -> {text} | {state(folder)}")


def age(base):
    for path, folders, files in os.walk(base, topdown=False):
        for name in folders + files:
            os.utime(f"{path}/{name}", (1e9, 1e9), follow_symlinks=False)


if __name__ == "__main__":
    command, where = sys.argv[1:]
    if command == "make":
        make(where)
        age(where)
    else:
        run(where)
