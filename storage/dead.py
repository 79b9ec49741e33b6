"""Dead letters: what was given up stays readable, and can be put back into its line."""

from __future__ import annotations

from collections.abc import Sequence

from bot.types import value
from storage.codec import Undecodable, read_message
from storage.database import Database, Row, Tx
from storage.rows import number, number_or_none, string, string_or_none


@value
class DeadLetter:
    """One row that was given up. Times in ms; `text` is what the person said, "" if unreadable.

    `readable` False: it never became a message, so there is nothing that could be tried again.
    """

    id: int
    conversation: str
    origin: str
    error: str
    received_at: int
    buried_at: int | None
    text: str
    sender: str
    raw: str
    readable: bool


async def dead_letters(database: Database, limit: int) -> list[DeadLetter]:
    """The newest, newest first."""

    async def work(tx: Tx) -> list[DeadLetter]:
        return [_letter(row) for row in await tx.run("dead_letters", limit=limit)]

    return await database.read(work)


async def dead_letter(database: Database, id_: int) -> DeadLetter | None:
    """One of them; None when there is none of this number."""

    async def work(tx: Tx) -> DeadLetter | None:
        rows = await tx.run("dead_letter", id=id_)
        return _letter(rows[0]) if rows else None

    return await database.read(work)


async def requeue(tx: Tx, ids: Sequence[int] | None, *, now: int) -> list[int]:
    """Put letters back into their lines, None: all that can be; the ids that were put back.

    The apology that stands where the answer should be is edited into the answer.
    """
    wanted = ids if ids is not None else [number(row, "id") for row in await tx.run("dead_ids")]
    back: list[int] = []
    for id_ in wanted:
        rows = await tx.run("requeue", id=id_)
        if rows:
            await tx.run("wake", id=number(rows[0], "conversation"), now=now)
            back.append(id_)
    return back


def _letter(row: Row) -> DeadLetter:
    text, sender = _said(string_or_none(row, "body"))
    return DeadLetter(
        id=number(row, "id"),
        conversation=string_or_none(row, "conversation") or "",
        origin=string(row, "origin"),
        error=string(row, "error"),
        received_at=number(row, "received_at"),
        buried_at=number_or_none(row, "settled_at"),
        text=text,
        sender=sender,
        raw=string(row, "raw"),
        readable=bool(number(row, "readable")),
    )


def _said(body: str | None) -> tuple[str, str]:
    """Text and sender of a message; nothing for a body that cannot be read."""
    try:
        message = read_message(body or "")
    except Undecodable:
        return "", ""
    return message.text, message.sender.name or message.sender.user
