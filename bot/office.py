"""What the admin pages ask of storage: who may come in, and what is shown there and nowhere else.

Beside the ports because only the pages know it. Times in ms since the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from bot.types import Turn, value

LINK_MS = 10 * 60_000
"""How long a login link is good."""
SESSION_MS = 12 * 3_600_000
"""A working day; whoever stays longer comes in again."""
SEQ_END = (1 << 53) - 1
"""Behind every turn."""


def hashed(token: str) -> str:
    """What is kept of a token. It has 256 random bits, so no salt and no slow hash are needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@value
class Talk:
    """A memory as a line of the list: who spoke there last and what. `person` 0: nobody known."""

    id: int
    key: str
    said_at: int
    person: int
    name: str
    ours: bool
    text: str


@value
class Transcript:
    """A part of a memory, oldest first. `earlier`: the `before` of the part before it, or None."""

    id: int
    key: str
    turns: tuple[Turn, ...]
    earlier: int | None


@value
class TicketRow:
    """A request for a person. `closed_at` None: it is open. `reason` is a catalogue key."""

    id: int
    person: int
    name: str
    conversation: str
    reason: str
    summary: str
    opened_at: int
    closed_at: int | None


class Letter(Protocol):
    """A dead letter; `readable` False: there is nothing that could be tried again."""

    @property
    def id(self) -> int: ...
    @property
    def conversation(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def received_at(self) -> int: ...
    @property
    def buried_at(self) -> int | None: ...
    @property
    def text(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def readable(self) -> bool: ...


class Door(Protocol):
    """Links and sessions. Links are made by settlements only. Tokens come as their hashes."""

    async def knows(self, link: str, *, at: int) -> bool:
        """The link would open now."""
        ...

    async def enter(self, link: str, session: str, *, at: int, until: int) -> str | None:
        """Spend a link for a session; who it is, or None when it does not open (any more)."""
        ...

    async def whose(self, session: str, *, at: int) -> str | None:
        """Who is in with this session."""
        ...

    async def leave(self, session: str) -> None:
        """End a session."""
        ...

    async def empty(self) -> None:
        """End all sessions."""
        ...

    async def note(self, actor: str, action: str, detail: str, *, at: int) -> None:
        """Write an act into the audit."""
        ...


class Files(Protocol):
    """What the pages read, and the little they change beside knowledge."""

    async def talks(self, containing: str, limit: int) -> list[Talk]:
        """The memories where something was last said, or where a text or a name has this."""
        ...

    async def transcript(self, memory: int, limit: int, before: int) -> Transcript | None:
        """The newest `limit` turns with a number below `before`; None: no such memory."""
        ...

    async def tickets(self, limit: int) -> list[TicketRow]:
        """The open ones first."""
        ...

    async def close_ticket(self, ticket: int, *, at: int) -> bool:
        """False: it is not open."""
        ...

    async def letters(self, limit: int) -> Sequence[Letter]:
        """The newest dead letters."""
        ...
