"""Threads with several people in them: who is in exchange with the desk, and what it overhears."""

from __future__ import annotations

from bot.clock import Clock
from bot.types import IncomingMessage, Place
from storage.database import Cell, Database, Tx
from storage.people import enrol
from storage.rows import number, string

PARTY_MS = 30 * 86_400_000
"""An exchange that rested for so long is begun anew by a mention."""
HEARD_MAX = 2_000
"""Characters of one overheard message that are remembered."""
QUIET = "/quiet"
SEVERAL = 0
"""Stands for the person of a turn that holds the words of many: erasing one of them drops it."""


class SqlThreads:
    """Who takes part, over the table party; what arrives and is settled writes it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def party(self, place: Place) -> frozenset[str]:
        """The users who may go on in this thread without a mention; empty: nobody."""
        since = self._clock.now() - PARTY_MS

        async def work(tx: Tx) -> frozenset[str]:
            rows = await tx.run("party", key=place.conversation, since=since)
            return frozenset(string(row, "sender") for row in rows)

        return await self._database.read(work)


def shared(place: Place) -> bool:
    """A thread where people talk to each other as well."""
    return place.thread is not None and not place.private


async def note_addressed(tx: Tx, message: IncomingMessage, *, now: int) -> None:
    """Somebody spoke to the desk in a shared thread: they take part now, or bade it be quiet.

    What was said before the desk was called in joins its memory, if that is still empty.
    """
    conversation = (await tx.run("find_conversation", key=message.place.conversation))[0]["id"]
    if message.text == QUIET:
        await tx.run("end_party", conversation=conversation)
    elif not message.alone:
        sender = message.sender.user
        await tx.run("join_party", conversation=conversation, sender=sender, now=now)
    if message.recalled and message.quoted and not await _remembers(tx, message.place):
        await _remember(
            tx, message.place, message.quoted, name="", person=SEVERAL, at=message.said_at
        )


async def hear(tx: Tx, message: IncomingMessage, columns: dict[str, Cell], *, now: int) -> bool:
    """Keep what was said in a thread, but not to the desk: it is remembered, never answered.

    False when it was heard already. Where nothing was ever said to the desk, nothing is kept.
    """
    rows = await tx.run("find_conversation", key=message.place.conversation)
    if not rows or not await tx.run("add_heard", conversation=rows[0]["id"], **columns):
        return False
    person = await enrol(tx, message.place, message.sender, now=now)
    name = message.sender.name or message.sender.user
    text = message.text[:HEARD_MAX]
    await _remember(tx, message.place, text, name=name, person=person, at=message.said_at)
    return True


async def _remembers(tx: Tx, place: Place) -> bool:
    return bool(await tx.run("remembers", key=place.conversation))


async def _remember(tx: Tx, place: Place, text: str, *, name: str, person: int, at: int) -> None:
    """One more user's turn in what is remembered of a shared conversation."""
    if not text.strip():
        return
    row = (await tx.run("reserve_turns", key=place.conversation, count=1))[0]
    await tx.run(
        "add_turn",
        memory=number(row, "id"),
        seq=number(row, "next_seq") - 1,
        role="user",
        text=text,
        said_at=at,
        name=name,
        tokens=0,
        person=person,
        answer=None,
    )
