"""What an operator does to a desk's file: copies, upgrades, and what was given up.

Reading works beside a running desk; writing is done by it, or by us when none runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.clock import SystemClock
from bot.config import Config
from bot.control import call, socket_path
from bot.errors import DeskDown, StorageCorrupt, UserError
from bot.types import Person, PersonId
from storage import copies, open_stores
from storage.dead import DeadLetter, dead_letter, dead_letters

__all__ = [
    "DeadLetter",
    "backup",
    "forget",
    "letter",
    "letters",
    "migrate",
    "person",
    "requeue",
    "restore",
    "when",
]


_NUMBER_LENGTH = 16
"""Of a person's number with its sign: more digits SQLite may not hold, and nobody has them."""


def when(milliseconds: int, config: Config, shape: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time as the desk's own clock on the wall shows it."""
    zone = ZoneInfo(config.desk.timezone)
    return datetime.fromtimestamp(milliseconds / 1000, zone).strftime(shape)


def _stamped(config: Config, mark: str) -> Path:
    """A name beside the database that says when."""
    path = Path(config.database)
    stamp = when(SystemClock().now(), config, "%Y%m%d-%H%M%S")
    return path.with_name(f"{path.stem}{mark}{stamp}{path.suffix}")


async def backup(config: Config, destination: Path | None) -> Path:
    """A checked copy, beside the database when no place is named; where it is.

    Raises UserError for a place that is taken or is nowhere, StorageError for a database that
    cannot be copied.
    """
    path = destination or _stamped(config, "-")
    if await asyncio.to_thread(path.exists):
        raise UserError("operator.exists", path=str(path))
    if not await asyncio.to_thread(path.parent.is_dir):
        raise UserError("operator.no_folder", path=str(path.parent))
    await asyncio.to_thread(copies.backup, config.database, str(path))
    return path


async def restore(config: Config, source: Path) -> Path | None:
    """Put a checked copy of `source` in place; where the file before it is now, if there was one.

    Raises AlreadyRunning while a desk runs, UserError for a source that is damaged or no database,
    StorageError for one of another program or a newer Frontdesk.
    """
    if await asyncio.to_thread(_same, source, Path(config.database)):
        raise UserError("operator.same_file", path=str(source))
    aside = _stamped(config, "-before-restore-")
    database = config.database
    try:
        kept = await asyncio.to_thread(copies.restore, database, str(source), aside=str(aside))
    except StorageCorrupt as error:
        raise UserError("operator.no_backup", path=str(source)) from error
    return aside if kept else None


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


async def migrate(config: Config) -> list[str]:
    """Bring the schema up to date; the migrations that were applied, by number and name."""
    now = SystemClock().now()
    applied = await asyncio.to_thread(copies.upgrade, config.database, now=now)
    return [f"{one.number:04} {one.name}" for one in applied]


async def letters(config: Config, limit: int) -> list[DeadLetter]:
    """The newest dead letters."""
    stores = await open_stores(config.database, SystemClock(), read_only=True)
    try:
        return await dead_letters(stores.database, limit)
    finally:
        await stores.close()


async def letter(config: Config, number: int) -> DeadLetter:
    """One dead letter. Raises UserError when there is none of this number."""
    stores = await open_stores(config.database, SystemClock(), read_only=True)
    try:
        found = await dead_letter(stores.database, number)
    finally:
        await stores.close()
    if found is None:
        raise UserError("operator.no_letter", number=number)
    return found


async def requeue(config: Config, numbers: Sequence[int] | None) -> list[int]:
    """Put dead letters back into their lines (None: all); those that were.

    Done by the running desk, which then answers at once; else they are answered at the next start.
    """
    try:
        asked = None if numbers is None else list(numbers)
        back: list[int] = await call(socket_path(config.database), "dead_requeue", ids=asked)
    except DeskDown:
        stores = await open_stores(config.database, SystemClock())
        try:
            back = await stores.inbox.requeue(numbers)
        finally:
            await stores.close()
    return back


async def person(config: Config, who: str) -> Person:
    """Whom `who` means: #number as lists show it, or platform:account/id. UserError for nobody."""
    stores = await open_stores(config.database, SystemClock(), read_only=True)
    try:
        if who.startswith("#") and who[1:].isdecimal() and len(who) <= _NUMBER_LENGTH:
            found = await stores.directory.by_number(PersonId(int(who[1:])))
        else:
            platform, _, name = who.partition(":")
            account, _, user = name.rpartition("/")
            found = await stores.directory.by_identity(platform, account, user)
    finally:
        await stores.close()
    if found is None:
        raise UserError("operator.nobody", who=who[:60])
    return found


async def forget(config: Config, number: PersonId) -> None:
    """Erase what this person said and was told; done by the running desk where there is one."""
    try:
        await call(socket_path(config.database), "forget", person=number)
    except DeskDown:
        stores = await open_stores(config.database, SystemClock())
        try:
            await stores.exports.erase(number)
        finally:
            await stores.close()
