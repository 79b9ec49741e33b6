"""Asks an OpenAI-style `/embeddings` endpoint, GLM's embedding-3 among them, for vectors."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from bot.clock import Clock
from bot.config import EmbedderConfig
from bot.errors import ModelError, ModelRefused, ModelUnavailable
from bot.model.auth import Bearer
from bot.model.client import open_session
from bot.model.failures import envelope, error_of, error_page
from bot.model.masking import Vault
from bot.model.retrying import pause, worth_retrying

BATCH = 64
"""Texts in one call: what embedding-3 takes at most (docs.bigmodel.cn, "Embedding-3")."""
TIMEOUT_SECONDS = 30.0
REPLY_MAX = 32 << 20
"""Bytes of a reply: 64 vectors of 4,096 numbers are under 8 MB as text."""


class _Item(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Item]


_DECODER = msgspec.json.Decoder(_Reply)


class HttpEmbedder:
    """`ports.Embedder` over HTTP.

    Texts of the base are asked for again as a model would be; a person waits for a question, so
    that is asked once. `random` gives numbers from 0 to 1. `mask` names kinds of personal numbers
    (masking.KINDS) that questions are sent without.
    """

    batch = BATCH
    batch_chars = 60_000

    def __init__(
        self,
        config: EmbedderConfig,
        clock: Clock,
        *,
        random: Callable[[], float],
        mask: Collection[str] = (),
        session: Callable[[], aiohttp.ClientSession] = open_session,
    ) -> None:
        host = urlsplit(config.base_url).netloc
        self.name = f"{config.name}/{config.dimensions or 'own'}@{host}"
        self._config = config
        self._clock = clock
        self._random = random
        self._mask = mask
        self._open_session = session
        self._session: aiohttp.ClientSession | None = None
        self._auth = Bearer(config.api_key)

    async def embed(self, texts: Sequence[str], *, query: bool) -> list[array[float]]:
        found: list[array[float]] = []
        if query and self._mask:
            texts = [Vault(self._mask, [text]).mask(text) for text in texts]
        for start in range(0, len(texts), BATCH):
            some = texts[start : start + BATCH]
            found += await (self._once(some) if query else self._patiently(some))
        return found

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _patiently(self, texts: Sequence[str]) -> list[array[float]]:
        def stop(state: RetryCallState) -> bool:
            return not worth_retrying(_error(state), state.attempt_number)

        policy = AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_exception(lambda error: isinstance(error, ModelError)),
            wait=lambda state: pause(_error(state), state.attempt_number, self._random),
            stop=stop,
            reraise=True,
        )
        return await policy(self._once, texts)

    async def _once(self, texts: Sequence[str]) -> list[array[float]]:
        """One call. Raises ModelError."""
        async with self._translated():
            response = await self._opened().post(
                self._config.base_url.rstrip("/") + "/embeddings",
                data=self._body(texts),
                headers=self._headers(),
                allow_redirects=False,  # the key is for this host only
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            )
            try:
                body = await _read(response)
            finally:
                response.release()
        if response.status != 200:
            raise error_page(body, response.status, response.headers, now=self._clock.now())
        return self._vectors(body, len(texts))

    def _body(self, texts: Sequence[str]) -> bytes:
        asked: dict[str, object] = {"model": self._config.name, "input": [*map(_sound, texts)]}
        if self._config.dimensions:
            asked["dimensions"] = self._config.dimensions
        return json.dumps(asked, ensure_ascii=False).encode()

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if auth := self._auth.header(now=0, monotonic=0):
            headers["Authorization"] = auth
        return headers

    def _vectors(self, body: bytes, count: int) -> list[array[float]]:
        try:
            items = _DECODER.decode(body).data
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._odd(body, str(error)) from error
        if [item.index for item in items] != [None] * len(items):
            items.sort(key=lambda item: -1 if item.index is None else item.index)
            if [item.index for item in items] != list(range(len(items))):
                raise ModelUnavailable("embeddings with missing or repeated numbers")
        if len(items) != count:
            raise ModelUnavailable(f"{len(items)} embeddings for {count} texts")
        return [self._unit(item.embedding) for item in items]

    def _odd(self, body: bytes, why: str) -> ModelError:
        """What a 200 without embeddings means: an error in disguise, or nothing we know."""
        try:
            failed = envelope(json.loads(body))
        except (ValueError, RecursionError):
            failed = None
        if failed is not None:
            return error_of(failed, now=self._clock.now())
        return ModelUnavailable(f"no embeddings in the reply: {why}")

    def _unit(self, numbers: list[float]) -> array[float]:
        wanted = self._config.dimensions
        if wanted and len(numbers) != wanted:
            raise ModelRefused(
                f"embeddings of {len(numbers)} numbers came where embedder.dimensions asks for "
                f"{wanted}; set it to {len(numbers)}, or to 0 if the model cannot be asked"
            )
        length = math.sqrt(sum(number * number for number in numbers))
        if not 0.0 < length < math.inf:
            raise ModelUnavailable("an embedding without direction")
        return array("f", [number / length for number in numbers])

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """The errors of aiohttp become ours."""
        try:
            yield
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise ModelRefused(f"embedder.base_url: not an address: {error}") from error
        except TimeoutError as error:
            raise ModelUnavailable("no embeddings in time", code="slow") from error
        except (aiohttp.ClientError, OSError, EOFError, ValueError) as error:
            raise ModelUnavailable(f"the connection broke: {error!r}") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._open_session()
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises ModelUnavailable as soon as it is over REPLY_MAX."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > REPLY_MAX:
            response.close()
            raise ModelUnavailable(f"an embeddings reply of over {REPLY_MAX} bytes")
    return bytes(body)


def _sound(text: str) -> str:
    """Text that can be written as UTF-8, and never empty, which embedding-3 refuses."""
    return text.encode("utf-8", "replace").decode() or " "


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
