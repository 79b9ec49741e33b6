"""The desk's own voice without a language model: the best passage, quoted and named.

Used when no model is configured and while every provider is down. It never pretends to be one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from bot.clock import Clock
from bot.errors import ModelUnavailable
from bot.i18n import say
from bot.types import ChatRequest, ModelDone, ModelEvent, ModelText, ProviderHealth

_SEAMS = re.compile(r"(?<=[。！？；\n])|(?<=[.!?;])(?=\s)")
_PIECE = 60
"""Characters a delta aims at: a few deltas per answer, so the reader sees it being written."""


class ExtractiveModel:
    """Streams the body of the first passage under a line that calls it an excerpt.

    Raises ModelUnavailable without a passage: there is nothing to quote.
    """

    name = "excerpt"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        if not request.passages:
            raise ModelUnavailable("no model, and no passage to quote", code="excerpt")
        passage = request.passages[0]
        source = passage.title or passage.source
        yield ModelText(delta=say(request.locale, "excerpt.label", source=source) + "\n\n")
        for piece in pieces(passage.body):
            yield ModelText(delta=piece)
        yield ModelDone(model=self.name, excerpt=True)

    def health(self) -> tuple[ProviderHealth, ...]:
        """Always up: it depends on nobody."""
        return (
            ProviderHealth(
                name=self.name, state="up", last_success=self._clock.now(), latency_ms=0
            ),
        )

    async def close(self) -> None:
        """Nothing is open."""


def pieces(text: str) -> list[str]:
    """The text in order, cut at sentence ends into pieces of about one line."""
    out: list[str] = []
    for sentence in _SEAMS.split(text):
        if out and len(out[-1]) + len(sentence) <= _PIECE:
            out[-1] += sentence
        elif sentence:
            out.append(sentence)
    return out
