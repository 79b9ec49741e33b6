"""Deliveries to a webhook as the real server makes them: lanes per chat, and patience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from tests.fakes.telegram.world import Json

if TYPE_CHECKING:
    from tests.fakes.telegram.core import FakeTelegram

BACKOFF_MOST = 20.0
"""Times the first pause."""
ANSWER_SECONDS = 60.0


class Deliveries:
    """Posts each update until a 2xx; the next one of the same chat only after that."""

    def __init__(self, fake: FakeTelegram, session: aiohttp.ClientSession) -> None:
        self._fake = fake
        self._session = session
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._slots: asyncio.Semaphore | None = None

    async def run(self) -> None:
        """Keep a task for each chat with something to deliver."""
        try:
            while True:
                self._start_lanes()
                self._fake.hook_news.clear()
                await self._fake.hook_news.wait()
        finally:
            for task in self._lanes.values():
                task.cancel()
            await asyncio.gather(*self._lanes.values(), return_exceptions=True)

    def _start_lanes(self) -> None:
        if not self._fake.webhook:
            return
        if self._slots is None:
            self._slots = asyncio.Semaphore(self._fake.hook_connections)
        self._fake.forget_unwanted(self._fake.hook_allowed)
        for lane in {lane_of(update) for update in self._fake.queue}:
            if lane not in self._lanes or self._lanes[lane].done():
                self._lanes[lane] = asyncio.create_task(self._serve(lane))

    async def _serve(self, lane: str) -> None:
        pause = self._fake.hook_pause
        while self._fake.webhook:
            update = next((u for u in self._fake.queue if lane_of(u) == lane), None)
            if update is None:
                return
            if await self._deliver(update):
                self._fake.accepted(update)
                pause = self._fake.hook_pause
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, BACKOFF_MOST * self._fake.hook_pause)

    async def _deliver(self, update: Json) -> bool:
        """One attempt. A lost answer counts as none, whatever the receiver did."""
        fake = self._fake
        assert self._slots is not None
        headers = {"X-Telegram-Bot-Api-Secret-Token": fake.hook_secret} if fake.hook_secret else {}
        async with self._slots:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    async with self._session.post(
                        self._target(), json=update, headers=headers
                    ) as response:
                        await response.read()
                        status = response.status
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                fake.hook_error = f"Connection failed: {type(error).__name__}"
                return False
        fake.hook_statuses.append(status)
        if not 200 <= status < 300:
            fake.hook_error = f"Wrong response from the webhook: {status}"
            return False
        return fake.random.random() >= fake.lose

    def _target(self) -> str:
        """Where the proxy before the desk hands requests on to."""
        parts = urlsplit(self._fake.webhook)
        behind = self._fake.proxies.get(f"{parts.scheme}://{parts.netloc}", "http://127.0.0.1:9")
        return behind + parts.path


def lane_of(update: Json) -> str:
    """The chat of an update; one without a chat is a lane of its own."""
    for content in update.values():
        if isinstance(content, dict):
            inner = content.get("message", content)
            chat = inner.get("chat") if isinstance(inner, dict) else None
            if isinstance(chat, dict):
                return str(chat.get("id"))
    return f"update {update.get('update_id')}"


@asynccontextmanager
async def delivering(fake: FakeTelegram) -> AsyncIterator[None]:
    """Deliver for as long as the block lasts, whenever a webhook is set."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=100, force_close=False)
    ) as session:
        task = asyncio.create_task(Deliveries(fake, session).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
