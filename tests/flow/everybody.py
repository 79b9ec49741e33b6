"""People who know a desk on virtual time, and a broadcast to all of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bot.config import Config, DeskConfig
from bot.desk import build_engine
from bot.ports import Progress
from storage.stores import stores
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.scripted import ScriptedModel
from tests.fakes.telegram.core import FakeTelegram
from tests.flow.spoken import ADMIN, desk_over
from tests.flow.virtual_desk import Killer, MortalDatabase, VirtualDesk, virtual_desk

TEXT = "We are closed on Monday, all day."
FIRST = 101
"""The id of the first who gets it."""


class Stage:
    """People who know the desk, and a broadcast that needs only its confirmation."""

    def __init__(self, telegram: FakeTelegram, people: int = 5) -> None:
        self.telegram = telegram
        self.database = InlineDatabase.open()
        self.owner = telegram.private(int(ADMIN), "Owner")
        self.chats = [
            telegram.private(user, f"User {user}") for user in range(FIRST, FIRST + people)
        ]
        self._runs = 0

    @asynccontextmanager
    async def serving(self, killer: Killer | None = None) -> AsyncIterator[VirtualDesk]:
        """The real engine in the pipe, over the same file each time."""
        clock = VirtualClock()
        config = Config(desk=DeskConfig(answers="strict"), admins=frozenset({f"telegram:{ADMIN}"}))
        mortal = MortalDatabase(self.database, killer) if killer else self.database
        desk = desk_over(stores(mortal, clock), config, ScriptedModel(), clock)
        engine, _ = await build_engine(desk)
        self._runs += 1
        async with virtual_desk(
            engine.handle,
            self.telegram,
            database=self.database,
            killer=killer,
            owner=str(self._runs),
            takes_over=killer is None,
        ) as serving:
            yield serving

    async def prepared(self) -> str:
        """Everybody has said hello, the text was shown; the code that lets it go."""
        async with self.serving() as desk:
            for chat in (*self.chats, self.owner):
                self.telegram.say(chat, "/start")
            await desk.quiet()
            self.telegram.say(self.owner, f"/broadcast {TEXT}")
            await desk.quiet()
        shown = "\n".join(self.telegram.screen(self.owner))
        found = re.search(r"/broadcast send (\d{6})", shown)
        assert found, shown
        return found[1]

    async def begun(self, code: str) -> None:
        """Let it go; returns when the first has it."""
        self.telegram.say(self.owner, f"/broadcast send {code}")
        while not sum(self.got()):
            await asyncio.sleep(0.01)

    def got(self) -> list[int]:
        """How often it stands in each person's chat."""
        return [self.telegram.screen(chat).count(TEXT) for chat in self.chats]

    async def progress(self) -> Progress:
        found = await stores(self.database, VirtualClock()).broadcasts.progress()
        assert found is not None
        return found


async def dies(desk: VirtualDesk, killer: Killer) -> bool:
    """Wait until everything has its outcome or the process is dead; whether it is that."""
    quiet = asyncio.create_task(desk.quiet())
    dead = asyncio.create_task(killer.dead.wait())
    await asyncio.wait((quiet, dead), return_when=asyncio.FIRST_COMPLETED)
    died = killer.dead.is_set()
    for task in (quiet, dead):
        task.cancel()
    await asyncio.gather(quiet, dead, return_exceptions=True)
    return died


def swept(killed_at: Callable[[int], Coroutine[Any, Any, bool]]) -> int:
    """Kill at each point in turn until there is none any more; how many there were."""
    point = 1
    while run_virtual(killed_at(point)):
        point += 1
    print(f"{point - 1} points")
    return point - 1
