"""Durable intake by long polling: store a batch, and only then ask for the next one.

`getUpdates` confirms everything below its offset when it is called, not when it answers. So what
was fetched but not stored is delivered again, and what was stored may come twice.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
import structlog
from telegram import Bot
from telegram.error import Conflict, TelegramError

from adapters.telegram.calls import translated
from adapters.telegram.request import AiohttpRequest
from bot.clock import Clock
from bot.errors import PlatformBusy, PlatformError, PlatformLocked, StorageError
from bot.ports import Intake, Sink

POLL_SECONDS = 45
"""The Bot API caps the timeout at 50 s."""
BATCH = 100
ANSWER_SECONDS = 15.0
"""How much later than the poll's own timeout its answer may come."""
BACKOFF_SECONDS = 0.5
BACKOFF_MOST = 30.0
CONFLICT_SECONDS = 3.0
"""The Bot API answers pollers in conflict once each 3 s."""
CONFLICT_MOST = 60.0
ALLOWED_UPDATES = [
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "stopped_message_generation",
]
"""Those that mean something to us; a server that is too old for one of them ignores its name."""

log = structlog.get_logger(__name__)


def encoded(found: Any) -> str:
    """JSON text; what no UTF-8 can hold stands escaped."""
    try:
        return msgspec.json.encode(found).decode()
    except UnicodeEncodeError:
        return json.dumps(found)


def update_id(update: Any) -> int | None:
    """The id of a decoded update; None where it is no update at all."""
    found = update.get("update_id") if isinstance(update, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


class Waiting:
    """A wait that doubles with each failure in a row, with jitter."""

    def __init__(self, clock: Clock, random: Random, least: float, most: float) -> None:
        self._clock = clock
        self._random = random
        self._least = least
        self._most = most
        self._next = least

    def reset(self) -> None:
        """It works again."""
        self._next = self._least

    async def after_failure(self, at_least: float = 0.0) -> None:
        """Rest, longer than the last time."""
        jittered = self._next * self._random.uniform(0.5, 1.0)
        self._next = min(2 * self._next, self._most)
        await self._clock.sleep(max(at_least, jittered))


class Station(Protocol):
    """What the loop needs of the adapter."""

    def understand(self, update: Any, raw: str) -> Intake:
        """One decoded update, understood or not; never raises."""
        ...

    def stored(self, intakes: Sequence[Intake]) -> None:
        """Told when a batch is on disk."""
        ...


class Polling:
    """The loop. Ends only by cancellation or PlatformLocked."""

    def __init__(
        self, bot: Bot, request: AiohttpRequest, station: Station, clock: Clock, random: Random
    ) -> None:
        self._bot = bot
        self._request = request
        self._station = station
        self._offset: int | None = None
        self._network = Waiting(clock, random, BACKOFF_SECONDS, BACKOFF_MOST)
        self._storage = Waiting(clock, random, BACKOFF_SECONDS, BACKOFF_MOST)
        self._conflict = Waiting(clock, random, CONFLICT_SECONDS, CONFLICT_MOST)

    async def run(self, sink: Sink) -> None:
        """Poll for ever."""
        while True:
            updates = await self._guarded(self._fetch)
            if updates:
                await self._store(updates, sink)

    async def _store(self, updates: list[Any], sink: Sink) -> None:
        """One batch, one transaction; when it fails, the same offset is polled again."""
        intakes = [self._station.understand(update, encoded(update)) for update in updates]
        try:
            await sink(intakes)
        except StorageError as error:
            log.warning("telegram_intake_not_stored", count=len(intakes), error=repr(error))
            await self._storage.after_failure()
            return
        self._storage.reset()
        self._station.stored(intakes)
        if not self._confirm(updates):
            await self._network.after_failure()

    def _confirm(self, updates: list[Any]) -> bool:
        """The next poll confirms this batch; False when nothing in it can be confirmed.

        The batch's own highest id counts even where it is lower than before: ids may start anew
        after a week without updates.
        """
        ids = [found for update in updates if (found := update_id(update)) is not None]
        if ids:
            self._offset = max(ids) + 1
        return bool(ids)

    async def _fetch(self) -> list[Any]:
        asked: dict[str, Any] = {
            "timeout": POLL_SECONDS,
            "limit": BATCH,
            "allowed_updates": encoded(ALLOWED_UPDATES),
        }
        if self._offset is not None:
            asked["offset"] = self._offset
        # Not Bot.get_updates: it parses the batch as one, so a single bad update would block it.
        found = await self._request.post(
            f"{self._bot.base_url}/getUpdates?{urlencode(asked)}",
            read_timeout=POLL_SECONDS + ANSWER_SECONDS,
        )
        return found if isinstance(found, list) else []

    async def _guarded(self, fetch: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        """The batch, or nothing after a failure was waited out. Raises PlatformLocked."""
        try:
            updates = await fetch()
        except Conflict as error:
            await self._in_conflict(error)
        except TelegramError as error:
            await self._failed(translated(error))
        else:
            self._network.reset()
            self._conflict.reset()
            return updates
        return []

    async def _failed(self, error: PlatformError) -> None:
        if isinstance(error, PlatformLocked):
            raise error
        log.warning("telegram_poll_failed", error=repr(error))
        asked = error.retry_after if isinstance(error, PlatformBusy) else None
        await self._network.after_failure(asked or 0.0)

    async def _in_conflict(self, error: Conflict) -> None:
        """409: a webhook is set, or another process polls with our token."""
        if "webhook" in error.message.lower():
            log.warning("telegram_webhook_removed", reason="polling is configured")
            try:
                await self._bot.delete_webhook()
            except TelegramError as failure:
                log.warning("telegram_webhook_stays", error=failure.message)
        else:
            log.error("telegram_second_poller", advice="another instance polls with this token")
        await self._conflict.after_failure()
