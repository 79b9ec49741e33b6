"""The same question is asked once: exact answers are kept, and callers in flight share one call."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections import OrderedDict
from collections.abc import AsyncGenerator, Coroutine, MutableMapping
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

import msgspec

from bot.clock import Clock
from bot.errors import ModelError, ModelUnavailable
from bot.ports import Model
from bot.types import (
    ChatRequest,
    ModelDone,
    ModelEvent,
    ModelReset,
    ModelText,
    ProviderHealth,
    ToolCall,
    Usage,
    value,
)

TTL_SECONDS = 6 * 3600.0
ENTRIES = 2_000


@value
class KeptReply:
    """A whole reply; `until` is wall time in ms."""

    text: str
    model: str
    until: int


class ReplyShelf(Protocol):
    """Where whole replies are kept."""

    async def get(self, key: str, now: int) -> KeptReply | None:
        """The reply, unless it has expired."""
        ...

    async def put(self, key: str, reply: KeptReply) -> None:
        """Keep it; others may be dropped for it."""
        ...


class MemoryShelf:
    """Keeps the most recently used replies in memory."""

    def __init__(self, most: int = ENTRIES) -> None:
        self._most = most
        self._kept: OrderedDict[str, KeptReply] = OrderedDict()

    async def get(self, key: str, now: int) -> KeptReply | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= now:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return kept

    async def put(self, key: str, reply: KeptReply) -> None:
        self._kept[key] = reply
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


def normalised(question: str) -> str:
    """What makes two questions the same: not width, case, spaces or a closing mark."""
    folded = " ".join(unicodedata.normalize("NFKC", question).casefold().split())
    return folded.rstrip("?!.。 ")


def cache_key(name: str, request: ChatRequest) -> str:
    """Knowledge generation, model, question and language, and the instructions around them."""
    parts = (
        name,
        request.generation,
        normalised(request.question),
        request.locale,
        [(turn.role, turn.content) for turn in request.turns[:-1]],
        request.temperature,
        request.max_tokens,
        request.thinking,
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


class Cached:
    """A model whose whole answers to single-turn questions are kept for a time.

    Only requests that say `cacheable` take part: nobody's history ever reaches another. What came
    from here is marked `cached` and costs no tokens. A slow reader does not hold up those who
    share the call, and the call ends with its last reader.
    """

    def __init__(
        self,
        model: Model,
        clock: Clock,
        *,
        seconds: float = TTL_SECONDS,
        shelf: ReplyShelf | None = None,
    ) -> None:
        self.name = model.name
        self.hits = self.misses = self.shared = 0
        self._model = model
        self._clock = clock
        self._seconds = seconds
        self._shelf = shelf or MemoryShelf()
        self._calls: dict[str, _Call] = {}

    def health(self) -> tuple[ProviderHealth, ...]:
        return self._model.health()

    async def close(self) -> None:
        for call in tuple(self._calls.values()):
            await call.end()
        await self._model.close()

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        shareable = request.cacheable and bool(normalised(request.question))
        return self._shared(request) if shareable else self._model.stream(request)

    async def _shared(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        key = cache_key(self.name, request)
        if kept := await self._shelf.get(key, self._clock.now()):
            self.hits += 1
            yield ModelText(delta=kept.text)
            yield ModelDone(model=kept.model, cached=True)
            return
        call = self._calls.get(key)
        follows = call is not None
        self.shared += follows
        self.misses += not follows
        if call is None:
            call = _Call(self._calls, key)
            call.start(self._fetch(call, request))
        async with aclosing(call.read()) as events:
            async for event in events:
                if follows and isinstance(event, ModelDone):
                    yield replace(event, usage=Usage(), cached=True)
                else:
                    yield event

    async def _fetch(self, call: _Call, request: ChatRequest) -> None:
        """Read the model's reply for all who share the call, and keep it when it is whole."""
        async with aclosing(self._model.stream(request)) as events:
            async for event in events:
                if type(event) is ModelDone:
                    await self._keep(call, event)
                call.push(event)

    async def _keep(self, call: _Call, done: ModelDone) -> None:
        if done.finish != "whole" or done.excerpt or done.cached:
            return
        if text := _whole_text(call.events):
            until = self._clock.now() + round(self._seconds * 1000)
            await self._shelf.put(call.key, KeptReply(text=text, model=done.model, until=until))


class _Call:
    """One call to the model and those who read it."""

    def __init__(self, calls: MutableMapping[str, _Call], key: str) -> None:
        self.key = key
        self.events: list[ModelEvent] = []
        self._calls = calls
        self._error: ModelError | None = None
        self._news = asyncio.Event()
        self._over = False
        self._readers = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, fetch: Coroutine[None, None, None]) -> None:
        self._calls[self.key] = self
        self._task = asyncio.create_task(self._run(fetch), name=f"model call {self.key[:8]}")

    def push(self, event: ModelEvent) -> None:
        self.events.append(event)
        self._wake()

    async def read(self) -> AsyncGenerator[ModelEvent, None]:
        """All events from the first; raises what the call raised."""
        self._readers += 1
        at = 0
        try:
            while True:
                while at < len(self.events):
                    yield self.events[at]
                    at += 1
                if self._over:
                    break
                await self._news.wait()
            if self._error:
                raise self._error
            if self._task:
                self._task.result()  # raises a fault of ours, which else would pass for the end
        finally:
            self._readers -= 1
            if not self._readers:
                await self.end()

    async def end(self) -> None:
        """Stop the call, if it still runs, and wait until it has let go of its connection."""
        self._forget()
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, fetch: Coroutine[None, None, None]) -> None:
        try:
            await fetch
        except ModelError as error:
            self._error = error
        except asyncio.CancelledError:
            self._error = ModelUnavailable("the shared call was ended")
            raise
        finally:
            self._over = True
            self._forget()
            self._wake()

    def _forget(self) -> None:
        if self._calls.get(self.key) is self:
            del self._calls[self.key]

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _whole_text(events: list[ModelEvent]) -> str:
    """The text after the last reset; "" for a reply that wants tools called."""
    pieces: list[str] = []
    for event in events:
        if type(event) is ModelReset:
            pieces.clear()
        elif type(event) is ModelText:
            pieces.append(event.delta)
        elif type(event) is ToolCall:
            return ""
    return "".join(pieces)
