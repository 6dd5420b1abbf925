# SPDX-License-Identifier: MIT
# A database of the image, rewritten in place by SQLite in each of its journal modes, says what one on a plain folder says.
source "$(dirname "$0")/lib.sh"
need_fuse
need python3
python3 -c 'import sqlite3' 2>/dev/null || skip "python3 has no sqlite3"
mkdir "$work/plain" "$work/layer" "$work/root"

cat >"$work/database.py" <<'END'
import random
import sqlite3
import sys

def connect(path, mode, mmap):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute(f"PRAGMA mmap_size={mmap}")
    return db

command, path = sys.argv[1:3]
if command == "make":
    db = connect(path, "delete", 0)
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO t VALUES (?, ?)", ((i, f"row {i} " * 20) for i in range(4000)))
    db.execute("COMMIT")
    sys.exit()
numbers = random.Random(7)
for mode, mmap in (("delete", 0), ("wal", 0), ("wal", 1 << 26), ("truncate", 1 << 26), ("persist", 0)):
    # Open before the first change of the mode, and reading all along.
    reader = connect(path, mode, mmap)
    writer = connect(path, mode, mmap)
    for change in range(20):
        writer.execute("BEGIN IMMEDIATE")
        for _ in range(40):
            writer.execute("UPDATE t SET text = ? WHERE id = ?", (f"{mode} {change} " * numbers.randrange(40), numbers.randrange(4000)))
        writer.execute("DELETE FROM t WHERE id = ?", (numbers.randrange(4000),))
        writer.execute("ROLLBACK" if change % 5 == 4 else "COMMIT")
        # Computed from what each of them reads.
        sums = [db.execute("SELECT count(*), sum(id * length(text)) FROM t").fetchone() for db in (reader, writer)]
        assert sums[0] == sums[1], (mode, change, sums)
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",), mode
    if mode == "persist":
        writer.execute("VACUUM")
    reader.close()
    writer.close()
for line in sqlite3.connect(path).iterdump():
    print(line)
END

database() {
    python3 "$work/database.py" "$@"
}
database make "$work/layer/db"
cp "$work/layer/db" "$work/plain/db"
oblea import "$work/layer" database:latest >/dev/null
mount_image database:latest "$work/root" >/dev/null
database use "$work/plain/db" >"$work/expected"
database use "$work/root/db" >"$work/got"
cmp "$work/expected" "$work/got" || fail "the database on the mount says otherwise"
oblea umount "$work/root" >/dev/null
