"""Numbered migrations, applied in order at start; what was applied may never change.

The caller holds the lock that keeps a second process away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.errors import StorageError
from bot.types import value
from storage.driver import sqlite
from storage.mark import mark

FOLDER = Path(__file__).parent / "migrations"

_TABLE = """CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT"""
_HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'"


@value
class Migration:
    """One file: NNNN_name.sql."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        """What must stay the same once it was applied anywhere."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def known(folder: Path = FOLDER) -> list[Migration]:
    """The migrations in a folder, by number. ValueError when two share one."""
    found: dict[int, Migration] = {}
    for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        number = int(file.name[:4])
        if number in found:
            raise ValueError(f"two migrations are numbered {number:04}")
        script = file.read_text(encoding="utf-8")
        found[number] = Migration(number=number, name=file.stem[5:], script=script)
    return [found[number] for number in sorted(found)]


def pending(
    connection: sqlite.Connection, path: str, migrations: Sequence[Migration]
) -> list[Migration]:
    """What is still to be applied. StorageError when the file does not fit this program."""
    applied = _applied(connection)
    ours = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in applied.items():
        if number not in ours:
            raise StorageError(
                f"{path} was made by a newer Frontdesk (it has migration {number:04} {name}, which "
                "this program does not know); upgrade the program"
            )
        if ours[number].checksum != checksum:
            raise StorageError(
                f"migration {number:04} {name} was changed after {path} was made with it; "
                "install an unmodified program"
            )
    return [migration for migration in migrations if migration.number not in applied]


def refuse_old(connection: sqlite.Connection, path: str, migrations: Sequence[Migration]) -> None:
    """StorageError unless every migration was applied; for those who may not apply any."""
    if missing := pending(connection, path, migrations):
        raise StorageError(
            f"{path} is older than this program (migration {missing[0].number:04} "
            f"{missing[0].name} is missing); start the desk once, it brings the file up to date"
        )


def migrate(
    connection: sqlite.Connection, path: str, migrations: Sequence[Migration], *, now: int
) -> None:
    """Apply what is pending, each in a transaction of its own: whole or not at all."""
    for migration in pending(connection, path, migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(_TABLE)
            for statement in _split(migration.script):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migration VALUES (?, ?, ?, ?)",
                (migration.number, migration.name, migration.checksum, now),
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    mark(connection)


def _applied(connection: sqlite.Connection) -> dict[int, tuple[str, str]]:
    if not connection.execute(_HAS_TABLE).fetchall():
        return {}
    rows = connection.execute("SELECT number, name, checksum FROM migration ORDER BY number")
    return {row[0]: (row[1], row[2]) for row in rows}


def _split(script: str) -> Iterator[str]:
    """One statement at a time; SQLite itself says where a statement (or a trigger) is complete."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite.complete_statement(statement):
            yield statement
            statement = ""
    if any(line.strip() and not line.strip().startswith("--") for line in statement.splitlines()):
        raise ValueError(f"a migration ends in the middle of a statement: {statement.strip()}")
