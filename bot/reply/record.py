"""What a stream of reply events amounts to: the text, and what becomes true with it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from bot.i18n import catalogue, say
from bot.text.markdown import closed
from bot.types import (
    AnswerId,
    Begin,
    Button,
    ButtonRows,
    Change,
    Done,
    Forward,
    GoOn,
    Grounds,
    Lease,
    LedgerRow,
    Outcome,
    Route,
    Settlement,
    Turn,
    Usage,
    value,
)

Finish = Literal["whole", "truncated", "cut", "stopped"]

_MARKS: dict[Finish, str] = {
    "stopped": "answer.stopped",
    "cut": "answer.cut",
    "truncated": "answer.truncated",
}


@value
class Counts:
    """What the showing of a reply came to. Times in ms."""

    total_ms: int = 0
    first_text_ms: int | None = None
    edits: int = 0
    throttled: int = 0


@value
class Cost:
    """What an answer's tokens cost; None where the price is not known."""

    amount: float | None = None
    currency: str = ""


class Record:
    """Keeps what a stream said besides its growing text."""

    def __init__(self, begin: Begin) -> None:
        self.begin = begin
        self.grounds: Grounds | None = None
        self.done: Done | None = None
        self.forwards: list[Forward] = []
        self.buttons: ButtonRows = ()
        self.said: list[str] = []
        self.retracted = ""
        self.finish: Finish | None = None
        self.earlier = ""

    @property
    def ending(self) -> Finish:
        """How the text ended."""
        if self.finish is not None:
            return self.finish
        return self.done.finish if self.done else "cut"

    @property
    def route(self) -> Route:
        """How the answer came to be, as far as the stream told."""
        if self.done is not None:
            return self.done.route
        return self.grounds.route if self.grounds else "failed"

    @property
    def model(self) -> str:
        """Who wrote it."""
        return (self.done.model if self.done else "") or (
            self.grounds.model if self.grounds else ""
        )

    @property
    def usage(self) -> Usage:
        """What it took."""
        return self.done.usage if self.done else Usage()

    def kept(self, text: str) -> str:
        """The text that stands: of two that were cut off, the longer one."""
        broken = self.ending == "cut" and len(self.earlier) > len(text)
        return (self.earlier if broken else text).strip("\n")

    def shown(self, text: str) -> str:
        """The text with the mark that says how it ended; a sentence of ours where there is none."""
        if self.retracted:
            return say(self.begin.locale, self.retracted)
        mark = say(self.begin.locale, _MARKS[self.ending]) if self.ending in _MARKS else ""
        if text.strip():
            return f"{closed(text)}\n\n{mark}" if mark else text
        stopped = self.ending == "stopped"
        return mark if stopped else say(self.begin.locale, "answer.empty")

    def settlement(
        self,
        lease: Lease,
        text: str,
        *,
        now: int,
        counts: Counts,
        cost: Cost,
        outcome: Outcome | None = None,
    ) -> Settlement:
        """What becomes true. `text` is the answer as history keeps it; `outcome` overrides."""
        settled: Outcome = outcome or (self.done.outcome if self.done else "answered")
        ledger = LedgerRow(
            at=now,
            route=self.route,
            outcome=settled,
            total_ms=counts.total_ms,
            first_text_ms=counts.first_text_ms,
            model=self.model,
            usage=self.usage,
            cost=cost.amount,
            currency=cost.currency,
            edits=counts.edits,
            throttled=counts.throttled,
            attempts=lease.attempt,
            finish=self.ending,
            confidence=self._confidence(),
            cached=self.done is not None and self.done.cached,
        )
        undelivered = settled in ("undeliverable", "superseded")
        return Settlement(
            outcome=settled,
            memory=self.begin.memory,
            person=self.begin.person,
            turns=() if undelivered else self._turns(lease, text, now),
            changes=self._changes(text),
            forwards=tuple(self.forwards),
            ledger=ledger,
        )

    def offered(self, settled: Settlement, answer: AnswerId) -> ButtonRows:
        """What can be pressed under it: also to have the rest, where it broke off and is known."""
        if self.ending not in ("cut", "truncated") or not settled.turns:
            return self.buttons
        more = Button(label="answer.go_on", action=f"/continue {answer}")
        return (*labelled(((more,),), self.begin.locale), *self.buttons)

    def _changes(self, text: str) -> tuple[Change, ...]:
        """Also that an answer has its rest now, however that ended."""
        changes = self.done.changes if self.done else ()
        continued = self.grounds.continues if self.grounds and not self.retracted else None
        return (*changes, GoOn(answer=continued)) if continued and text.strip() else changes

    def _confidence(self) -> float | None:
        if self.done is not None and self.done.confidence is not None:
            return self.done.confidence
        return self.grounds.confidence if self.grounds else None

    def _turns(self, lease: Lease, text: str, now: int) -> tuple[Turn, ...]:
        """Both sides of the exchange, or nothing."""
        answer = text.strip() or "\n\n".join(self.said).strip()
        if self.retracted or not answer or (self.done is not None and not self.done.remember):
            return ()
        asked_at = lease.messages[-1].message.said_at
        return (
            Turn(role="user", text=self.begin.question, said_at=asked_at, name=self.begin.asker),
            Turn(role="assistant", text=answer, said_at=now),
        )


def counted(settlement: Settlement, counts: Counts) -> Settlement:
    """The settlement with its final numbers."""
    if settlement.ledger is None:
        return settlement
    first = settlement.ledger.first_text_ms
    ledger = replace(
        settlement.ledger,
        total_ms=counts.total_ms,
        first_text_ms=counts.first_text_ms if first is None else first,
        edits=counts.edits,
        throttled=counts.throttled,
    )
    return replace(settlement, ledger=ledger)


def labelled(rows: ButtonRows, locale: str) -> ButtonRows:
    """Buttons whose labels are sentences; a label that is no catalogue key stands as it is."""
    sentences = catalogue(locale) if locale in ("en", "zh") else catalogue("en")
    return tuple(
        tuple(Button(label=sentences.get(one.label, one.label), action=one.action) for one in row)
        for row in rows
    )
