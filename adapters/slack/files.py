"""What came with a message, brought when it is needed: files, and threads as a text.

A file is asked for with the bot's token, so it is asked of Slack alone: an address of another host,
a redirect (to a page for signing in) and such a page itself are refused.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from adapters.slack.calls import TIMEOUT, Calls
from adapters.slack.events import Events
from adapters.slack.normalise import thread_of
from bot.config import SlackConfig
from bot.errors import PlatformBusy, PlatformRefused, PlatformUnavailable
from bot.types import Attachment

CHUNK = 1 << 16
BUSY_SECONDS = 30.0
_AWAY = ("external", "tombstone", "hidden_by_limit")
"""Modes of a file whose content Slack does not have, or does not give."""

log = logging.getLogger("frontdesk.slack")


class Files:
    """Brings what was attached. Holds nothing between calls."""

    def __init__(self, calls: Calls, events: Events, config: SlackConfig) -> None:
        self._calls = calls
        self._events = events
        self._config = config

    async def fetch(self, attachment: Attachment, *, most: int) -> bytes:
        """The content, at most `most` bytes. Raises PlatformRefused and other PlatformErrors."""
        if thread := thread_of(attachment):
            return (await self._events.transcript(*thread, most=most)).encode()
        if (attachment.size or 0) > most:
            raise PlatformRefused(f"a file of {attachment.size} bytes, {most} are taken")
        told = await self._calls.form("files.info", {"file": attachment.id})
        return await self._download(told["file"], most)

    async def _download(self, file: Mapping[str, Any], most: int) -> bytes:
        """Get a file from Slack's own host. Not repeated here: the desk's own retry does that."""
        url = address(file, self._config.api_root)
        headers = {"Authorization": f"Bearer {self._config.bot_token.reveal()}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT, trust_env=True) as session,
                session.get(url, headers=headers, allow_redirects=False) as response,
            ):
                _check(response, file)
                return await _read(response, most)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            told = f"file: {type(error).__name__}"
            raise PlatformUnavailable(told, sent=False) from None


def address(file: Mapping[str, Any], api_root: str) -> str:
    """Where the content of a file is, if that is at the Slack that we speak to.

    Raises PlatformRefused: the token is shown to nobody else.
    """
    url = str(file.get("url_private_download") or file.get("url_private") or "")
    if not url or file.get("is_external") or file.get("mode") in _AWAY:
        raise PlatformRefused("Slack does not have the content of this file")
    home, there = urlsplit(api_root), urlsplit(url)
    inside = there.hostname == home.hostname or f".{there.hostname}".endswith(f".{home.hostname}")
    if there.scheme != home.scheme or there.port != home.port or not inside:
        raise PlatformRefused(f"a file at another host than Slack's: {there.hostname}")
    return url


def _check(response: aiohttp.ClientResponse, file: Mapping[str, Any]) -> None:
    """Raises PlatformError for an answer that is not the file."""
    status = response.status
    if status == 429:
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isdecimal() else BUSY_SECONDS
        raise PlatformBusy("file: 429", retry_after=seconds)
    if status >= 500:
        raise PlatformUnavailable(f"file: {status}", sent=False)
    page = response.content_type == "text/html" and response.content_length != file.get("size")
    if 300 <= status < 400 or (status == 200 and page):
        log.warning("Slack asks to sign in for a file: the token may lack files:read")
        raise PlatformRefused("file: a page for signing in instead of the content")
    if status != 200:
        raise PlatformRefused(f"file: {status}")


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body. Raises PlatformRefused as soon as it is over `most` bytes."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        content += chunk
        if len(content) > most:
            raise PlatformRefused(f"a file of over {most} bytes")
    return bytes(content)
