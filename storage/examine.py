"""Looks at a database file and changes nothing, beside a running desk too. Belongs in a thread."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from bot.errors import StorageCorrupt
from bot.types import value
from storage.batch import BatchConnection
from storage.driver import sqlite
from storage.lock import see_folder
from storage.migrate import Migration, known, pending
from storage.mounts import network_of
from storage.rows import number
from storage.sqlite import check, connect
from storage.statements import statements


@value
class FileFacts:
    """A database file. `mode` None: there is none yet. `damage` "": it is whole.

    `behind` names the first migration that is missing, `network` the network filesystem it lies on.
    """

    path: str
    writable: bool
    mode: int | None = None
    damage: str = ""
    behind: str = ""
    network: str = ""


def sqlite_version() -> tuple[int, int, int]:
    """Of the library in use."""
    return sqlite.sqlite_version_info


def examine(path: str) -> FileFacts:
    """Raises StorageError when the file cannot be read, is a newer program's or no desk's, or when
    its folder is not there.
    """
    return replace(_examine(path), network=network_of(path))


def _examine(path: str) -> FileFacts:
    file = Path(path)
    if not file.exists():
        see_folder(path)
        return FileFacts(path=path, writable=os.access(file.absolute().parent, os.W_OK | os.X_OK))
    places = (file, file.absolute().parent)
    writable = all(os.access(place, os.W_OK) for place in places)
    mode = file.stat().st_mode & 0o7777
    found: list[FileFacts] = []

    def look(connection: BatchConnection) -> None:
        check(connection, path)
        behind = next((f"{one.number:04} {one.name}" for one in _missing(connection, path)), "")
        found.append(FileFacts(path=path, writable=writable, mode=mode, behind=behind))

    try:
        connect(path, writer=False, start=look).close()
    except StorageCorrupt as error:
        return FileFacts(path=path, writable=writable, mode=mode, damage=str(error))
    return found[0]


def entries(path: str) -> int:
    """How much knowledge is live in the file; 0 in one that is not there, or of an older schema."""
    found = [0]

    def count(connection: BatchConnection) -> None:
        if not _missing(connection, path):
            rows = connection.execute(statements()["kb_count"]).fetchall()
            found[0] = number(rows[0], "entries")

    if Path(path).exists():
        connect(path, writer=False, start=count).close()
    return found[0]


def _missing(connection: BatchConnection, path: str) -> list[Migration]:
    return pending(connection, path, known())
