"""Durable intake by webhook: 200 only after the row is stored, so that Telegram keeps what is not.

Telegram sends the updates of one chat one after the other, and repeats what was not answered with
2xx, with longer and longer pauses; other chats go on meanwhile.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol

import structlog
from telegram import Bot, WebhookInfo

from adapters.telegram.calls import Call, Calls
from adapters.telegram.polling import ALLOWED_UPDATES, BACKOFF_MOST, BACKOFF_SECONDS, Waiting
from bot.clock import Clock
from bot.config import Secret
from bot.errors import PlatformError, PlatformLocked, StorageError
from bot.ports import HttpReply, HttpRoute, Intake, Sink

PATH = "/telegram/webhook"
"""Where Telegram delivers, below PUBLIC_URL."""
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # the name of a header
CONNECTIONS = 40
"""Deliveries at once; the Bot API's own default."""
BODY_MAX = 1 << 20
LOOK_SECONDS = 600.0
"""How often to look whether the webhook is still ours."""

log = structlog.get_logger(__name__)


def webhook_url(public_url: str) -> str:
    """The address that Telegram is given."""
    return public_url.rstrip("/") + PATH


class Station(Protocol):
    """What the webhook needs of the adapter."""

    def intake(self, raw: bytes) -> Intake:
        """One update as it came, understood or not; never raises."""
        ...

    def stored(self, intakes: Sequence[Intake]) -> None:
        """Told when an update is on disk."""
        ...


class Webhook:
    """Takes deliveries while `run` runs; before and after, they are put off to be sent again."""

    def __init__(
        self,
        bot: Bot,
        calls: Calls,
        station: Station,
        clock: Clock,
        random: Random,
        *,
        secret: Secret,
        url: str,
    ) -> None:
        self._bot = bot
        self._calls = calls
        self._station = station
        self._clock = clock
        self._secret = secret
        self._url = url
        self._waiting = Waiting(clock, random, BACKOFF_SECONDS, BACKOFF_MOST)
        self._sink: Sink | None = None

    def route(self) -> HttpRoute:
        """The one path."""
        return HttpRoute(method="POST", path=PATH, handler=self.take, body_max=BODY_MAX)

    async def take(self, body: bytes, headers: Mapping[str, str]) -> HttpReply:
        """One delivery. What cannot be read is stored as a dead row, and so not sent for ever.

        Raises StorageError: nothing is stored, and Telegram must send it again.
        """
        if not self._knows(headers.get(SECRET_HEADER, "")):
            log.warning("telegram_webhook_stranger", size=len(body))
            return HttpReply(status=401)
        if self._sink is None:
            return HttpReply(status=503, headers={"Retry-After": "1"})
        intake = self._station.intake(body)
        try:
            await self._sink([intake])
        except StorageError as error:
            log.warning("telegram_intake_not_stored", count=1, error=repr(error))
            raise
        self._station.stored([intake])
        return HttpReply()

    def _knows(self, told: str) -> bool:
        """In constant time; without a secret of ours nobody is let in."""
        ours = self._secret.reveal().encode()
        return bool(ours) and hmac.compare_digest(told.encode("utf-8", "replace"), ours)

    async def run(self, sink: Sink) -> None:
        """Have Telegram deliver here until cancelled. Raises PlatformLocked."""
        self._sink = sink
        try:
            await self._set()
            while True:
                await self._clock.sleep(LOOK_SECONDS)
                await self._look()
        finally:
            self._sink = None

    async def _set(self) -> None:
        """Tell Telegram the address; the same again changes nothing. Tried until it works."""
        while True:
            try:
                await self._calls.make(Call(), self._ask)
            except PlatformLocked:
                raise
            except PlatformError as error:
                log.error("telegram_webhook_not_set", url=self._url, error=repr(error))  # noqa: TRY400  # no traceback says more
                await self._waiting.after_failure(error.retry_after or 0.0)
            else:
                self._waiting.reset()
                return

    async def _ask(self) -> bool:
        return await self._bot.set_webhook(
            self._url,
            secret_token=self._secret.reveal(),
            allowed_updates=ALLOWED_UPDATES,
            max_connections=CONNECTIONS,
        )

    async def _look(self) -> None:
        """Set it anew should somebody have taken it away; say so when deliveries fail."""
        try:
            info: WebhookInfo | None = await self._calls.make(
                Call(final=False), self._bot.get_webhook_info
            )
        except PlatformError as error:
            log.info("telegram_webhook_not_seen", error=repr(error))
            return
        if info is not None and info.url != self._url:
            log.warning("telegram_webhook_was_taken", advice="another program uses this token")
            await self._set()
        elif info is not None and info.last_error_message and info.pending_update_count:
            log.warning(
                "telegram_webhook_fails",
                error=info.last_error_message,
                waiting=info.pending_update_count,
            )
