"""Telegram's webhook on the desk's real listener, behind a proxy that ends the TLS."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import aiohttp

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.webhook import PATH
from bot.clock import SystemClock
from bot.config import HttpConfig, Secret, TelegramConfig
from bot.ports import Depth, Sink
from bot.types import ProviderHealth
from bot.web import Metrics, Readiness, serving
from tests.fakes.telegram import FakeTelegram, serve

PUBLIC = "https://desk.example"
SECRET = "hook-s3cret_A-Z"


class Site:
    """The desk's public listener, with Telegram and a stranger before it."""

    def __init__(self, fake: FakeTelegram, adapter: TelegramAdapter, url: str) -> None:
        self.fake = fake
        self.adapter = adapter
        self.url = url

    async def post(self, body: bytes, secret: str | None = SECRET) -> int:
        """What anybody may try."""
        headers = {"Content-Type": "application/json"}
        if secret is not None:
            headers["X-Telegram-Bot-Api-Secret-Token"] = secret
        async with (
            aiohttp.ClientSession() as client,
            client.post(self.url, data=io.BytesIO(body), headers=headers) as response,
        ):
            return response.status


async def nothing() -> None:
    return


async def no_depth() -> Depth:
    return Depth(waiting=0, leased=0, dead=0, oldest_ms=0)


def no_providers() -> tuple[ProviderHealth, ...]:
    return ()


@asynccontextmanager
async def site(fake: FakeTelegram, store: Sink | None) -> AsyncIterator[Site]:
    """Serve; with a store the adapter runs, without one it is not yet (or no more) taking."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        root = await stack.enter_async_context(serve(fake))
        config = TelegramConfig(
            token=Secret(fake.token), api_root=root, mode="webhook", webhook_secret=Secret(SECRET)
        )
        adapter = TelegramAdapter(config, clock, random=Random(1), public_url=PUBLIC + "/")
        stack.push_async_callback(adapter.close)
        bound = await stack.enter_async_context(
            serving(
                HttpConfig(public="127.0.0.1:0", operator=""),
                [adapter],
                readiness=Readiness(write=nothing, providers=no_providers, clock=clock),
                metrics=Metrics(),
                depth=no_depth,
            )
        )
        fake.proxies[PUBLIC] = f"http://127.0.0.1:{bound.public}"
        task = asyncio.create_task(adapter.run(store)) if store else None
        try:
            yield Site(fake, adapter, f"http://127.0.0.1:{bound.public}{PATH}")
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
