"""What an adapter hands its intakes to, where no database is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.errors import StorageBusy
from bot.ports import Intake
from bot.types import IncomingMessage, Signal


class Store:
    """A sink that keeps what it is given; the first `failures` batches are refused."""

    def __init__(self, failures: int = 0) -> None:
        self.intakes: list[Intake] = []
        self.failures = failures
        self._news = asyncio.Event()

    async def __call__(self, intakes: Sequence[Intake]) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageBusy("locked")
        self.intakes.extend(intakes)
        self._news.set()

    @property
    def messages(self) -> list[IncomingMessage]:
        return [found.message for found in self.intakes if found.message]

    @property
    def signals(self) -> list[Signal]:
        return [found.signal for found in self.intakes if found.signal]

    async def first(self, count: int) -> list[Intake]:
        """All there are, once there are so many."""
        async with asyncio.timeout(20):
            while len(self.intakes) < count:
                self._news.clear()
                await self._news.wait()
        return list(self.intakes)

    async def texts(self, count: int) -> list[str]:
        """The same as texts, empty where an intake has no message."""
        return [found.message.text if found.message else "" for found in await self.first(count)]

    async def said(self, count: int) -> list[IncomingMessage]:
        """The messages, once there are so many."""
        wanted = count
        while len(self.messages) < count:
            await self.first(wanted)
            wanted = len(self.intakes) + 1
        return self.messages
