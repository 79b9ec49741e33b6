"""Who knows and who speaks: knowledge, models, embedders."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from bot.types import (
    ChatRequest,
    Earlier,
    Findings,
    Followed,
    ModelEvent,
    ProviderHealth,
)


class Knowledge(Protocol):
    """The passages of the team, and how sure a finding is."""

    async def search(self, question: str, *, locale: str, limit: int = 8) -> Findings:
        """The best passages, best first, with the calibrated numbers. Never raises for any text."""
        ...

    async def follow(
        self, question: str, earlier: Earlier, *, locale: str, limit: int = 8
    ) -> Followed:
        """Search a message that may lean on what was said before: alone, and joined with that."""
        ...


class Model(Protocol):
    """A language model, or a behaviour wrapped around one."""

    name: str

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        """Zero or more Text, Reasoning, ToolCall, then exactly one ModelDone; or a ModelError.

        Closing the iterator closes the connection.
        """
        ...

    def health(self) -> tuple[ProviderHealth, ...]:
        """The state of each provider underneath, from real traffic."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Embedder(Protocol):
    """Text to vectors. `name` tells apart whose vectors cannot be compared: model and length.

    `batch` is how many texts it takes well at once, in characters too: `batch_chars`.
    """

    name: str
    batch: int
    batch_chars: int

    async def embed(self, texts: Sequence[str], *, query: bool) -> list[array[float]]:
        """One unit vector of 32-bit floats per text, in order, all of one length.

        Raises ModelError; what came back wrong or unusable is a ModelUnavailable.
        """
        ...

    async def close(self) -> None:
        """Let go of threads and connections."""
        ...
