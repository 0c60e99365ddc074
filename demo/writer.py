#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""writer.py DATABASE ACKED - insert rows for ever; every commit that the database confirmed is noted in ACKED."""
import sqlite3
import sys

database, acked = sys.argv[1], sys.argv[2]
connection = sqlite3.connect(database, isolation_level=None, timeout=30)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=FULL")
connection.execute("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, text TEXT)")
with open(acked, "a", buffering=1, encoding="ascii") as notes:
    number = (connection.execute("SELECT max(id) FROM entry").fetchone()[0] or 0) + 1
    while True:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO entry VALUES (?, ?)", (number, f"transaction {number} " * 20))
        connection.execute("COMMIT")
        notes.write(f"{number}\n")
        number += 1
