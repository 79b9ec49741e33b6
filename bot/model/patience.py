"""How long a reply is waited for: four clocks and the request's own deadline.

Reads from anything that gives bytes, so it is tried on virtual time without a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from bot.clock import Clock
from bot.errors import ModelUnavailable
from bot.model.reading import Reading
from bot.types import ModelEvent, Reasoning, value


@value
class Patience:
    """Seconds. `idle` runs between data events, and comments or pings do not restart it.

    `trailer`: how long usage or [DONE] may follow a finish reason; the reply is whole without.
    """

    connect: float = 5.0
    first_byte: float = 20.0
    first_visible: float = 45.0
    first_visible_thinking: float = 90.0
    idle: float = 20.0
    trailer: float = 2.0


class Source(Protocol):
    """Bytes of a reply; b"" at the end. Raises ModelError for what the transport did."""

    async def read(self) -> bytes: ...


class Wait:
    """Until when the next byte is waited for, and what it means if none comes. Pure."""

    def __init__(
        self, patience: Patience, *, started: float, deadline: float | None, thinking: bool
    ) -> None:
        self._patience = patience
        self._started = started
        self._deadline = deadline
        self._thinking = thinking
        self._progress = 0
        self._idle_since = started

    def thought(self) -> None:
        """The model thinks: its first visible word may take longer."""
        self._thinking = True

    def due(self, reading: Reading, now: float) -> tuple[float, str]:
        """The moment and its meaning. Call it when starting to wait: time the reader spent
        elsewhere is not held against the model.
        """
        if reading.progress != self._progress:
            self._progress, self._idle_since = reading.progress, now
        ends = []
        if reading.finish is not None:
            ends.append((self._idle_since + self._patience.trailer, "no end after the finish"))
        elif reading.progress:
            ends.append((self._idle_since + self._patience.idle, "the stream fell silent"))
        if not reading.shown:
            ends.append((self._started + self._first_visible, "no visible text in time"))
        if self._deadline is not None:
            ends.append((self._deadline, "the deadline of the answer has come"))
        return min(ends)

    @property
    def _first_visible(self) -> float:
        limits = self._patience
        return limits.first_visible_thinking if self._thinking else limits.first_visible


async def read_reply(
    source: Source, reading: Reading, wait: Wait, clock: Clock
) -> AsyncGenerator[ModelEvent, None]:
    """The reply's events up to ModelDone. Raises the reading's failure."""
    while not reading.over:
        data = await _next(source, reading, wait, clock)
        if not data:
            break
        for event in reading.feed(data):
            if type(event) is Reasoning:
                wait.thought()
            yield event
    ended = reading.close()
    for event in ended:
        yield event
    if reading.failure:
        raise reading.failure


async def _next(source: Source, reading: Reading, wait: Wait, clock: Clock) -> bytes:
    """The next bytes; b"" at the end, which a failure after a finish reason counts as."""
    now = clock.monotonic()
    due, why = wait.due(reading, now)
    try:
        async with asyncio.timeout(max(0.0, due - now)):
            return await source.read()
    except TimeoutError:
        failure = ModelUnavailable(why, code="slow")
    except ModelUnavailable as error:
        failure = error
    if reading.finish is None:
        reading.fail(failure)
    return b""
