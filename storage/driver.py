"""The SQLite library in use, how a connection is set up, and what its errors mean in the house.

pysqlite3 is preferred where it is installed: it brings a SQLite without the WAL-reset bug, which
every version from 3.7.0 to 3.51.2 has.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import StorageBusy, StorageCorrupt, StorageError, StorageFull

if TYPE_CHECKING:
    import sqlite3 as sqlite
else:
    try:
        import pysqlite3.dbapi2 as sqlite
    except ImportError:
        import sqlite3 as sqlite

__all__ = [
    "BUSY_MS",
    "MEMORY",
    "SAFE_VERSION",
    "prepare",
    "sqlite",
    "target",
    "translate",
]

MEMORY = ":memory:"
"""The name of a database that lives and dies with its connection."""

SAFE_VERSION = (3, 51, 3)
"""The first without the WAL-reset bug; below it, no second program may write or checkpoint."""

BUSY_MS = 5000
"""How long to wait for an outside tool's lock before giving up."""

WRITER_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    "journal_size_limit = 67108864",
    "foreign_keys = ON",
)
READER_PRAGMAS = ("query_only = ON",)
SHARED_PRAGMAS = (
    f"busy_timeout = {BUSY_MS}",
    "cache_size = -4000",
    "temp_store = MEMORY",
    "trusted_schema = OFF",
    "mmap_size = 0",
)

_PRIMARY = 0xFF
"""An extended result code carries its primary one in the low byte (sqlite.org/rescode.html)."""
_INDEX_BYTES = 32768
"""What the log's index takes at first (sqlite.org/walformat.html). Where it finds no room SQLite
speaks of an I/O error, and of a full disk only where the file itself finds none."""


def target(path: str, *, read_only: bool) -> str:
    """The URI that opens `path`; special characters in the path mean themselves."""
    if path == MEMORY:
        return "file::memory:"
    mode = "ro" if read_only else "rwc"
    return f"{Path(path).absolute().as_uri()}?mode={mode}"


def prepare(connection: sqlite.Connection, *, writer: bool) -> None:
    """Set the pragmas of DESIGN 8 and give rows column names."""
    connection.row_factory = sqlite.Row
    for pragma in SHARED_PRAGMAS + (WRITER_PRAGMAS if writer else READER_PRAGMAS):
        connection.execute(f"PRAGMA {pragma}").close()


def translate(error: sqlite.Error, path: str) -> StorageError | None:
    """Our error for one of SQLite's; None for a mistake in our own SQL, which flies as it is."""
    if not isinstance(error, sqlite.DatabaseError) or isinstance(
        error, sqlite.ProgrammingError | sqlite.IntegrityError
    ):
        return None
    code: int = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY
    match code:
        case 5 | 6:  # SQLITE_BUSY, SQLITE_LOCKED
            return StorageBusy(f"{path} is locked by another program; it is tried again")
        case 7:  # SQLITE_NOMEM
            return StorageBusy(f"no memory left to work on {path}")
        case 10 if not _full(path):  # SQLITE_IOERR
            return StorageError(f"the disk failed while using {path}: {error}")
        case 10 | 13:  # SQLITE_FULL
            return StorageFull(f"the disk that holds {path} is full; free some space on it")
        case 11 | 26:  # SQLITE_CORRUPT, SQLITE_NOTADB
            return StorageCorrupt(
                f"{path} is damaged or no database ({error}); stop the desk, keep the file, "
                "restore a backup"
            )
        case 8:  # SQLITE_READONLY
            return StorageError(f"{path} may not be written; check its owner and rights")
        case 14:  # SQLITE_CANTOPEN
            return StorageError(f"{path} cannot be opened; check that it and its folder exist")
    return None


def _full(path: str) -> bool:
    """Whether the disk has no room for an index."""
    try:
        return shutil.disk_usage(Path(path).absolute().parent).free <= _INDEX_BYTES
    except OSError:
        return False
