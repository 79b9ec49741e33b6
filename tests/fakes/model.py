"""A model that does what it is told, on virtual time, and what a reader of it would see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from bot.errors import ModelError, ModelUnavailable, ReplyCut
from bot.ports import Model
from bot.types import (
    ChatRequest,
    ChatTurn,
    ModelDone,
    ModelEvent,
    ModelReset,
    ModelText,
    Passage,
    ProviderHealth,
    Usage,
)
from tests.fakes.loop import VirtualClock

CLOCK = VirtualClock()
ASK = ChatRequest(turns=(ChatTurn(role="user", content="Hi"),), question="Hi", conversation="c1")
PASSAGE = Passage(id=1, entry="e", kind="faq", title="Returns", text="t", source="s", answer="Yes.")
Step = ModelEvent | ModelError | float
HELLO: list[Step] = [ModelText(delta="Hello"), ModelDone(model="m", usage=Usage(prompt=2))]
DOWN = ModelUnavailable("down")
CUT = ReplyCut("cut")


class Scripted:
    """A model that does what it is told: events, seconds of silence, an error; then the next."""

    def __init__(self, *scripts: Sequence[Step], name: str = "m") -> None:
        self.name = name
        self.asked: list[tuple[float, ChatRequest]] = []
        self.closed = 0
        self.running = self.most = 0
        self._scripts = list(scripts)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append((CLOCK.monotonic(), request))
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for step in script:
                if isinstance(step, ModelError):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.running -= 1
            self.closed += 1

    def health(self) -> tuple[ProviderHealth, ...]:
        return (ProviderHealth(name=self.name, state="up"),)

    async def close(self) -> None:
        pass


async def play(
    model: Model, request: ChatRequest = ASK
) -> tuple[str, list[ModelEvent], ModelError | None]:
    """What stands on the screen at the end, all events, and the failure."""
    events: list[ModelEvent] = []
    failure = None
    try:
        async with aclosing(model.stream(request)) as stream:
            async for event in stream:
                events += (event,)
    except ModelError as error:
        failure = error
    return shown(events), events, failure


def shown(events: Sequence[ModelEvent]) -> str:
    text = ""
    for event in events:
        if isinstance(event, ModelReset):
            text = ""
        elif isinstance(event, ModelText):
            text += event.delta
    return text
