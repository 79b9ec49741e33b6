"""Broadcasts: a draft, its confirmation, and one row in the line of each person it goes to.

From there on they are messages like any other: leased, paced and settled one by one.
"""

from __future__ import annotations

from dataclasses import replace

from bot.ports import Progress
from bot.types import DraftBroadcast, IncomingMessage, PersonId, Sender, Settlement, StartBroadcast
from storage.arrivals import add_message, dedupe_key, message_row
from storage.codec import read_place
from storage.database import Database, Row, Tx
from storage.rows import number, string

SLICE = 100
"""People put in line in one transaction."""
PER_SECOND = 15
"""Rows that fall due in a second: half of what Telegram lets a bot send to different chats, so
that answers have the other half."""
DRAFT_MS = 15 * 60_000
"""How long a draft may be confirmed."""
UNKNOWNS_SHOWN = 50
ENDED_AT_ONCE = 1000
"""Rows ended in one transaction when a broadcast is stopped: some 8 ms."""
ENDING_MS = 60_000
"""What falls due so soon ends with the word itself; the rest follows before it is due."""

_OURS = Sender(user="frontdesk")


class SqlBroadcasts:
    """Broadcasts over the tables broadcast and broadcast_line."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def draft(self, code: str, person: PersonId, *, at: int) -> str | None:
        async def work(tx: Tx) -> str | None:
            rows = await tx.run("find_draft", code=code, person=person, since=at - DRAFT_MS)
            return string(rows[0], "text") if rows else None

        return await self._database.read(work)

    async def recipients(self) -> int:
        async def work(tx: Tx) -> int:
            return number((await tx.run("count_recipients"))[0], "people")

        return await self._database.read(work)

    async def progress(self, broadcast: int = 0) -> Progress | None:
        async def work(tx: Tx) -> Progress | None:
            rows = await tx.run("last_broadcast", id=broadcast)
            return await _progress(tx, rows[0]) if rows else None

        return await self._database.read(work)

    async def running(self, broadcast: int = 0) -> list[int]:
        async def work(tx: Tx) -> list[int]:
            rows = await tx.run("running_broadcasts", id=broadcast)
            return [number(row, "id") for row in rows]

        return await self._database.read(work)

    async def stop(self, broadcast: int, *, at: int) -> None:
        async def work(tx: Tx) -> None:
            if await tx.run("running_broadcasts", id=broadcast):
                await tx.run("stop_broadcast", id=broadcast, now=at)
                await tx.run("take_back_lines", id=broadcast, now=at)
                await tx.run("end_due_lines", id=broadcast, now=at, before=at + ENDING_MS)

        await self._database.write(work)
        await end_stopped(self._database, now=at)


async def _progress(tx: Tx, row: Row) -> Progress:
    found = number(row, "id")
    fates = {
        string(one, "fate"): number(one, "people")
        for one in await tx.run("broadcast_counts", id=found)
    }
    stopped, waiting = row["stopped_at"] is not None, fates.get("waiting", 0)
    unknowns = await tx.run("broadcast_unknowns", id=found, limit=UNKNOWNS_SHOWN)
    return Progress(
        id=found,
        whole=row["done_at"] is not None,
        stopped=stopped,
        waiting=0 if stopped else waiting,
        sending=fates.get("sending", 0),
        unsent=fates.get("unsent", 0) + number(row, "left_out") + (waiting if stopped else 0),
        delivered=fates.get("delivered", 0),
        failed=fates.get("failed", 0),
        unknown=fates.get("unknown", 0),
        unknowns=tuple((PersonId(number(one, "id")), string(one, "name")) for one in unknowns),
    )


async def apply_broadcast(
    tx: Tx, change: DraftBroadcast | StartBroadcast, settlement: Settlement, *, now: int
) -> None:
    """Keep a draft, or let one go out. A code that was used already starts nothing."""
    match change:
        case DraftBroadcast():
            await tx.run("drop_drafts", before=now - DRAFT_MS)
            who = settlement.person
            await tx.run("add_broadcast", code=change.code, text=change.text, person=who, now=now)
        case StartBroadcast():
            await tx.run("start_broadcast", code=change.code, person=settlement.person, now=now)


async def spread(database: Database, *, now: int) -> int:
    """Put every started broadcast into the lines of all it goes to; how many people that were.

    May be broken off at any point and called again: each slice is one transaction, and a person
    has one row for each broadcast.
    """
    total = 0

    async def work(tx: Tx) -> int | None:
        return await _slice(tx, now=now)

    while (count := await database.write(work)) is not None:
        total += count
    return total


async def _slice(tx: Tx, *, now: int) -> int | None:
    """The next people of the first broadcast that is not whole; None: there is none."""
    rows = await tx.run("broadcast_to_spread")
    if not rows:
        return None
    row = rows[0]
    before = number(row, "sent_to")
    people = await tx.run("next_recipients", reached=row["reached"], slice=SLICE)
    for offset, person in enumerate(people):
        due_at = now + (before + offset) * 1000 // PER_SECOND
        await _put(tx, row, person, now=now, due_at=due_at)
    whole = len(people) < SLICE
    await tx.run(
        "advance_broadcast",
        id=row["id"],
        reached=people[-1]["id"] if people else row["reached"],
        sent_to=before + len(people),
        done_at=now if whole else None,
    )
    return len(people)


async def end_stopped(database: Database, *, now: int) -> None:
    """End the rows of every broadcast that was stopped, where nothing was sent.

    May be broken off at any point and called again, as spreading may.
    """
    reached = 0, 0

    async def work(tx: Tx) -> tuple[int, int] | None:
        return await _end_slice(tx, *reached, now=now)

    while (further := await database.write(work)) is not None:
        reached = further


async def _end_slice(tx: Tx, broadcast: int, after: int, *, now: int) -> tuple[int, int] | None:
    """The rows of the next people; of which broadcast and up to whom that was, None at the end.

    `after` counts for that broadcast alone: another stop may have ended it meanwhile.
    """
    rows = await tx.run("stopped_broadcast")
    if not rows:
        return None
    stopped = number(rows[0], "id")
    after = after if stopped == broadcast else 0
    lines = await tx.run("lines_after", id=stopped, after=after, slice=ENDED_AT_ONCE)
    if not lines:
        await tx.run("close_stopped", id=stopped, now=now)
        return stopped, after
    upto = number(lines[-1], "person")
    await tx.run("end_lines", id=stopped, after=after, upto=upto, now=now)
    return stopped, upto


async def _put(tx: Tx, broadcast: Row, person: Row, *, now: int, due_at: int) -> None:
    """One row in one line."""
    place = replace(read_place(string(person, "home")), thread=None)
    message = IncomingMessage(
        key=f"broadcast:{number(broadcast, 'id')}:{number(person, 'id')}",
        place=place,
        sender=_OURS,
        text=string(broadcast, "text"),
        said_at=now,
        position=now * 1_000_000,
        origin="relay",
    )
    await add_message(tx, message_row(message, None, raw="", now=now, due_at=due_at), place)
    dedupe = dedupe_key(place.conversation, message.key)
    row = (await tx.run("message_id", dedupe=dedupe))[0]
    line = {"broadcast": broadcast["id"], "person": person["id"], "message": row["id"]}
    await tx.run("add_broadcast_line", **line)
