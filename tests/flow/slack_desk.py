"""What the Slack flow tests share: a running desk beside the fake, and a clock that hurries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from adapters.slack.adapter import SlackAdapter
from adapters.slack.events import nobody
from adapters.slack.normalise import Me, thread_place
from bot.config import Secret, SlackConfig
from bot.types import Frame, Place, RichText
from tests.fakes import store as shelf
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, FakeSlack


class Hand:
    """A clock moved by hand, in seconds."""

    seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


class QuickClock:
    """Runs fifty times as fast as the wall, so that Retry-After costs no test a second."""

    def now(self) -> int:
        return int(time.time() * 1000)

    def monotonic(self) -> float:
        return time.monotonic() * 50

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)


class Store(shelf.Store):
    """A sink, and who is in exchange with the desk in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.party: set[str] = set()

    async def engaged(self, place: Place) -> Collection[str]:
        return self.party


def adapter_for(
    fake: FakeSlack, mode: str, store: Store | None = None, ping_seconds: float = 10.0
) -> SlackAdapter:
    config = SlackConfig(
        bot_token=Secret(BOT_TOKEN),
        app_token=Secret(APP_TOKEN),
        signing_secret=Secret(SIGNING_SECRET),
        api_root=fake.api_root,
        mode=mode,
    )
    party = store.engaged if store else nobody
    return SlackAdapter(
        config,
        QuickClock(),
        random=random.Random(7),
        words=dict.fromkeys(("stats", "help")),
        context=True,
        ping_seconds=ping_seconds,
        party=party,
    )


@asynccontextmanager
async def speaking(fake: FakeSlack) -> AsyncIterator[SlackAdapter]:
    """An adapter that only speaks."""
    adapter = adapter_for(fake, "http")
    await adapter.start()
    yield adapter
    await adapter.close()


@asynccontextmanager
async def mounted(adapter: SlackAdapter) -> AsyncIterator[str]:
    """Our side of the HTTP transport, as bot/web mounts it."""

    async def events(request: web.Request) -> web.Response:
        reply = await adapter.handle_http(await request.read(), request.headers)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    app = web.Application()
    app.router.add_post("/slack/events", events)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/slack/events"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(
    fake: FakeSlack, mode: str, store: Store, **more: Any
) -> AsyncIterator[SlackAdapter]:
    adapter = adapter_for(fake, mode, store, **more)
    await adapter.start()
    task = asyncio.create_task(adapter.run(store))
    try:
        if mode == "http":
            async with mounted(adapter) as url:
                fake.target = url
                yield adapter
        else:
            await asyncio.wait_for(fake.connected.wait(), 5)
            yield adapter
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await adapter.close()


def free() -> None:
    """A lease that never lapses."""


def frame(text: str, *, final: bool = True, **more: Any) -> Frame:
    return Frame(content=RichText(text=text), final=final, **more)


def question_thread(fake: FakeSlack, adapter: SlackAdapter, text: str = "hi") -> Place:
    """A thread that a person began in a channel."""
    fake.target = "http://127.0.0.1:9/"  # nobody listens: these tests only speak
    fake.retries = ()
    ts = fake.say("U1", "C1", text)
    return thread_place(me_of(adapter), "C1", ts)


def me_of(adapter: SlackAdapter) -> Me:
    assert adapter._events
    return adapter._events._me


def count(fake: FakeSlack, method: str) -> int:
    return [call.method for call in fake.core.calls].count(method)


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere; five seconds at most."""
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")
