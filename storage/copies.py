"""Copies of a database file: made beside a running desk, put back while none runs; and upgrades.

All of it is synchronous and belongs into a thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bot.errors import StorageError
from storage.batch import BatchConnection
from storage.driver import sqlite
from storage.lock import LockFile
from storage.migrate import Migration, known, migrate, pending
from storage.sqlite import check, connect, keep_private

_BESIDE = ("-wal", "-shm")
"""What SQLite keeps next to a file that is open, or was not closed in order."""


def backup(path: str, destination: str) -> None:
    """Write a checked copy, whole or not there at all; a file that stands there is replaced.

    Raises StorageError when `path` is no desk's database, StorageCorrupt when it is damaged.
    """
    part = f"{destination}.part"
    _remove(part)
    try:
        _copy(path, part)
        _put_in_place(part, destination)
    finally:
        _remove(part)


def restore(path: str, source: str, *, aside: str) -> bool:
    """Put a copy of `source` in the place of `path`; the old file is kept at `aside`, if any was.

    Nothing is touched before the copy was made and found whole. Raises AlreadyRunning while a desk
    runs, StorageError for a `source` that is no desk's database or comes from a newer program.
    """
    lock = LockFile(path)
    lock.take()
    part, clean = f"{path}.part", lock.clean
    try:
        _remove(part)
        _copy(source, part)
        kept = Path(path).exists()
        # The log goes with its file: left behind, it would be played into the new one.
        for end in ("", *_BESIDE):
            with suppress(FileNotFoundError):
                Path(path + end).rename(aside + end)
        _tidy(aside)
        _put_in_place(part, path)
        clean = True
    finally:
        _remove(part)
        lock.let_go(clean=clean)
    return kept


def missing(path: str, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """The migrations that the file still needs. Raises StorageError for one of a newer program."""
    found: list[Migration] = []

    def look(connection: BatchConnection) -> None:
        found.extend(pending(connection, path, known() if migrations is None else migrations))

    connect(path, writer=False, start=look).close()
    return found


def upgrade(
    path: str, *, now: int, migrations: Sequence[Migration] | None = None
) -> list[Migration]:
    """Apply what is missing; what was applied. Raises AlreadyRunning if a desk is in the way."""
    ours = known() if migrations is None else migrations
    if not (needed := missing(path, ours)):
        return []
    lock = LockFile(path)
    lock.take()
    try:
        connect(path, writer=True, start=lambda it: migrate(it, path, ours, now=now)).close()
    finally:
        lock.let_go(clean=lock.clean)
    return needed


def _copy(path: str, part: str) -> None:
    """A compact, checked copy that its owner alone may read."""

    def vacuum(connection: BatchConnection) -> None:
        _refuse_strangers(connection, path)
        connection.execute("PRAGMA query_only = OFF")
        connection.execute("VACUUM INTO ?", (part,))

    keep_private(part)
    connect(path, writer=False, start=vacuum).close()
    connect(part, writer=False, start=lambda copy: check(copy, part)).close()


def _refuse_strangers(connection: sqlite.Connection, path: str) -> None:
    """StorageError for a file that no Frontdesk made, or a newer one."""
    made = known()
    if len(pending(connection, path, made)) == len(made):
        raise StorageError(f"{path} is not a database of a desk")


def _tidy(path: str) -> None:
    """An empty log says nothing, and its index is made anew when it is wanted."""
    log = Path(f"{path}-wal")
    if log.exists() and not log.stat().st_size:
        log.unlink()
    if not log.exists():
        Path(f"{path}-shm").unlink(missing_ok=True)


def _remove(part: str) -> None:
    for end in ("", *_BESIDE):
        Path(part + end).unlink(missing_ok=True)


def _put_in_place(part: str, destination: str) -> None:
    """Sync the copy, rename it, sync the name."""
    with Path(part).open("rb+") as file:
        os.fsync(file.fileno())
    Path(part).replace(destination)
    folder = os.open(Path(destination).absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
