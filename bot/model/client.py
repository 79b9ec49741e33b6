"""The one place that speaks HTTP to a language model; aiohttp is known nowhere else here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from urllib.request import getproxies

import aiohttp

from bot.clock import Clock
from bot.config import ModelConfig
from bot.errors import (
    ContentBlocked,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    ReplyEmpty,
    TooLong,
)
from bot.model import wire
from bot.model.auth import auth_for
from bot.model.failures import STALE_TOKEN, error_page
from bot.model.patience import Patience, Wait, read_reply
from bot.model.reading import Reading
from bot.model.tokens import Calibration, prompt_tokens, tokens
from bot.model.vitals import Vitals
from bot.types import ChatRequest, ModelDone, ModelEvent, ModelText, ProviderHealth, Usage

_ERROR_BODY_MAX = 64 * 1024
_DRAIN_SECONDS = 0.05
"""How long the end of the body is waited for after [DONE], so that the connection can be kept."""
_KEEP_SECONDS = 30.0


def open_session() -> aiohttp.ClientSession:
    """A session for one provider. How many calls run at once is Paced's business, not its."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=_KEEP_SECONDS),
        trace_configs=[_first_byte_clock()],
        # With it aiohttp asks a thread for the proxy at every request: 0.3 ms CPU each.
        trust_env=bool(getproxies()),
        auto_decompress=True,
    )


def _first_byte_clock() -> aiohttp.TraceConfig:
    """Starts the clock of the first byte when the request has gone out, not when it was begun."""

    async def sent(_session: object, context: SimpleNamespace, _params: object) -> None:
        if (restart := context.trace_request_ctx) is not None:
            restart()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sent)
    return trace


class _Body:
    """A response's bytes, with the transport's errors translated."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._content = response.content

    async def read(self) -> bytes:
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError, EOFError) as error:
            raise ModelUnavailable(f"the connection broke: {error!r}") from error


class HttpModel:
    """One model at one endpoint: a request is one attempt, with no retry but a stale token's.

    Before the first visible text it raises what went wrong; after it ReplyCut or ReplyRetracted.
    Closing the iterator closes the connection, which is how a provider learns to stop.
    """

    def __init__(
        self,
        config: ModelConfig,
        clock: Clock,
        *,
        patience: Patience | None = None,
        session: Callable[[], aiohttp.ClientSession] = open_session,
    ) -> None:
        self.name = config.name
        self.calibration = Calibration()
        self._config = config
        self._clock = clock
        self._patience = patience or Patience()
        self._open_session = session
        self._session: aiohttp.ClientSession | None = None
        self._auth = auth_for(config)
        self._vitals = Vitals(config.name)
        self._limits = aiohttp.ClientTimeout(
            total=None, connect=self._patience.connect, sock_connect=self._patience.connect
        )

    def health(self) -> tuple[ProviderHealth, ...]:
        """From real traffic only."""
        return (self._vitals.health(),)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        started = self._clock.monotonic()
        first: float | None = None
        said: list[str] = []
        try:
            async with aclosing(self._reply(request, started)) as events:
                async for event in events:
                    if type(event) is ModelText:
                        first = first or self._clock.monotonic()
                        said.append(event.delta)
                    elif type(event) is ModelDone:
                        latency = (first or self._clock.monotonic()) - started
                        self._vitals.succeeded(at=self._clock.now(), latency=latency)
                        yield self._accounted(event, request, said)
                        return
                    yield event
        except (ContentBlocked, ReplyEmpty, TooLong):
            self._vitals.alive(at=self._clock.now())
            raise
        except ModelError as error:
            self._vitals.failed(error, at=self._clock.now())
            raise

    async def _reply(
        self, request: ChatRequest, started: float
    ) -> AsyncGenerator[ModelEvent, None]:
        """One reply over one response."""
        whole = False
        response = await self._response(request)
        try:
            reading = Reading(now=self._clock.now())
            wait = Wait(
                self._patience,
                started=started,
                deadline=request.deadline,
                thinking=wire.thinks(self._config, request),
            )
            async with aclosing(read_reply(_Body(response), reading, wait, self._clock)) as events:
                async for event in events:
                    if type(event) is ModelDone:
                        await _drain(response)
                        whole = response.content.at_eof()
                    yield event
        finally:
            if not whole:
                response.close()

    async def _response(self, request: ChatRequest) -> aiohttp.ClientResponse:
        """A 200; a token that is not accepted is signed anew once."""
        try:
            return await self._post(request)
        except ModelRefused as error:
            if error.code not in STALE_TOKEN or not self._auth.renew():
                raise
        return await self._post(request)

    async def _post(self, request: ChatRequest) -> aiohttp.ClientResponse:
        """Raises the provider's refusal, or ModelUnavailable when there is no answer in time."""
        async with self._translated(request) as restart:
            response = await self._opened().post(
                self._config.base_url.rstrip("/") + "/chat/completions",
                data=wire.body(self._config, request),
                headers=self._headers(),
                allow_redirects=False,  # the key is for this host only
                timeout=self._limits,
                trace_request_ctx=restart,
            )
            if response.status == 200:
                return response
            try:
                page = await response.content.read(_ERROR_BODY_MAX)
            finally:
                response.close()
        raise error_page(page, response.status, response.headers, now=self._clock.now())

    @asynccontextmanager
    async def _translated(self, request: ChatRequest) -> AsyncIterator[Callable[[], None]]:
        """The clocks of connecting and of the first byte; aiohttp's errors become ours."""
        loop = asyncio.get_running_loop()
        left = float("inf")
        if request.deadline is not None:
            left = max(0.0, request.deadline - self._clock.monotonic())
        end = loop.time() + left
        patience = self._patience
        timeout = asyncio.timeout(min(patience.connect + patience.first_byte, left))

        def restart() -> None:
            timeout.reschedule(min(loop.time() + patience.first_byte, end))

        try:
            async with timeout:
                yield restart
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise ModelRefused(f"model.base_url: not an address: {error}") from error
        except aiohttp.ConnectionTimeoutError as error:
            raise ModelUnavailable("no connection in time") from error
        except TimeoutError as error:
            raise ModelUnavailable("no first byte in time", code="slow") from error
        except (aiohttp.ClientError, OSError, EOFError, ValueError) as error:
            raise ModelUnavailable(f"the connection broke: {error!r}") from error

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Accept-Language": "en-US,en",  # the language of GLM's error messages
        }
        if auth := self._auth.header(now=self._clock.now(), monotonic=self._clock.monotonic()):
            headers["Authorization"] = auth
        return headers

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._open_session()
        return self._session

    def _accounted(self, done: ModelDone, request: ChatRequest, said: list[str]) -> ModelDone:
        """With our name on it, and with tokens counted by us where the provider told none."""
        estimate = prompt_tokens(request.turns)
        usage = done.usage
        if usage.prompt:
            self.calibration.learn(estimated=estimate, reported=usage.prompt)
        else:
            prompt = self.calibration.apply(estimate)
            completion = usage.completion or tokens("".join(said))
            usage = Usage(prompt=prompt, completion=completion, estimated=True)
        return replace(done, usage=usage, model=self.name)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read the end of the body, if it comes at once: then the connection can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while not response.content.at_eof():
                await response.content.readany()
    except (TimeoutError, aiohttp.ClientError, OSError):
        return
