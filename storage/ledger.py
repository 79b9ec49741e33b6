"""One row per answer, as the settlements wrote them."""

from __future__ import annotations

from typing import get_args

from bot.ports import Beside
from bot.types import Gap, LedgerRow, Outcome, Person, PersonId, Route, Usage
from storage.database import Database, Row, Tx
from storage.rows import number, number_or_none, real_or_none, string, word

ASKERS_MAX = 5
"""As many as are read."""
GAPS_MAX = 300
"""Gathered by likeness, which takes the square of this: 300 took 0.12 s at worst."""


class SqlLedger:
    """Ledger over the table of that name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(self, since: int, until: int) -> list[LedgerRow]:
        async def work(tx: Tx) -> list[LedgerRow]:
            rows = await tx.run("ledger_rows", since=since, until=until)
            return [_ledger_row(row) for row in rows]

        return await self._database.read(work)

    async def beside(self, since: int, until: int) -> Beside:
        time = {"since": since, "until": until}

        async def work(tx: Tx) -> Beside:
            verdicts = (await tx.run("verdicts_between", **time))[0]
            return Beside(
                dead=number((await tx.run("dead_between", **time))[0], "dead"),
                good=number(verdicts, "good"),
                bad=number(verdicts, "bad"),
                askers=await _askers(tx, time),
                gaps=await _gaps(tx, time),
            )

        return await self._database.read(work)


def _ledger_row(row: Row) -> LedgerRow:
    return LedgerRow(
        at=number(row, "at"),
        route=word(row, "route", get_args(Route)),
        outcome=word(row, "outcome", get_args(Outcome)),
        total_ms=number(row, "total_ms"),
        first_text_ms=number_or_none(row, "first_text_ms"),
        model=string(row, "model"),
        usage=Usage(
            prompt=number(row, "prompt_tokens"),
            completion=number(row, "completion_tokens"),
            cached=number(row, "cached_tokens"),
            reasoning=number(row, "reasoning_tokens"),
            estimated=bool(number(row, "tokens_estimated")),
        ),
        cost=real_or_none(row, "cost"),
        currency=string(row, "currency"),
        edits=number(row, "edits"),
        throttled=number(row, "throttled"),
        attempts=number(row, "attempts"),
        finish=string(row, "finish"),
        error=string(row, "error"),
        confidence=real_or_none(row, "confidence"),
        cached=bool(number(row, "cached")),
    )


async def _askers(tx: Tx, time: dict[str, int]) -> tuple[tuple[str, int], ...]:
    rows = await tx.run("askers_between", **time, limit=ASKERS_MAX)
    return tuple((_asker(row).listed, number(row, "requests")) for row in rows)


def _asker(row: Row) -> Person:
    return Person(id=PersonId(number(row, "person")), name=string(row, "name"))


async def _gaps(tx: Tx, time: dict[str, int]) -> tuple[Gap, ...]:
    rows = await tx.run("gaps_between", **time, limit=GAPS_MAX)
    return tuple(
        Gap(
            question=string(row, "question"),
            locale=string(row, "locale"),
            confidence=real_or_none(row, "confidence"),
        )
        for row in rows
    )
