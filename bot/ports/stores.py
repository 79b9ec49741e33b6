"""The stores: people, what was said, what is open, what was counted."""

from __future__ import annotations

from typing import Any, Protocol

from bot.types import (
    AnswerId,
    Await,
    Gap,
    LedgerRow,
    MemoryId,
    Person,
    PersonId,
    Place,
    Role,
    Route,
    Sender,
    Turn,
    value,
)


class People(Protocol):
    """Who is who, over identities."""

    async def person(self, place: Place, sender: Sender) -> Person:
        """The person behind this sender, made when new; the role as stored (blocked or not)."""
        ...

    async def set_role(self, person: PersonId, role: Role) -> None:
        """Block or unblock, or make staff."""
        ...


@value
class Summary:
    """What a memory held up to turn number `through`; `later` turns were said after that."""

    text: str
    through: int
    later: int


@value
class Past:
    """The newest turns of a memory, oldest first, and the summary in use at the same moment."""

    turns: tuple[Turn, ...] = ()
    summary: Summary | None = None


class History(Protocol):
    """What was said, by memory, in order. Turns are added by settlements only."""

    async def last(self, memory: MemoryId, limit: int) -> list[Turn]:
        """The newest `limit` turns since the last fresh start, oldest first."""
        ...

    async def past(self, memory: MemoryId, limit: int) -> Past:
        """The same, with what was said before them in a few sentences, if there is a summary."""
        ...


@value
class Exchange:
    """A question and its answer, as they were said."""

    question: str
    text: str


class Exchanges(Protocol):
    """Past answers, by their number."""

    async def exchange(self, answer: AnswerId, place: Place, memory: MemoryId) -> Exchange | None:
        """What this memory holds of an answer given at this place; None: nothing (any more)."""
        ...


@value
class BrokenOff:
    """An answer that was cut off: its question, the pieces there are of it, and what was said
    before it, oldest first. `continued`: another answer has gone on with it already. `stopped`:
    somebody wanted no more of it.
    """

    answer: AnswerId
    question: str
    pieces: tuple[str, ...]
    past: tuple[Turn, ...]
    route: Route
    continued: bool = False
    stopped: bool = False


class Continuations(Protocol):
    """Answers that broke off."""

    async def broken_off(
        self, answer: AnswerId | None, place: Place, memory: MemoryId, *, limit: int
    ) -> BrokenOff | None:
        """The one named (None: the newest), with at most `limit` turns from before it.

        None: it was not given at this place, or is whole, or this memory does not hold it (any
        more).
        """
        ...


class Summaries(Protocol):
    """What was said long ago, in a few sentences. A fresh start ends its use at once."""

    async def last(self, memory: MemoryId) -> Summary | None:
        """The summary in use."""
        ...

    async def backlog(self, memory: MemoryId) -> int:
        """How many turns no summary covers, at most; those that are gone by now may be counted."""
        ...

    async def uncovered(self, memory: MemoryId, limit: int) -> list[tuple[int, Turn]]:
        """The oldest `limit` turns that no summary covers, with their numbers."""
        ...

    async def put(self, memory: MemoryId, text: str, *, through: int) -> None:
        """Keep it instead of the one before; nothing happens if it was overtaken meanwhile."""
        ...


class Forms(Protocol):
    """Questions of commands to a person that are still open. Written by settlements only."""

    async def open_for(self, memory: MemoryId, person: PersonId, *, at: int) -> Await | None:
        """What a message received `at` (ms) would answer."""
        ...


class Uses(Protocol):
    """How often skills were used. Written by settlements only."""

    async def count(self, person: PersonId, skill: str, *, since: int) -> int:
        """The uses of one skill by one person since then (ms)."""
        ...


class Tickets(Protocol):
    """Open requests for a person. Opened by settlements only."""

    async def open_for(self, person: PersonId, place: Place) -> int | None:
        """The id of this person's open ticket at this place, if there is one."""
        ...


@value
class Spent:
    """What was given lately: answers in the last minute and since the day began, tokens, cost."""

    person_minute: int = 0
    chat_minute: int = 0
    person_day: int = 0
    person_tokens: int = 0
    desk_tokens: int = 0
    desk_cost: float = 0.0


