"""Small implementations of ports that say what a test tells them to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from bot.errors import ModelError
from bot.ports import Past
from bot.types import (
    ChatRequest,
    Earlier,
    Findings,
    Followed,
    MemoryId,
    ModelDone,
    ModelEvent,
    ModelText,
    PersonId,
    Place,
    ProviderHealth,
    Turn,
)


class ScriptedModel:
    """Plays one script per request: texts, events, or an error to raise."""

    name = "scripted"

    def __init__(self, *scripts: Sequence[str | ModelEvent | ModelError]) -> None:
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        self.requests.append(request)
        last: ModelEvent | None = None
        for step in self.scripts.pop(0):
            if isinstance(step, ModelError):
                raise step
            last = ModelText(delta=step) if isinstance(step, str) else step
            yield last
        if not isinstance(last, ModelDone):
            yield ModelDone(model=self.name)

    def health(self) -> tuple[ProviderHealth, ...]:
        return ()

    async def close(self) -> None:
        """Nothing is held."""


class FixedKnowledge:
    """Finds the same for every question."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    async def search(self, question: str, *, locale: str, limit: int = 8) -> Findings:
        return self.findings

    async def follow(
        self, question: str, earlier: Earlier, *, locale: str, limit: int = 8
    ) -> Followed:
        return Followed(findings=self.findings, question=question)


class FixedHistory:
    """The same turns for every memory."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)

    async def last(self, memory: MemoryId, limit: int) -> list[Turn]:
        return self.turns[-limit:]

    async def past(self, memory: MemoryId, limit: int) -> Past:
        return Past(turns=tuple(self.turns[-limit:]))


class NoTickets:
    """Nobody waits for anybody."""

    def __init__(self, open_id: int | None = None) -> None:
        self.open_id = open_id

    async def open_for(self, person: PersonId, place: Place) -> int | None:
        return self.open_id
