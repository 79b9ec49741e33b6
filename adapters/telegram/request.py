"""python-telegram-bot's transport over aiohttp: one session for hundreds of long calls.

No exception raised here carries a URL: file and method URLs contain the bot's token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.request import getproxies

import aiohttp
import msgspec
import telegram
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

CONNECTIONS = 512
"""Calls under way at once; a call beyond that waits for a connection, not for a chat."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
WRITE_SECONDS = 20.0
UPLOAD_SECONDS = 120.0
KEEP_ALIVE_SECONDS = 30.0
"""Below the idle limit of the Bot API's front (60 s), so that it rarely hangs up under our pen."""
FOUND = 200
SERVER_FAILS = 500
TOO_MANY = 429
RETRY_SECONDS = 5.0
"""The wait when a 429 comes without `retry_after`, as a proxy in between may send it."""

_EDIT, _SEND, _DONE = "/editMessageText", "/sendMessage", b'{"ok":true,"result":true}'
_OK = re.compile(rb'\s*\{\s*"ok"\s*:\s*true\s*,')
"""The answer to an edit repeats what we sent. The library's object of it would cost as much CPU as
the call, so it is told what it is told for inline messages: done."""


class _Message(msgspec.Struct):
    message_id: int


class _Posted(msgspec.Struct):
    """What is read of the answer to a message of ours: the rest, too, only repeats what we sent."""

    ok: bool
    result: _Message


_posted_decoder = msgspec.json.Decoder(_Posted)
_posted: ContextVar[int | None] = ContextVar("posted", default=None)


class NotSent(NetworkError):
    """No byte of the request left: it surely had no effect."""


class Flooded(TelegramError):
    """429: wait `seconds` before the next call to this chat."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"flood control exceeded, retry in {seconds:g} s")
        self.seconds = seconds


def _given(seconds: Any, default: float) -> float:
    """The library passes numbers, None for "no limit", or its marker for "your default"."""
    if seconds is BaseRequest.DEFAULT_NONE:
        return default
    return float(seconds) if seconds is not None else UPLOAD_SECONDS


class AiohttpRequest(BaseRequest):
    """Requests over one aiohttp session, opened with the first of them."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return READ_SECONDS

    async def initialize(self) -> None:
        """Open the session; safe to repeat."""
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=300
            )
            # With trust_env aiohttp asks a thread for the proxy at every request: 0.3 ms CPU each.
            self._session = aiohttp.ClientSession(connector=connector, trust_env=bool(getproxies()))

    async def shutdown(self) -> None:
        """Close the session; safe to repeat."""
        if self._session is not None:
            await self._session.close()

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The decoded answer; unlike the library's, it does not log what it could not read."""
        try:
            decoded = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decoded = _leniently(payload)
        if not isinstance(decoded, dict):
            raise TelegramError("the server's answer is no JSON object")
        return decoded

    async def do_request(  # noqa: PLR0917 - the library decides on this signature
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Status and body. Raises NotSent, TimedOut or NetworkError (unknown outcome), Flooded."""
        await self.initialize()
        upload = bool(request_data and request_data.contains_files)
        connect = _given(connect_timeout, CONNECT_SECONDS)
        read = _given(read_timeout, READ_SECONDS)
        write = _given(write_timeout, UPLOAD_SECONDS if upload else WRITE_SECONDS)
        limits = _limits(connect, read, write, upload=upload)
        status, body, hint = await self._exchange(method, url, _body(request_data), limits)
        if status == TOO_MANY:
            raise Flooded(retry_seconds(body, hint))
        return status, _shortened(url, body) if status == FOUND else body

    async def download(self, url: str, most: int) -> bytes | None:
        """A file; None when it is larger than `most` bytes, or gone. Raises NotSent, TimedOut or
        NetworkError.
        """
        await self.initialize()
        assert self._session is not None
        limits = aiohttp.ClientTimeout(
            total=UPLOAD_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
        )
        with _translated():
            async with self._session.get(url, timeout=limits) as response:
                if response.status >= SERVER_FAILS:
                    raise NetworkError(f"no file: status {response.status}")
                if response.status != FOUND:
                    return None
                return await _at_most(response.content, most)

    async def _exchange(
        self, method: str, url: str, body: dict[str, Any], limits: aiohttp.ClientTimeout
    ) -> tuple[int, bytes, str]:
        assert self._session is not None
        with _translated():
            async with self._session.request(method, url, timeout=limits, **body) as response:
                hint = response.headers.get("Retry-After", "")
                return response.status, await response.read(), hint


@lru_cache(maxsize=16)  # most calls have the same
def _limits(connect: float, read: float, write: float, *, upload: bool) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=connect + read + write,
        connect=connect,
        sock_connect=connect,
        sock_read=read + write if upload else read,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """The network's errors as the library's; none of them tells the address."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NotSent(f"no connection: {type(error).__name__}") from None
    except aiohttp.InvalidURL:
        raise NotSent("the address of the Bot API is no URL") from None
    except (TimeoutError, aiohttp.ServerTimeoutError):
        raise TimedOut("no answer in time") from None
    except (aiohttp.ClientError, OSError) as error:
        raise NetworkError(f"the connection broke: {type(error).__name__}") from None


async def _at_most(content: aiohttp.StreamReader, most: int) -> bytes | None:
    """All of it; None as soon as it is more than `most` bytes."""
    found = bytearray()
    async for piece in content.iter_any():
        found += piece
        if len(found) > most:
            return None
    return bytes(found)


def _shortened(url: str, body: bytes) -> bytes:
    """An answer to our own text without that text; as it came when it is anything else."""
    if url.endswith(_EDIT):
        return _DONE if _OK.match(body) else body
    if url.endswith(_SEND):
        try:
            _posted.set(_posted_decoder.decode(body).result.message_id)
        except msgspec.DecodeError:
            return body
        return _DONE
    return body


def posted(told: object) -> int | None:
    """The number of the message that this task has just posted; `told`: what the library gave.

    None when the server took it and told no number. It is told once: no other message has it.
    """
    number = _posted.get()
    _posted.set(None)
    return told.message_id if isinstance(told, telegram.Message) else number


def _leniently(payload: bytes) -> Any:
    """What strict JSON refuses and no batch must die of: lone surrogates, huge numbers."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _body(data: RequestData | None) -> dict[str, Any]:
    """What aiohttp needs to send these parameters: JSON, or a form where files are among them."""
    if data is None:
        return {}
    if not data.contains_files:
        return {
            "data": msgspec.json.encode(data.parameters),
            "headers": {"Content-Type": "application/json"},
        }
    # Unquoted: percent signs in a file name would be shown to the person.
    form = aiohttp.FormData(quote_fields=False)
    for name, text in data.json_parameters.items():
        form.add_field(name, text)
    for name, (filename, content, mime) in data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=mime)
    return {"data": form}


def retry_seconds(body: bytes, hint: str) -> float:
    """How long a 429 asks to wait: the Bot API's own field, else the header, else a guess."""
    try:
        named = msgspec.json.decode(body)["parameters"]["retry_after"]
        return max(0.0, float(named))
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return float(hint) if hint.isdecimal() else RETRY_SECONDS
