"""Socket Mode: events over a connection that we open, for as long as it lasts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from adapters.slack.calls import Calls
from bot.clock import Clock
from bot.config import Secret
from bot.errors import PlatformBusy, PlatformUnavailable

if TYPE_CHECKING:
    from slack_bolt.app.async_app import AsyncApp

CONNECT_SECONDS = 30.0
"""A socket that has not come up again for so long is thrown away and asked for anew: the SDK goes
on trying an address whose ticket has expired."""

log = logging.getLogger("frontdesk.slack")


class Socket:
    """Connects one app to Slack, again whenever `listen` is called again."""

    def __init__(self, app: AsyncApp, calls: Calls, clock: Clock, ping_seconds: float) -> None:
        self._app = app
        self._calls = calls
        self._clock = clock
        self._ping_seconds = ping_seconds

    async def listen(self, token: Secret) -> None:
        """One Socket Mode client, until it stays without a connection.

        Raises PlatformLocked when the app token is refused.
        """
        from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

        app_token = token.reveal()
        try:
            opened = await self._calls.form("apps.connections.open", {"token": app_token})
        except (PlatformUnavailable, PlatformBusy) as error:
            await self._clock.sleep(error.retry_after or self._ping_seconds)
            return
        handler = AsyncSocketModeHandler(
            self._app,
            app_token,
            web_client=self._app.client,
            ping_interval=self._ping_seconds,
        )
        handler.client.wss_uri = opened["url"]
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await handler.client.connect()  # type: ignore[no-untyped-call]
            await self._until_lost(handler.client)
        except TimeoutError:
            log.warning("no socket to Slack after %s s", CONNECT_SECONDS)
        finally:
            await handler.client.close()  # type: ignore[no-untyped-call]

    async def _until_lost(self, client: Any) -> None:
        """The SDK reconnects by itself; return when it fails to for too long."""
        seen = self._clock.monotonic()
        while self._clock.monotonic() - seen < CONNECT_SECONDS:
            await self._clock.sleep(self._ping_seconds)
            if await client.is_connected():
                seen = self._clock.monotonic()
