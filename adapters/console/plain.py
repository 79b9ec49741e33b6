"""Plain lines: each line of input a question, each answer whole; for pipes and files."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import BinaryIO

from adapters.console.clean import clean
from bot.errors import NotWelcome
from bot.types import Frame

LINE_MAX = 1 << 18
"""Bytes of a line that are kept: far above any question, far below what hurts."""

_CHUNK = 1 << 16
_AHEAD = 16
"""Chunks read ahead of the desk."""


class Plain:
    """Reads a file descriptor and writes to a stream of bytes, both to their ends."""

    def __init__(self, source: int, out: BinaryIO, encoding: str = "utf-8") -> None:
        self._source = source
        self._out = out
        self._encoding = encoding
        self._written = False

    async def texts(self) -> AsyncGenerator[str, None]:
        """The lines that hold something, until the end of input."""
        lines = _Lines()
        async for chunk in _chunks(self._source):
            for line in lines.feed(chunk):
                yield line
        for line in lines.end():
            yield line

    def show(self, name: str, frame: Frame) -> None:
        """Write a whole answer, set off from the one before by an empty line.

        Raises NotWelcome when nobody reads any more.
        """
        between = "\n" if self._written else ""
        text = f"{between}{clean(frame.content.text).strip()}\n"
        self._written = True
        try:
            self._out.write(text.encode(self._encoding, "replace"))
            self._out.flush()
        except (BrokenPipeError, ValueError) as error:  # ValueError: closed on our side
            raise NotWelcome("the reader of the output is gone") from error

    def drop(self, name: str) -> None:
        """What is written stays written."""


class _Lines:
    """Bytes, cut anywhere, to lines of text; of an overlong line only the beginning is kept."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._first = True

    def feed(self, chunk: bytes) -> list[str]:
        *whole, rest = chunk.split(b"\n")
        found = []
        for piece in whole:
            self._keep(piece)
            found += self._take()
        self._keep(rest)
        return found

    def end(self) -> list[str]:
        return self._take()

    def _keep(self, piece: bytes) -> None:
        self._rest += piece[: LINE_MAX - len(self._rest)]

    def _take(self) -> list[str]:
        text = self._rest.decode("utf-8", "replace")
        self._rest.clear()
        if self._first:
            text, self._first = text.removeprefix("\ufeff"), False
        text = text.replace("\0", "").strip()
        return [text] if text else []


async def _chunks(source: int) -> AsyncIterator[bytes]:
    """What a descriptor holds, read in a thread of its own.

    Neither a pipe API (epoll refuses files) nor the pool (its threads are waited for at exit, and
    this one may sit in a read for ever) nor sys.stdin (its lock would break the exit) will do.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)

    def pump() -> None:
        chunk = b"?"
        while chunk:
            room.acquire()
            try:
                chunk = os.read(source, _CHUNK)
            except OSError:
                chunk = b""
            try:
                loop.call_soon_threadsafe(queue.put_nowait, chunk)
            except RuntimeError:  # the loop has ended before the input
                return

    threading.Thread(target=pump, name="console-input", daemon=True).start()
    while chunk := await queue.get():
        room.release()
        yield chunk
