"""Durable work, and who is told how it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.ports.platform import Intake
from bot.types import (
    Anchor,
    DurableAnswer,
    IncomingMessage,
    Lease,
    LedgerRow,
    Settlement,
    Signal,
    value,
)


class Observer(Protocol):
    """Is told what happens, to count it. Never raises, never waits; each event is told once."""

    def taken(self, count: int, seconds: float) -> None:
        """Intake: `count` platform events are on disk, `seconds` after they were handed over."""
        ...

    def leased(self, waited: float) -> None:
        """The worker took a lease whose first message had waited this many seconds."""
        ...

    def settled(self, row: LedgerRow) -> None:
        """An answer has its outcome."""
        ...

    def throttled(self) -> None:
        """A platform said 429."""
        ...

    def retried(self) -> None:
        """An attempt failed and the conversation rests for another."""
        ...

    def buried(self) -> None:
        """A message was given up: a dead letter."""
        ...


class NullObserver:
    """Counts nothing."""

    def taken(self, count: int, seconds: float) -> None: ...

    def leased(self, waited: float) -> None: ...

    def settled(self, row: LedgerRow) -> None: ...

    def throttled(self) -> None: ...

    def retried(self) -> None: ...

    def buried(self) -> None: ...


class Inbox(Protocol):
    """Durable work. A conversation is leased, not a message; every write is fenced by the epoch."""

    async def put(self, intakes: Sequence[Intake]) -> list[bool]:
        """Store a batch in one transaction; True for each that was new. Wakes the conversations."""
        ...

    async def put_later(self, message: IncomingMessage, *, due_at: int) -> bool:
        """Store a message that becomes work at `due_at` (ms): a timer. False: known already."""
        ...

    async def lease(self, owner: str, limit: int = 1) -> list[Lease]:
        """The longest-due conversations that nobody holds, each with its first run of messages."""
        ...

    async def renew(self, lease: Lease) -> tuple[Lease, tuple[Signal, ...]]:
        """The lease with its later `until`, and the signals that came. Raises LeaseLost."""
        ...

    async def anchor(self, lease: Lease, anchor: Anchor) -> None:
        """Note what is on screen for the answer. Raises LeaseLost."""
        ...

    async def answer(self, lease: Lease, answer: DurableAnswer) -> None:
        """Write the whole answer down, before its last edit. Raises LeaseLost."""
        ...

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """End the lease: messages done and the settlement true, at once or not at all."""
        ...

    async def rest(self, lease: Lease, *, until: int, error: str, counts: bool = True) -> None:
        """Give the lease back until a wall time (ms): a durable retry.

        `counts` False: this attempt is not held against the message (a platform's ban, a drain).
        """
        ...

    async def bury(self, lease: Lease, settlement: Settlement, *, error: str) -> None:
        """Dead letters: the lease's messages are given up with a reason; the line moves on."""
        ...

    async def take_over(self, owner: str) -> int:
        """At start, when a lock file proves every earlier owner dead: free their leases at once."""
        ...

    async def suspects(self, attempts: int) -> int:
        """Open messages that were attempted so often: one of them may be what kills us."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return when something may be due, or a signal came, or after `seconds`."""
        ...

    async def heed(self, lease: Lease, seconds: float) -> tuple[Signal, ...]:
        """Wait until a signal comes for this conversation, at most `seconds`; take what came."""
        ...

    async def depth(self) -> Depth:
        """How much waits, for health and metrics."""
        ...


@value
class Depth:
    """What the inbox holds now. `oldest_ms` is the age of the longest-waiting due message."""

    waiting: int
    leased: int
    dead: int
    oldest_ms: int
