"""The one way by which calls leave for Slack: pace, guard, bytes, on each attempt."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp

from adapters.slack.failures import refusal
from adapters.slack.rates import POST, UPDATE, gates
from bot.clock import Clock
from bot.errors import PlatformBusy, PlatformError, PlatformUnavailable
from bot.pace import Gate, Pace
from bot.types import Guard

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

ATTEMPTS = 3
PATIENCE = 30.0
"""Seconds that a final waits for its turn here; after that the conversation rests instead."""
FRAME_PATIENCE = 0.2
"""The same for a frame of a growing answer."""
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5, sock_connect=5, sock_read=20)
_READS = ("conversations.history", "conversations.replies", "users.info", "usergroups.users.list")

Attempt = Callable[[], Awaitable[Mapping[str, Any]]]


def _unguarded() -> None:
    """A call that belongs to no lease."""


class Calls:
    """Calls of one workspace. SDK retries are off: a repeated post is for us to decide."""

    def __init__(self, client: AsyncWebClient, clock: Clock, random: random.Random) -> None:
        self.account = ""
        self.throttled = 0
        self._client = client
        self._clock = clock
        self._random = random
        self._pace = Pace()

    def ready(self, channel: str, *, final: bool, method: str = UPDATE) -> float:
        """When the next call to a channel may leave, in monotonic seconds; a past time: now.

        Most calls are edits, which share the workspace's budget; a ban of the channel's posts
        rests its edits too.
        """
        turn = gates(method, self.account)
        shared = self._pace.ready(turn, now=float("-inf"), final=final)
        return max(shared, self._pace.banned_until(gates(POST, self.account, channel)))

    def free(self, method: str, *, final: bool) -> bool:
        """Whether a call of this method may leave at once."""
        now = self._clock.monotonic()
        return self._pace.ready(gates(method, self.account), now=now, final=final) <= now

    async def call(
        self,
        method: str,
        args: Mapping[str, Any],
        *,
        guard: Guard = _unguarded,
        final: bool = True,
        repeats: bool = True,
    ) -> Mapping[str, Any]:
        """Call a Web API method. `repeats`: to do it twice is as good as once.

        Raises PlatformError, and LeaseLost from `guard`. A non-final is tried once.
        """
        turn = gates(method, self.account, str(args.get("channel", "")))
        reads = method in _READS
        kept = {key: given for key, given in args.items() if given is not None}

        async def attempt() -> Mapping[str, Any]:
            with_body = {"params": kept} if reads else {"json": kept}
            verb = "GET" if reads else "POST"
            return await self._api(method, http_verb=verb, **with_body)

        return await self._run(attempt, turn, guard, final=final, repeats=repeats)

    async def form(self, method: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a method that takes a form only; a `token` in it is used instead of the bot's."""

        async def attempt() -> Mapping[str, Any]:
            return await self._api(method, http_verb="POST", params=dict(args))

        turn = gates(method, self.account)
        return await self._run(attempt, turn, _unguarded, final=True, repeats=True)

    async def post(
        self, url: str, *, guard: Guard, repeats: bool, name: str, **body: Any
    ) -> Mapping[str, Any]:
        """Post to an address that Slack gave us: a response URL (`json`) or an upload (`data`)."""

        async def attempt() -> Mapping[str, Any]:
            return await self._raw_post(url, name, **body)

        turn = gates(name, self.account)
        return await self._run(attempt, turn, guard, final=True, repeats=repeats)

    async def courtesy(self, url: str, **body: Any) -> None:
        """Post to a response URL once, if there is room for it at all. Raises PlatformError."""

        async def attempt() -> Mapping[str, Any]:
            return await self._raw_post(url, "response_url", **body)

        turn = gates("response_url", self.account)
        await self._run(attempt, turn, _unguarded, final=False, repeats=False)

    async def _run(
        self, attempt: Attempt, turn: tuple[Gate, ...], guard: Guard, *, final: bool, repeats: bool
    ) -> Mapping[str, Any]:
        """Attempts until one succeeds, each in its turn and under its guard."""
        for number in range(1, ATTEMPTS + 1):
            last = number == ATTEMPTS or not final
            await self._wait(turn, final=final)
            guard()
            self._pace.take(turn, now=self._clock.monotonic(), final=final)
            try:
                return await attempt()
            except PlatformBusy as busy:
                self.throttled += 1
                self._rest(turn[:1], busy.retry_after or 0.0)
                if last:
                    raise
            except PlatformUnavailable as failed:
                if last or (failed.sent and not repeats):
                    raise
                await self._clock.sleep(self._random.uniform(0.1, 0.5) * 2**number)
        raise AssertionError("the last attempt returns or raises")

    def _rest(self, refused: tuple[Gate, ...], seconds: float) -> None:
        """Obey a 429. For a post only its channel rests: a banned one delays no other."""
        self._pace.refused(refused, now=self._clock.monotonic(), seconds=seconds)

    async def _wait(self, turn: tuple[Gate, ...], *, final: bool) -> None:
        """Until the pace allows the call. Raises PlatformBusy where that is too long a wait.

        All answers of a workspace share its budget. A frame that finds it spent does not queue:
        by its turn it would be stale, and its answer is told to make frames rarer.
        """
        while True:
            now = self._clock.monotonic()
            wait = self._pace.ready(turn, now=now, final=final) - now
            if wait <= 0:
                return
            if wait > (PATIENCE if final else FRAME_PATIENCE):
                raise PlatformBusy(f"{turn[0][0]} is paused", retry_after=wait)
            await self._clock.sleep(wait)

    async def _api(self, method: str, **request: Any) -> Mapping[str, Any]:
        """One request of the SDK's client; its answer with the granted scopes beside it."""
        from slack_sdk.errors import SlackApiError

        try:
            answer = await self._client.api_call(method, **request)
        except SlackApiError as error:
            raise _refused(method, error.response) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _broken(method, error) from None
        data = answer.data if isinstance(answer.data, dict) else {}
        return {**data, "scopes": answer.headers.get("x-oauth-scopes", "")}

    async def _raw_post(self, url: str, name: str, **body: Any) -> Mapping[str, Any]:
        session = self._client.session
        assert session is not None
        try:
            async with session.post(url, **body) as response:
                text = await response.text()
                if response.status == 200:
                    return {}
                wait = _seconds(response.headers.get("Retry-After"))
                word = next((w for w in ("expired_url", "used_url") if w in text), "")
                gone = word or ("expired_url" if response.status in (404, 410) else text[:60])
                raise refusal(name, response.status, gone, wait)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _broken(name, error) from None


def _refused(method: str, response: Any) -> PlatformError:
    """Slack's no, out of the SDK's response or, when its body was no JSON, aiohttp's."""
    data = getattr(response, "data", None)
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if not code and status == 200:
        status = 502  # a page of something in between, not an answer of Slack's
    return refusal(method, status, code, _seconds(response.headers.get("Retry-After")))


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.strip().isdecimal() else None


def _broken(method: str, error: Exception) -> PlatformUnavailable:
    """A connection that failed. Only one that never came to be has surely sent nothing."""
    unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return PlatformUnavailable(f"{method}: {type(error).__name__}", sent=not unsent)
