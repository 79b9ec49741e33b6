"""Every adapter with a platform under it, for the contract suite.

To join: write a class that satisfies `Stage` and add its opener to STAGES. What a platform has no
notion of (a terminal bans nobody) is left out of `faults`, and those laws are skipped for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Literal, Protocol

from adapters.telegram.adapter import TelegramAdapter
from bot.clock import SystemClock
from bot.config import Secret, TelegramConfig
from bot.ports import Adapter
from bot.types import Place
from tests.contract.console_stage import console_pipe, console_screen
from tests.contract.slack_stage import slack_http, slack_socket
from tests.fakes.telegram import FakeTelegram, serve
from tests.fakes.telegram.core import Fault as TelegramFault
from tests.flow.hooked import site

Fault = Literal["lose send", "lose edit", "ban", "block", "redeliver"]
"""lose: the call takes effect, its answer is lost, once. ban: flood control for 300 s.
block: we may not write there. redeliver: the last thing said comes in once more."""


class Stage(Protocol):
    """An adapter, two conversations, and hands to do what people, networks and platforms do.

    Where a platform has one conversation only (a terminal), `there` is `here`.
    """

    adapter: Adapter
    faults: frozenset[Fault]
    here: Place
    there: Place

    async def say(self, place: Place, text: str) -> None:
        """A person says this, directed at the desk."""
        ...

    def screen(self, place: Place) -> list[str]:
        """What stands there of ours now, from top to bottom."""
        ...

    async def cause(self, fault: Fault, place: Place) -> None:
        """Let it happen from now on (or once, see Fault)."""
        ...


Opener = Callable[[], AbstractAsyncContextManager[Stage]]


class TelegramStage:
    """The real library against the strict fake, over HTTP."""

    faults: frozenset[Fault] = frozenset({"lose send", "lose edit", "ban", "block", "redeliver"})

    def __init__(self, fake: FakeTelegram, adapter: TelegramAdapter) -> None:
        self.fake = fake
        self.adapter: Adapter = adapter
        self.here, self.there = (self._place(user) for user in (11, 12))

    def _place(self, user: int) -> Place:
        chat = self.fake.private(user)
        return Place(
            platform="telegram",
            account=str(self.fake.bot_id),
            channel=str(chat.id),
            private=True,
        )

    async def say(self, place: Place, text: str) -> None:
        self.fake.say(self.fake.chats[int(place.channel)], text)

    def screen(self, place: Place) -> list[str]:
        return self.fake.screen(self.fake.chats[int(place.channel)])

    async def cause(self, fault: Fault, place: Place) -> None:
        chat = self.fake.chats[int(place.channel)]
        lost: list[TelegramFault] = ["lose"]
        match fault:
            case "lose send":
                self.fake.method_faults["sendMessage"] = lost
            case "lose edit":
                self.fake.method_faults["editMessageText"] = lost
            case "ban":
                assert self.fake.flood is not None
                self.fake.flood.ban(chat.id, self.fake.clock.monotonic(), 300)
            case "block":
                chat.blocked = True
            case "redeliver":
                async with asyncio.timeout(10):
                    while not self.fake.delivered:
                        await asyncio.sleep(0.01)
                self.fake.queue.insert(0, self.fake.delivered[-1])
                self.fake.news.set()
                self.fake.hook_news.set()


@asynccontextmanager
async def telegram() -> AsyncIterator[Stage]:
    """Telegram by long polling, paced as against the real one."""
    fake = FakeTelegram()
    async with serve(fake) as root:
        config = TelegramConfig(token=Secret(fake.token), api_root=root)
        adapter = TelegramAdapter(config, SystemClock(), random=Random(1))
        try:
            yield TelegramStage(fake, adapter)
        finally:
            await adapter.close()


@asynccontextmanager
async def telegram_webhook() -> AsyncIterator[Stage]:
    """Telegram delivering to the desk's listener; calls go out as ever."""
    fake = FakeTelegram()
    async with site(fake, None) as here:
        yield TelegramStage(fake, here.adapter)


STAGES: dict[str, Opener] = {
    "console pipe": console_pipe,
    "console screen": console_screen,
    "slack http": slack_http,
    "slack socket": slack_socket,
    "telegram": telegram,
    "telegram webhook": telegram_webhook,
}
