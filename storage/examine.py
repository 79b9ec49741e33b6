"""Looks at a database file and its disk, beside a running desk too, and leaves all as it was.

Belongs in a thread.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

from bot.errors import StorageCorrupt, StorageFull
from bot.types import value
from storage.batch import BatchConnection
from storage.driver import sqlite
from storage.lock import no_room, see_folder
from storage.migrate import Migration, known, pending
from storage.mounts import network_of
from storage.rows import number
from storage.sqlite import check, connect
from storage.statements import statements

TRIAL_BYTES = 1 << 20
"""Written beside the file and taken back. One exchange takes up to 200 kB of the log (measured),
and what is said of the disk must be true for a few."""


@value
class FileFacts:
    """A database file. `mode` None: there is none yet. `damage` "": it is whole.

    `writable`: something was written beside it, and the file may be. `full`: there was no room for
    it; `free` bytes are left on its disk.

    `behind` names the first migration that is missing, `network` the network filesystem it lies on.
    """

    path: str
    writable: bool = False
    full: bool = False
    free: int = 0
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
    see_folder(path)
    file, folder = Path(path), Path(path).absolute().parent
    # First the file, then the trial: reading takes some of the same room.
    facts = _inside(path) if file.exists() else FileFacts(path=path)
    free, network = shutil.disk_usage(folder).free, network_of(path)
    facts = replace(facts, free=free, network=network)
    # What is left is a running desk's: where it is little, nothing of it is taken for a trial.
    if facts.full or free < TRIAL_BYTES:
        return replace(facts, full=True)
    try:
        _trial(folder)
    except OSError as error:
        return replace(facts, full=isinstance(no_room(path, error), StorageFull))
    return replace(facts, writable=not file.exists() or os.access(file, os.W_OK))


def _trial(folder: Path) -> None:
    """Write something there, onto the disk. Raises OSError."""
    with TemporaryFile(dir=folder, prefix=".frontdesk-") as file:
        file.write(bytes(TRIAL_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _inside(path: str) -> FileFacts:
    """What the file itself tells."""
    mode = Path(path).stat().st_mode & 0o7777
    found: list[FileFacts] = []

    def look(connection: BatchConnection) -> None:
        check(connection, path)
        behind = next((f"{one.number:04} {one.name}" for one in _missing(connection, path)), "")
        found.append(FileFacts(path=path, mode=mode, behind=behind))

    try:
        connect(path, writer=False, start=look).close()
    except StorageCorrupt as error:
        return FileFacts(path=path, mode=mode, damage=str(error))
    except StorageFull:
        return FileFacts(path=path, mode=mode, full=True)
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
