"""The Telegram adapter on the strict fake's wire, on a clock that hurries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from adapters.telegram.adapter import TelegramAdapter
from bot.clock import SystemClock
from bot.config import Secret, TelegramConfig
from bot.types import Frame, Place, RichText
from tests.fakes.store import Store
from tests.fakes.telegram import FakeTelegram, serve


class QuickClock(SystemClock):
    """Real time, but every rest is a thousandth as long, and notes what was asked."""

    def __init__(self) -> None:
        self.rests: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        await asyncio.sleep(min(seconds, 0.002))


def allow() -> None:
    """A guard that always lets go."""


def say(text: str, *, final: bool = True) -> Frame:
    return Frame(content=RichText(text=text), final=final)


@asynccontextmanager
async def desk(fake: FakeTelegram, *, pace: str = "off") -> AsyncIterator[TelegramAdapter]:
    async with serve(fake) as root:
        config = TelegramConfig(token=Secret(fake.token), api_root=root, pace=pace)
        adapter = TelegramAdapter(config, QuickClock(), random=Random(1))
        try:
            yield adapter
        finally:
            await adapter.close()


@asynccontextmanager
async def polling(adapter: TelegramAdapter, store: Store) -> AsyncIterator[None]:
    task = asyncio.create_task(adapter.run(store))
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def place(fake: FakeTelegram, channel: int, thread: str | None = None) -> Place:
    return Place(
        platform="telegram",
        account=str(fake.bot_id),
        channel=str(channel),
        thread=thread,
        private=channel > 0,
    )
