"""Answers that broke off: what is needed to go on with them."""

from __future__ import annotations

from typing import get_args

from bot.ports import BrokenOff
from bot.types import AnswerId, MemoryId, Place, Route
from storage.database import Database, Tx
from storage.history import turn_of
from storage.rows import number, number_or_none, string, word

PIECES_MAX = 20
"""Of one answer that broke off again and again."""


class SqlContinuations:
    """Continuations over the tables ledger, turn and continuation; settlements write them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def broken_off(
        self, answer: AnswerId | None, place: Place, memory: MemoryId, *, limit: int
    ) -> BrokenOff | None:
        async def work(tx: Tx) -> BrokenOff | None:
            here = {"memory": memory, "conversation": place.conversation}
            named = answer if answer is not None else await _newest(tx, here)
            return None if named is None else await _found(tx, named, here, limit)

        return await self._database.read(work)


async def _newest(tx: Tx, here: dict[str, str]) -> AnswerId | None:
    rows = await tx.run("newest_answer", **here)
    return AnswerId(number(rows[0], "answer")) if rows else None


async def _found(tx: Tx, answer: AnswerId, here: dict[str, str], limit: int) -> BrokenOff | None:
    """None when it did not break off, or when not all of it is remembered here."""
    rows = await tx.run("broken_off", answer=answer)
    if not rows:
        return None
    first, route, question = answer, word(rows[0], "route", get_args(Route)), ""
    pieces: list[str] = []
    while len(pieces) < PIECES_MAX:
        turns = await tx.run("turns_of_answer", answer=first, **here)
        said = {string(turn, "role"): string(turn, "text") for turn in turns}
        if "assistant" not in said:
            return None
        question = said.get("user", "")
        pieces.insert(0, said["assistant"])
        earlier = await tx.run("earlier_part", answer=first)
        if not earlier:
            break
        first = AnswerId(number(earlier[0], "continues"))
    past = await tx.run("turns_leading_to", memory=here["memory"], answer=first, limit=limit)
    return BrokenOff(
        answer=answer,
        question=question,
        pieces=tuple(pieces),
        past=tuple(turn_of(row) for row in reversed(past)),
        route=route,
        continued=number_or_none(rows[0], "later") is not None,
        stopped=string(rows[0], "finish") == "stopped",
    )
