#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lists every inode of a tree with all that can be seen of it, or compares two trees.

  list_tree.py [OPTIONS] ROOT
  list_tree.py [OPTIONS] --compare A B     prints what differs; status 1 when something does

Fields: type mode uid gid size mtime target nlink links device xattrs sha256. `links` is the first path with the same inode,
so two trees agree when the same names belong together, whatever the numbers are. Folders have no size: file systems differ.
"""
import argparse
import hashlib
import os
import stat
import sys

FIELDS = ["type", "mode", "uid", "gid", "size", "mtime", "target", "nlink", "links", "device", "xattrs", "sha256"]
TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char", stat.S_IFBLK: "block",
         stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


def sha256_of(path):
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def xattrs_of(path):
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names}


def describe(path, shown, first_names, omit):
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    entry = {"type": TYPES[kind], "mode": f"{stat.S_IMODE(info.st_mode):04o}", "uid": info.st_uid, "gid": info.st_gid,
             "mtime": info.st_mtime_ns, "nlink": info.st_nlink}
    if kind != stat.S_IFDIR:
        entry["size"] = info.st_size
        entry["links"] = first_names.setdefault((info.st_dev, info.st_ino), printable(shown))
    if kind == stat.S_IFLNK:
        entry["target"] = os.readlink(path)
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        entry["device"] = f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
        entry["size"] = 0
    if kind == stat.S_IFREG and "sha256" not in omit:
        entry["sha256"] = sha256_of(path)
    if "xattrs" not in omit:
        entry["xattrs"] = xattrs_of(path)
    return {field: value for field, value in entry.items() if field not in omit}


def list_tree(root, omit):
    """Path (bytes shown printable, "." for the root) -> fields, sorted by path."""
    result, first_names = {}, {}

    def visit(path, shown):
        result[shown] = describe(path, shown, first_names, omit)
        if stat.S_ISDIR(os.lstat(path).st_mode):
            for name in sorted(os.listdir(path)):
                visit(os.path.join(path, name), (shown + "/" + os.fsdecode(name)) if shown != "." else os.fsdecode(name))

    visit(os.fsencode(root), ".")
    return result


def printable(text):
    return text.encode("utf-8", "surrogateescape").decode("latin-1").encode("unicode_escape").decode()


def compare(left, right, limit):
    faults = []
    for path in sorted(set(left) | set(right)):
        if path not in left or path not in right:
            faults.append(f"{printable(path)}: only in the {'first' if path in left else 'second'}")
            continue
        for field in FIELDS:
            a, b = left[path].get(field), right[path].get(field)
            if a != b:
                faults.append(f"{printable(path)}: {field} {a} / {b}")
    for fault in faults[:limit]:
        print(fault)
    if len(faults) > limit:
        print(f"... and {len(faults) - limit} more differences")
    return not faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--omit", default="", help="fields to leave out, with commas")
    parser.add_argument("--skip", action="append", default=[], help="a path to leave out, with all below it")
    parser.add_argument("--limit", type=int, default=40, help="differences to print")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("roots", nargs="+")
    options = parser.parse_args()
    omit = set(filter(None, options.omit.split(",")))
    if omit - set(FIELDS):
        parser.error(f"no such field: {', '.join(sorted(omit - set(FIELDS)))}")

    def kept(tree):
        return {path: entry for path, entry in tree.items()
                if not any(path == skip or path.startswith(skip + "/") for skip in options.skip)}

    trees = [kept(list_tree(root, omit)) for root in options.roots]
    if options.compare:
        if len(trees) != 2:
            parser.error("--compare needs two trees")
        sys.exit(0 if compare(*trees, options.limit) else 1)
    for path, entry in trees[0].items():
        print(printable(path), " ".join(f"{field}={entry[field]}" for field in FIELDS if field in entry))


main()