class Spending(Protocol):
    """What is counted against limits. Commands, relays and refusals are free."""

    async def spent(
        self, person: PersonId, place: Place, *, minute: int, day: int, desk: bool
    ) -> Spent:
        """Since `minute` and since `day` (ms); the chat is that of `place`, all threads of it.

        Without `desk` what everybody together took is 0: it is the sum over all of the day's
        answers, and no answer should pay for that while there is no such budget.
        """
        ...


@value
class Banned:
    """Somebody kept out by hand. `at` in ms; None: before that was written down."""

    person: Person
    at: int | None
    reason: str


class Directory(Protocol):
    """People as those who run the desk name them."""

    async def by_identity(self, platform: str, account: str, user: str) -> Person | None:
        """Whom a platform knows by this id."""
        ...

    async def by_number(self, person: PersonId) -> Person | None:
        """By the number that our lists show."""
        ...

    async def by_name(self, name: str) -> list[Person]:
        """Who calls themselves so, whatever the case of letters; at most two."""
        ...

    async def home(self, person: PersonId) -> Place | None:
        """Where this person can be written to alone; None: they never wrote in private."""
        ...

    async def known_as(self, person: PersonId) -> list[tuple[Place, Sender]]:
        """How platforms know this person: where, and as whom, with the groups of users that their
        last message there came with.
        """
        ...

    async def banned(self, limit: int) -> list[Banned]:
        """Who is kept out by a ban, the newest first."""
        ...


@value
class AuditEntry:
    """One act of somebody who runs the desk. `at` in ms since the epoch."""

    at: int
    actor: str
    action: str
    detail: str


class Audits(Protocol):
    """What those who run the desk did. Written by settlements only, beside CLI and pages."""

    async def last(self, limit: int) -> list[AuditEntry]:
        """The newest first."""
        ...


@value
class Progress:
    """How far a broadcast came. `whole`: everybody it goes to has a row. `unknowns` by name.

    `sending` are on their way this moment; `unsent` is who did not get it because it was stopped.
    """

    id: int
    whole: bool
    stopped: bool
    waiting: int
    sending: int
    unsent: int
    delivered: int
    failed: int
    unknown: int
    unknowns: tuple[tuple[PersonId, str], ...] = ()


class Broadcasts(Protocol):
    """Texts to everybody. Drafted and started by settlements only, and stopped at once."""

    async def draft(self, code: str, person: PersonId, *, at: int) -> str | None:
        """The text that this person may send with this code now (ms)."""
        ...

    async def recipients(self) -> int:
        """How many people can be written to."""
        ...

    async def progress(self, broadcast: int = 0) -> Progress | None:
        """Of this one, or of the newest; None: there is no such broadcast."""
        ...

    async def running(self, broadcast: int = 0) -> list[int]:
        """Those that somebody is still to get, oldest first; 0: any of them."""
        ...

    async def stop(self, broadcast: int, *, at: int) -> None:
        """Nobody gets it from now on but whom it is on its way to this moment. Nothing else happens
        to one that has ended. Unlike all else it does not wait for its command's settlement.
        """
        ...


class Exports(Protocol):
    """All that is kept of a person."""

    async def of(self, person: PersonId) -> dict[str, Any]:
        """As plain JSON."""
        ...


@value
class Beside:
    """What a time holds besides its answers: letters given up then, verdicts, questions left open.

    `askers` are the people with the most requests, most first, as name and number of requests.
    """

    dead: int = 0
    good: int = 0
    bad: int = 0
    askers: tuple[tuple[str, int], ...] = ()
    gaps: tuple[Gap, ...] = ()


class Ledger(Protocol):
    """One row per answer. Rows are added by settlements only."""

    async def rows(self, since: int, until: int) -> list[LedgerRow]:
        """Rows with since <= at < until (ms), oldest first."""
        ...

    async def beside(self, since: int, until: int) -> Beside:
        """The rest of that time; of many gaps the newest."""
        ...
