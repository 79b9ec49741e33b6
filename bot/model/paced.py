"""How many calls one model is given at once, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Generic, TypeVar

from bot.clock import Clock
from bot.errors import ModelBusy, ModelError
from bot.ports import Model
from bot.types import ChatRequest, ModelDone, ModelEvent, ProviderHealth

T = TypeVar("T")

CUT_SECONDS = 1.0
"""Refusals within this time of a cut are the same event, seen by several calls."""
HOLD_MAX = 30.0
"""A longer Retry-After does not stop the others: the breaker and the next model deal with it."""


class Aimd:
    """How many at once: one more per round of successes, half after a refusal. Pure.

    Providers limit calls in flight per model and account, tell the number on a dashboard only,
    and lower it at peak hours; so it is found by trying.
    """

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._limit = float(self._most)
        self._cut_at = float("-inf")

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return int(self._limit)

    def succeeded(self) -> None:
        """A call was served."""
        self._limit = min(float(self._most), self._limit + 1.0 / self._limit)

    def refused(self, now: float) -> None:
        """The provider said "too fast" or "overloaded"."""
        if now - self._cut_at >= CUT_SECONDS:
            self._cut_at = now
            self._limit = max(1.0, self._limit / 2)


class FairQueue(Generic[T]):
    """First come first served within a key, keys take turns: nobody waits for a flood. Pure."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def put(self, key: str, item: T) -> None:
        """To the end of its key's line."""
        self._lines.setdefault(key, deque()).append(item)

    def pop(self) -> T:
        """The first of the next line; that line goes to the back. Raises KeyError when empty."""
        key, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[key] = line
        return item

    def remove(self, key: str, item: T) -> None:
        """Out of the line, if it still stands there."""
        line = self._lines.get(key)
        if line and item in line:
            line.remove(item)
            if not line:
                del self._lines[key]


class Paced:
    """A model that is asked only as often at once as it bears.

    Raises ModelBusy when the deadline comes before the turn does. A slot is held until the
    stream ends or is closed.
    """

    def __init__(self, model: Model, clock: Clock, *, most: int) -> None:
        self.name = model.name
        self.running = 0
        self._model = model
        self._clock = clock
        self._aimd = Aimd(most)
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._hold_until = float("-inf")
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._aimd.limit

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._queue)

    def health(self) -> tuple[ProviderHealth, ...]:
        return self._model.health()

    async def close(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        await self._model.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        await self._enter(request)
        try:
            async with aclosing(self._model.stream(request)) as events:
                async for event in events:
                    if type(event) is ModelDone:
                        self._aimd.succeeded()
                    yield event
        except ModelError as error:
            if isinstance(error, ModelBusy):
                self._refused(error)
            raise
        finally:
            self.running -= 1
            self._admit()

    async def _enter(self, request: ChatRequest) -> None:
        """Wait for a slot; on return it is ours."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(request.conversation, turn)
        self._admit()
        try:
            async with asyncio.timeout(self._left(request)):
                await turn
        except BaseException as error:
            self._leave(request, turn)
            if isinstance(error, TimeoutError):
                raise ModelBusy("no free slot before the deadline", code="paced") from error
            raise

    def _leave(self, request: ChatRequest, turn: asyncio.Future[None]) -> None:
        """Give up waiting; a slot that was granted in the same moment goes to the next."""
        if turn.done() and not turn.cancelled():
            self.running -= 1
            self._admit()
        else:
            turn.cancel()
            self._queue.remove(request.conversation, turn)

    def _left(self, request: ChatRequest) -> float | None:
        if request.deadline is None:
            return None
        return max(0.0, request.deadline - self._clock.monotonic())

    def _admit(self) -> None:
        """Let in as many as there is room for, unless the provider asked for quiet."""
        if self._queue and (quiet := self._hold_until - self._clock.monotonic()) > 0:
            if self._alarm is None:
                self._alarm = asyncio.get_running_loop().call_later(quiet, self._quiet_over)
            return
        while self._queue and self.running < self._aimd.limit:
            turn = self._queue.pop()
            if not turn.done():
                self.running += 1
                turn.set_result(None)

    def _quiet_over(self) -> None:
        self._alarm = None
        self._admit()

    def _refused(self, error: ModelBusy) -> None:
        now = self._clock.monotonic()
        self._aimd.refused(now)
        if error.retry_after:
            self._hold_until = max(self._hold_until, now + min(error.retry_after, HOLD_MAX))
