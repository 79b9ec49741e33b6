"""The fake's second front: the SDK's client calls it without a socket, on any clock."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.adapter import SlackAdapter
from adapters.slack.calls import Calls
from bot.clock import Clock
from bot.config import Secret, SlackConfig
from tests.fakes.slack.core import Call, Refusal, SlackCore
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN

LATENCY = 0.12


class DirectClient(AsyncWebClient):
    """Carries requests to the core; `faults` by number of the call, from 1.

    "unsent": no connection; "lost": carried out, and its answer never came; "500": a proxy's page.
    """

    def __init__(self, core: SlackCore, clock: Clock) -> None:
        super().__init__(token=BOT_TOKEN, retry_handlers=[])
        self.faults: dict[int, str] = {}
        self._core, self._clock = core, clock

    async def _request(self, *, http_verb: str, api_url: str, req_args: Any) -> dict[str, Any]:
        method = api_url.rpartition("/")[2]
        args = req_args.get("json") or req_args.get("params") or {}
        call = Call(len(self._core.calls), method, dict(args), self._clock.monotonic())
        self._core.calls.append(call)
        fault = self.faults.pop(len(self._core.calls), "")
        await self._clock.sleep(LATENCY / 2)
        if fault == "unsent":
            raise aiohttp.ConnectionTimeoutError
        answer = await self._answer(call) if fault != "500" else _told({}, 503)
        await self._clock.sleep(LATENCY / 2)
        call.outcome = fault or call.outcome
        if fault == "lost":
            raise aiohttp.ServerDisconnectedError
        return answer

    async def _answer(self, call: Call) -> dict[str, Any]:
        try:
            found = self._core.do(call.method, call.args)
        except Refusal as refusal:
            call.outcome = refusal.error
            wait = refusal.retry_after
            headers = {} if wait is None else {"Retry-After": str(wait)}
            refused = {"ok": False, "error": refusal.error}
            return _told(refused, 200 if wait is None else 429, headers)
        call.outcome = "ok"
        return _told(found, 200, {"x-oauth-scopes": self._core.scopes})


def _told(
    data: dict[str, Any], status: int, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    return {"data": data, "status_code": status, "headers": headers or {}}


class DirectSlack(SlackAdapter):
    """The adapter without a session; its events are handed over by the test."""

    def __init__(self, core: SlackCore, clock: Clock, streaming: str = "native") -> None:
        bot, app = Secret(BOT_TOKEN), Secret(APP_TOKEN)
        config = SlackConfig(bot_token=bot, app_token=app, streaming=streaming)
        super().__init__(config, clock, random=Random(3))
        self.client = DirectClient(core, clock)

    def _open(self) -> Calls:
        if self._calls is None:
            self._client = self.client
            self._calls = Calls(self.client, self._clock, Random(4))
        return self._calls

    async def run(self, sink: Any) -> None:
        await asyncio.Event().wait()
