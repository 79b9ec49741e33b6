"""The pipe on virtual time: real worker, delivery, store and adapter; a scripted engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from adapters.telegram.adapter import TelegramAdapter
from bot.clock import Clock
from bot.config import Secret, TelegramConfig
from bot.ports import Adapter, Intake
from bot.reply.deliver import Deliverer
from bot.service import Worker
from bot.types import Begin, Done, Grounds, Lease, MemoryId, PersonId, ReplyEvent, Text, value
from storage.stores import Stores, stores
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import VirtualClock
from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.direct import DirectRequest

Script = Callable[[Lease], AsyncGenerator[ReplyEvent, None]]


def begin(lease: Lease, locale: str = "zh") -> Begin:
    """The first event of a reply to this lease."""
    return Begin(
        locale=locale,
        person=PersonId(1),
        memory=MemoryId(f"memory:{lease.conversation}"),
        question=lease.messages[-1].message.text,
    )


class Written:
    """Streams answers as a model does; notes when each was whole.

    `answers` by question; `rate` deltas a second, of `size` characters each.
    """

    def __init__(self, answers: dict[str, str], *, rate: float = 50.0, size: int = 4) -> None:
        self.answers = answers
        self.ended: dict[str, float] = {}
        self.asked: list[str] = []
        self._rate, self._size = rate, size

    async def __call__(self, lease: Lease) -> AsyncGenerator[ReplyEvent, None]:
        question = lease.messages[-1].message.text
        self.asked.append(question)
        yield begin(lease)
        yield Grounds(route="open")
        text = self.answers[question]
        for start in range(0, len(text), self._size):
            if self._rate:
                await asyncio.sleep(1 / self._rate)
            yield Text(delta=text[start : start + self._size])
        self.ended[question] = asyncio.get_running_loop().time()
        yield Done(route="open")


class Killer:
    """Stops the process at the n-th point: whoever comes there or later never goes on."""

    def __init__(self, at: int = 0) -> None:
        self.passed = 0
        self.dead = asyncio.Event()
        self._at = at

    def strike(self, points: int) -> None:
        """At the n-th point from now."""
        self._at = self.passed + points

    async def point(self) -> None:
        """One of the places where a kill may strike."""
        self.passed += 1
        if self.passed == self._at:
            self.dead.set()
        if self.dead.is_set():
            await asyncio.get_running_loop().create_future()


class MortalRequest(DirectRequest):
    """Dies before a call has left, or after it was carried out and before its answer came."""

    def __init__(self, fake: FakeTelegram, killer: Killer) -> None:
        super().__init__(fake)
        self._killer = killer

    async def do_request(self, url: str, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        quiet = url.rpartition("/")[2].startswith(("getUpdates", "getMe"))
        if not quiet:
            await self._killer.point()
        answer = await super().do_request(url, *args, **kwargs)
        if not quiet:
            await self._killer.point()
        return answer


class MortalDatabase:
    """Dies before or after a transaction."""

    def __init__(self, database: InlineDatabase, killer: Killer) -> None:
        self._database, self._killer = database, killer

    async def write(self, work: Any, /) -> Any:
        await self._killer.point()
        result = await self._database.write(work)
        await self._killer.point()
        return result

    async def read(self, work: Any, /) -> Any:
        return await self._database.read(work)

    async def close(self) -> None:
        """The file outlives the process."""


class ScriptedEngine:
    """Stands where the engine does."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def handle(
        self, lease: Lease, *, deadline: float | None = None
    ) -> AsyncGenerator[ReplyEvent, None]:
        return self._script(lease)

    async def locale(self, lease: Lease) -> str:
        return "zh"


@value
class VirtualDesk:
    """A desk at work and the world it serves."""

    telegram: FakeTelegram
    stores: Stores
    adapter: TelegramAdapter

    async def quiet(self, seconds: float = 600.0) -> None:
        """Until everything said so far has its outcome."""
        await asyncio.sleep(1.0)
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            depth = await self.stores.inbox.depth()
            if not (depth.waiting or depth.leased or self.telegram.queue):
                return
            assert asyncio.get_running_loop().time() < deadline, f"not settled: {depth}"
            await asyncio.sleep(0.5)


def worker_over(
    script: Script, kept: Stores, adapter: Adapter, clock: Clock, owner: str = "one"
) -> Worker:
    """The real worker and delivery, for one platform; the script stands where the engine does."""
    engine: Any = ScriptedEngine(script)
    return Worker(
        kept.inbox,
        kept.people,
        engine,
        Deliverer(kept.inbox, clock),
        {adapter.platform: adapter},
        clock=clock,
        owner=owner,
        concurrent=64,
        staff=None,
        locale="zh",
        random=Random(2),
    )


@asynccontextmanager
async def virtual_desk(
    script: Script,
    telegram: FakeTelegram,
    *,
    pace: str = "official",
    streaming: str = "edits",
    database: InlineDatabase | None = None,
    killer: Killer | None = None,
    owner: str = "one",
    takes_over: bool = False,
) -> AsyncIterator[VirtualDesk]:
    """Serve until the block is left. `takes_over`: every earlier owner is known to be dead."""
    clock, killer = VirtualClock(), killer or Killer()
    base = database or InlineDatabase.open()
    kept = stores(MortalDatabase(base, killer), clock)
    config = TelegramConfig(token=Secret(telegram.token), pace=pace, streaming=streaming)
    request = MortalRequest(telegram, killer)
    adapter = TelegramAdapter(config, clock, random=Random(1), request=request)
    if takes_over:
        await kept.inbox.take_over(owner)
    worker = worker_over(script, kept, adapter, clock, owner)

    async def sink(intakes: Sequence[Intake]) -> None:
        await kept.inbox.put(intakes)

    tasks = [asyncio.create_task(adapter.run(sink)), asyncio.create_task(worker.run())]
    try:
        yield VirtualDesk(telegram=telegram, stores=kept, adapter=adapter)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if database is None:
            await base.close()


def fake(*, flood: bool = True, **options: Any) -> FakeTelegram:
    """A Telegram on virtual time."""
    return FakeTelegram(clock=VirtualClock(), flood=flood, **options)
