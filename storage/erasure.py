"""What a person said and was told: given to them as a whole, or gone from the file for good.

Deleted cells are zeroed by secure_delete; what the write-ahead log still holds goes when it is
folded back, which is owed until it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from bot.clock import Clock
from bot.types import PersonId
from storage.codec import Undecodable, read_message, read_place
from storage.database import Database, Row, Tx
from storage.rows import number, string
from storage.threads import SEVERAL

JsonObject = dict[str, Any]

FOLD_AGAIN_MS = 86_400_000
"""After an erasure: a message of ours may rest so long before it is sent, and its words go."""
_THEIRS = (
    *("drop_turns", "blank_tickets", "blank_gaps", "drop_their_drafts"),
    *("blank_bans", "blank_person"),
)
"""Statements over columns that name the person."""


@runtime_checkable
class Folds(Protocol):
    """A database with a write-ahead log that can be emptied into the file."""

    async def fold(self) -> bool:
        """Empty the log; False when a reader kept it from that."""
        ...


class SqlExports:
    """Exports over every table that knows a person, and their erasure."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, person: PersonId) -> JsonObject:
        async def work(tx: Tx) -> JsonObject:
            return await _export(tx, person)

        return await self._database.read(work)

    async def erase(self, person: PersonId) -> None:
        """What the person said and was told goes, and is gone from the log beside the file.

        Raises StorageError; what was promised is then kept later, by `fold_if_owed`.
        """
        now = self._clock.now()

        async def work(tx: Tx) -> None:
            await erase(tx, person, now=now)
            await tx.run("add_audit", now=now, actor="cli", action="forget", detail=f"#{person}")

        await self._database.write(work)
        await fold_if_owed(self._database, now=now)


async def _export(tx: Tx, person: PersonId) -> JsonObject:
    who = await tx.run("person_by_id", id=person)
    return {
        "person": _plain(who, ("id", "name", "locale", "role", "quota")),
        "identities": _plain(
            await tx.run("identities_of", person=person),
            ("platform", "account", "user_id", "user_groups"),
        ),
        "conversation": _plain(
            await tx.run("their_turns", person=person), ("key", "role", "name", "text", "said_at")
        ),
        "messages": [
            {"id": number(row, "id"), "received_at": number(row, "received_at"), "text": text}
            for row in await _messages(tx, person)
            if (text := _text(row))
        ],
        "tickets": _plain(
            await tx.run("their_tickets", person=person),
            ("reason", "summary", "opened_at", "closed_at"),
        ),
        "summaries": _plain(
            await tx.run("their_summaries", memory=f"person:{person}"),
            ("key", "summary"),
        ),
        "not_known": _plain(await tx.run("their_gaps", person=person), ("question", "at")),
        "skills": _plain(await tx.run("their_uses", person=person), ("skill", "at")),
        "bans": _plain(await tx.run("their_bans", person=person), ("at", "reason")),
        "feedback": _plain(await tx.run("their_feedback", person=person), ("answer", "good", "at")),
        "answers": _plain(
            await tx.run("their_ledger", person=person),
            ("at", "platform", "route", "outcome", "model", "prompt_tokens", "completion_tokens"),
        ),
    }


def _plain(rows: Sequence[Row], columns: Sequence[str]) -> list[JsonObject]:
    return [{column: row[column] for column in columns} for row in rows]


def _text(row: Row) -> str:
    """The words of a message; none where they are gone already."""
    try:
        return read_message(string(row, "body")).text if row["body"] is not None else ""
    except Undecodable:
        return ""


async def _messages(tx: Tx, person: PersonId) -> list[Row]:
    """What the person sent, under each of their identities."""
    found: list[Row] = []
    for one in await tx.run("identities_of", person=person):
        prefix = f"{string(one, 'platform')}:{string(one, 'account')}:"
        found += await tx.run("their_messages", user_id=one["user_id"], prefix=prefix)
    return found


async def erase(tx: Tx, person: PersonId, *, now: int) -> None:
    """Take away every text of a person; what is still being answered stays till then."""
    messages = await _messages(tx, person)
    theirs = {number(row, "id") for row in messages}
    alone = {
        number(row, "conversation") for row in messages if read_place(string(row, "place")).private
    }
    for row in await tx.run("dead_relays"):
        if row["conversation"] in alone or _source(string(row, "dedupe")) in theirs:
            theirs.add(number(row, "id"))
    await tx.run_many("blank_message", [{"id": one} for one in theirs])
    # What we sent to others may quote anybody, a digest for staff above all; it has done its work.
    await tx.run("blank_relays")
    await tx.run("blank_ban_words")  # the reason in them as well
    spoken = {number(row, "conversation") for row in messages}
    await tx.run_many("blank_signals", [{"conversation": one} for one in spoken])
    await tx.run("blank_summaries", person=person, memory=f"person:{person}")
    await _blank_traces(tx, person)
    await tx.run("blank_broadcasts", person=person, now=now)
    for statement in _THEIRS:
        await tx.run(statement, person=person)
    await tx.run("drop_turns", person=SEVERAL)
    await tx.run("close_forms", person=person, memory="")
    await tx.run("add_erasure", person=person, now=now)


async def _blank_traces(tx: Tx, person: PersonId) -> None:
    """Where no column says whose words they are: refused attempts, and events not understood."""
    name = string((await tx.run("person_by_id", id=person))[0], "name")
    for one in await tx.run("identities_of", person=person):
        actor = f"{string(one, 'platform')}:{string(one, 'account')}/{string(one, 'user_id')}"
        await tx.run("blank_attempts", actor=actor, name=name)
        await tx.run("blank_unread", user_id=one["user_id"])


def _source(dedupe: str) -> int | None:
    """The message whose settlement forwarded this one, as `forward:ID:n` or `alert:ID` tells."""
    kind, _, rest = dedupe.rpartition("|")[2].partition(":")
    first = rest.partition(":")[0]
    return int(first) if kind in ("forward", "alert") and first.isdecimal() else None


async def fold_if_owed(database: Database, *, now: int) -> bool:
    """Empty the log if somebody's words may still be in it; True when nothing is owed any more."""

    async def look(tx: Tx) -> int | None:
        owed = (await tx.run("last_erasure", since=now - FOLD_AGAIN_MS))[0]["id"]
        return owed if isinstance(owed, int) else None

    if (owed := await database.read(look)) is None:
        return True
    if isinstance(database, Folds) and not await database.fold():
        return False

    async def note(tx: Tx) -> None:
        await tx.run("folded", id=owed, now=now)

    await database.write(note)
    return True
