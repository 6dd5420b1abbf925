# SPDX-License-Identifier: MIT
"""Writes two databases for half a minute, checks every row of each that was committed: takeover_sqlite.py FOLDER"""

import os
import sqlite3
import sys
import time

folder = sys.argv[1]
committed = {}
databases = {}
for mode in ("delete", "wal"):
    path = os.path.join(folder, f"{mode}.db")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f"pragma journal_mode={mode}")
    database.execute("pragma mmap_size=1000000")
    database.execute("create table t (id integer primary key, text text)")
    databases[mode] = database
    committed[mode] = 0

end = time.monotonic() + 30
while time.monotonic() < end:
    for mode, database in databases.items():
        database.execute("begin")
        for _ in range(20):
            committed[mode] += 1
            database.execute("insert into t values (?, ?)", (committed[mode], str(committed[mode]) * 50))
        database.execute("commit")

for mode, database in databases.items():
    assert database.execute("pragma integrity_check").fetchone() == ("ok",), mode
    rows = database.execute("select id, text from t order by id").fetchall()
    assert rows == [(i, str(i) * 50) for i in range(1, committed[mode] + 1)], mode
    print(f"{mode}: {len(rows)} rows")
