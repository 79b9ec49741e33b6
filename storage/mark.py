"""Whose file it is: a desk's carries a mark in its header; any other program's is left alone."""

from __future__ import annotations

from bot.errors import StorageError
from storage.driver import sqlite

APPLICATION = 0x46444B31
"""SQLite's application_id (sqlite.org/pragma.html) of a desk's database: "FDK1"."""
_MIGRATION = {"number", "name", "checksum", "applied_at"}
"""The columns by which a desk's file from before the mark is known."""


def refuse_foreign(connection: sqlite.Connection, path: str) -> None:
    """StorageError unless the file is a desk's, or empty. Reads only: nothing is changed before."""
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if found == APPLICATION:
        return
    tables = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    columns = {row[1] for row in connection.execute("PRAGMA table_info(migration)")}
    if found or (tables and columns != _MIGRATION):
        raise StorageError(
            f"{path} is not a database of a desk but of another program; nothing was changed in "
            "it. Set FRONTDESK_DB to another path"
        )


def mark(connection: sqlite.Connection) -> None:
    """Make the file known as a desk's."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
