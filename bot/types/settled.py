"""What becomes true together with an answer: turns, the ledger's row, the settlement."""

from __future__ import annotations

from typing import Literal

from bot.types.changes import Change
from bot.types.events import Forward, Route, Usage
from bot.types.places import MemoryId, PersonId
from bot.types.values import value


@value
class Turn:
    """One thing said, by either side, as history keeps it. Times in ms since the epoch."""

    role: Literal["user", "assistant"]
    text: str
    said_at: int
    name: str = ""
    tokens: int = 0


Outcome = Literal["answered", "declined", "undeliverable", "superseded"]


@value
class LedgerRow:
    """One answer in numbers. Times in ms; `at` since the epoch; None where it does not apply."""

    at: int
    route: Route
    outcome: Outcome
    total_ms: int
    first_text_ms: int | None = None
    model: str = ""
    usage: Usage = Usage()
    cost: float | None = None
    currency: str = ""
    edits: int = 0
    throttled: int = 0
    attempts: int = 1
    finish: str = "whole"
    error: str = ""
    confidence: float | None = None
    cached: bool = False


@value
class Settlement:
    """How a lease ends: one transaction, fenced by the epoch.

    `memory` and `person` say whose history `turns` join. `forwards` become inbox rows of the
    places they go to. `covers` are keys of further messages of the conversation that this ends
    as superseded: a /stop that did its work needs no answer of its own.
    """

    outcome: Outcome
    memory: MemoryId
    person: PersonId
    turns: tuple[Turn, ...] = ()
    changes: tuple[Change, ...] = ()
    forwards: tuple[Forward, ...] = ()
    ledger: LedgerRow | None = None
    covers: tuple[str, ...] = ()
