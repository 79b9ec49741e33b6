"""What is old enough goes, in slices that delay nobody."""

from __future__ import annotations

from bot.types import value
from storage.database import Cell, Database, Tx
from storage.erasure import fold_if_owed

SLICE = 500
"""Rows in one transaction."""

DAY_MS = 86_400_000


@value
class Retention:
    """How many days things are kept. `done` must exceed the day that Telegram redelivers for."""

    history: int = 90
    done: int = 7
    dead: int = 30
    signals: int = 7
    party: int = 30


async def prune(database: Database, retention: Retention, *, now: int) -> dict[str, int]:
    """Delete what is past its time; how many rows of each kind went."""
    await fold_if_owed(database, now=now)
    return {
        "done": await _slices(database, "prune_inbox", now, retention.done, state=2),
        "dead": await _slices(database, "prune_inbox", now, retention.dead, state=3),
        "signals": await _slices(database, "prune_signals", now, retention.signals),
        "turns": await _slices(database, "prune_turns", now, retention.history),
        "party": await _slices(database, "prune_party", now, retention.party),
        "continuations": await _slices(database, "prune_continuations", now, retention.done),
        "forms": await _slices(database, "prune_forms", now, retention.signals),
        **{
            kind: await _slices(database, f"prune_{kind}", now, retention.history)
            for kind in ("summaries", "gaps", "tickets", "broadcasts")
        },
    }


async def _slices(database: Database, statement: str, now: int, days: int, **params: Cell) -> int:
    async def work(tx: Tx) -> int:
        before = now - days * DAY_MS
        return len(await tx.run(statement, before=before, slice=SLICE, **params))

    total = gone = await database.write(work)
    while gone == SLICE:
        gone = await database.write(work)
        total += gone
    return total
