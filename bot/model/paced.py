"""How many calls one model is given at once and in a minute, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.clock import Clock
from bot.errors import ModelBusy, ModelError
from bot.model.minute import Minute, Taken
from bot.model.tokens import PER_MESSAGE, tokens
from bot.ports import Model
from bot.types import ChatRequest, ModelDone, ModelEvent, ProviderHealth

T = TypeVar("T")

CUT_SECONDS = 1.0
"""Refusals within this time of a cut are the same event, seen by several calls."""
HOLD_MAX = 30.0
"""A longer Retry-After does not stop the others: the breaker and the next model deal with it."""
REPLY_WEIGHT = 0.2
"""How much the newest reply counts in what the next one is taken to be long."""


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

    def first(self) -> T:
        """Whom `pop` would take. Raises StopIteration when empty."""
        return next(iter(self._lines.values()))[0]

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


@dataclass(eq=False, slots=True)
class _Turn:
    """Somebody in the line: `come` is set when it is their turn, and `taken` with it."""

    come: asyncio.Future[None]
    weight: int
    taken: Taken | None = None


class Paced:
    """A model that is asked only as often at once, and in a minute, as it bears.

    Raises ModelBusy when the deadline comes before the turn does. A slot is held until the
    stream ends or is closed.
    """

    def __init__(
        self, model: Model, clock: Clock, *, most: int, minute: Minute | None = None
    ) -> None:
        self.name = model.name
        self.running = 0
        self._model = model
        self._clock = clock
        self._aimd = Aimd(most)
        self._minute = minute or Minute()
        self._reply = 0.0
        self._queue: FairQueue[_Turn] = FairQueue()
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
        taken = await self._enter(request)
        try:
            async with aclosing(self._model.stream(request)) as events:
                async for event in events:
                    if type(event) is ModelDone:
                        self._served(event, taken)
                    yield event
        except ModelError as error:
            if isinstance(error, ModelBusy):
                self._refused(error)
            raise
        finally:
            self.running -= 1
            self._admit()

    def _served(self, done: ModelDone, taken: Taken) -> None:
        """A call is whole, and what it used is known."""
        self._aimd.succeeded()
        if done.usage.total:
            taken.tokens = done.usage.total
            known = REPLY_WEIGHT if self._reply else 1.0
            self._reply += known * (done.usage.completion - self._reply)

    def _weight(self, request: ChatRequest) -> int:
        """The tokens that a request will use, its reply taken to be as long as those before."""
        if not self._minute.weighs:
            return 0
        asked = sum(tokens(turn.content) + PER_MESSAGE for turn in request.turns)
        return asked + round(self._reply)

    async def _enter(self, request: ChatRequest) -> Taken:
        """Wait for a slot; on return it is ours."""
        turn = _Turn(asyncio.get_running_loop().create_future(), self._weight(request))
        self._queue.put(request.conversation, turn)
        self._admit()
        try:
            if not turn.come.done():
                async with asyncio.timeout(self._left(request)):
                    await turn.come
        except BaseException as error:
            self._leave(request, turn)
            if isinstance(error, TimeoutError):
                raise ModelBusy("no free slot before the deadline", code="paced") from error
            raise
        assert turn.taken is not None
        return turn.taken

    def _leave(self, request: ChatRequest, turn: _Turn) -> None:
        """Give up waiting; a slot that was granted in the same moment goes to the next."""
        if turn.come.done() and not turn.come.cancelled():
            self.running -= 1
            self._admit()
        else:
            turn.come.cancel()
            self._queue.remove(request.conversation, turn)
            self._admit()  # the next may be lighter than what they all waited for

    def _left(self, request: ChatRequest) -> float | None:
        if request.deadline is None:
            return None
        return max(0.0, request.deadline - self._clock.monotonic())

    def _admit(self) -> None:
        """Let in as many as there is room for, unless the provider's limits ask for quiet."""
        while self._queue and self.running < self._aimd.limit:
            now = self._clock.monotonic()
            ready = self._minute.ready(self._queue.first().weight, now=now)
            if (quiet := max(ready, self._hold_until) - now) > 0:
                self._wake_in(quiet)
                return
            turn = self._queue.pop()
            if not turn.come.done():
                self.running += 1
                turn.taken = self._minute.take(turn.weight, now=now)
                turn.come.set_result(None)

    def _wake_in(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()  # what was waited for may have changed, to sooner or to later
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._quiet_over)

    def _quiet_over(self) -> None:
        self._alarm = None
        self._admit()

    def _refused(self, error: ModelBusy) -> None:
        now = self._clock.monotonic()
        self._aimd.refused(now)
        if error.retry_after:
            self._hold_until = max(self._hold_until, now + min(error.retry_after, HOLD_MAX))
