"""Every store that the contract suites run against, and the short words they share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.ports import Intake
from bot.types import (
    Change,
    Forward,
    IncomingMessage,
    Lease,
    LedgerRow,
    MemoryId,
    Outcome,
    PersonId,
    Place,
    Sender,
    Settlement,
    Signal,
    Turn,
)
from storage import Stores, open_stores, stores
from tests.fakes.inline_database import InlineDatabase, laid

KINDS = ("sqlite file", "sqlite memory", "sqlite inline")
"""PostgreSQL joins here."""


class HandClock:
    """Wall and monotonic time that move when told to."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.pass_(seconds)
        await asyncio.sleep(0)

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.ms += round(seconds * 1000)


@asynccontextmanager
async def opened(kind: str, folder: Path, clock: HandClock) -> AsyncIterator[Stores]:
    """The stores of one kind, empty, closed at the end."""
    if kind == "sqlite inline":
        made = stores(InlineDatabase.open(), clock)
    else:
        file = kind == "sqlite file"
        path = str(laid(folder / "desk.db")) if file else ":memory:"
        made = await open_stores(path, clock)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=KINDS)
async def desk(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Stores]:
    """Empty stores of each kind in turn."""
    async with opened(request.param, tmp_path, clock) as made:
        yield made


def place(channel: str = "1", **more: object) -> Place:
    return Place(platform="fake", account="bot", channel=channel, **more)  # type: ignore[arg-type]


def message(
    position: int,
    text: str = "",
    *,
    channel: str = "1",
    user: str = "ann",
    key: str = "",
    alone: bool = False,
) -> IncomingMessage:
    """A message whose key and text follow its position unless said otherwise."""
    return IncomingMessage(
        key=key or f"m{position}",
        place=place(channel),
        sender=Sender(user=user, name=user.title()),
        text=text or f"text {position}",
        said_at=1,
        position=position,
        alone=alone,
    )


def intake(
    said: IncomingMessage | None = None, *, signal: Signal | None = None, delivery: str = ""
) -> Intake:
    """An event of its own unless `delivery` names one."""
    name = delivery or (f"d-{said.place.channel}-{said.key}" if said else f"s-{signal}")
    return Intake(raw="{}", delivery=name, message=said, signal=signal)


def settlement(
    *said: str,
    outcome: Outcome = "answered",
    changes: tuple[Change, ...] = (),
    forwards: tuple[Forward, ...] = (),
    ledger: LedgerRow | None = None,
    memory: str = "memory",
    person: int = 1,
) -> Settlement:
    """A settlement whose turns alternate between the person and the desk."""
    roles = ("user", "assistant")
    return Settlement(
        outcome=outcome,
        memory=MemoryId(memory),
        person=PersonId(person),
        turns=tuple(
            Turn(role=roles[at % 2], text=text, said_at=at)  # type: ignore[arg-type]
            for at, text in enumerate(said)
        ),
        changes=changes,
        forwards=forwards,
        ledger=ledger,
    )


def texts(lease: Lease) -> list[str]:
    return [received.message.text for received in lease.messages]


async def put(desk: Stores, *messages: IncomingMessage) -> list[bool]:
    return await desk.inbox.put([intake(one) for one in messages])


async def lease_one(desk: Stores, owner: str = "me") -> Lease:
    """The one conversation that is due."""
    [lease] = await desk.inbox.lease(owner)
    return lease


async def drain(
    desk: Stores, owner: str = "me", work: Callable[[Lease], Awaitable[None]] | None = None
) -> list[Lease]:
    """Lease and settle until nothing is due; the leases in order."""
    seen: list[Lease] = []
    while found := await desk.inbox.lease(owner):
        for lease in found:
            seen.append(lease)
            if work is not None:
                await work(lease)
            await desk.inbox.settle(lease, settlement())
    return seen
