"""Counts what models do, for metrics and the health page."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from bot.clock import Clock
from bot.config import ModelConfig
from bot.errors import ModelError
from bot.model.tokens import cost
from bot.ports import Model
from bot.types import (
    ChatRequest,
    ModelDone,
    ModelEvent,
    ModelText,
    ProviderHealth,
    Usage,
    value,
)

KEPT = 1_000
"""Latencies kept for percentiles."""


@value
class ModelCounts:
    """What one model did since the start. Milliseconds to the first text; None: none yet.

    `cost` is None as soon as one answer's price was unknown: no sum of guesses.
    """

    answered: int
    truncated: int
    cut: int
    cached: int
    retried: int
    usage: Usage
    cost: float | None
    first_text_p50: int | None
    first_text_p95: int | None


class Tally:
    """The running counts of one model. Pure."""

    def __init__(self, price: ModelConfig | None) -> None:
        self._price = price
        self._ends: Counter[str] = Counter()
        self._usage = Usage()
        self._cost: float | None = 0.0
        self._first_ms: deque[int] = deque(maxlen=KEPT)

    def add(self, done: ModelDone, first_ms: int | None) -> None:
        """One reply has ended."""
        self._ends[done.finish] += 1
        self._ends["cached"] += done.cached
        self._ends["retried"] += done.attempts > 1
        if first_ms is not None:
            self._first_ms.append(first_ms)
        if done.cached or done.excerpt:
            return
        self._usage = _sum(self._usage, done.usage)
        spent = cost(done.usage, self._price) if self._price else None
        self._cost = None if spent is None or self._cost is None else self._cost + spent

    def counts(self) -> ModelCounts:
        """As of now."""
        return ModelCounts(
            answered=self._ends["whole"] + self._ends["truncated"] + self._ends["cut"],
            truncated=self._ends["truncated"],
            cut=self._ends["cut"],
            cached=self._ends["cached"],
            retried=self._ends["retried"],
            usage=self._usage,
            cost=self._cost,
            first_text_p50=_percentile(self._first_ms, 0.5),
            first_text_p95=_percentile(self._first_ms, 0.95),
        )


class Metered:
    """A model whose replies are counted by the model that gave them, and failures by kind.

    `closed` counts streams that their reader left before the end.
    """

    def __init__(
        self, model: Model, clock: Clock, *, prices: Mapping[str, ModelConfig] | None = None
    ) -> None:
        self.name = model.name
        self.requests = self.closed = 0
        self.failures: Counter[str] = Counter()
        self._model = model
        self._clock = clock
        self._prices = prices or {}
        self._tallies: dict[str, Tally] = {}

    def counts(self) -> dict[str, ModelCounts]:
        """By the name of the model that answered."""
        return {name: tally.counts() for name, tally in self._tallies.items()}

    def health(self) -> tuple[ProviderHealth, ...]:
        return self._model.health()

    async def close(self) -> None:
        await self._model.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        self.requests += 1
        started = self._clock.monotonic()
        first_ms: int | None = None
        ended = False
        try:
            async with aclosing(self._model.stream(request)) as events:
                async for event in events:
                    if first_ms is None and type(event) is ModelText:
                        first_ms = round((self._clock.monotonic() - started) * 1000)
                    elif type(event) is ModelDone:
                        ended = True
                        self._tally(event.model).add(event, first_ms)
                    yield event
        except ModelError as error:
            ended = True
            self.failures[type(error).__name__] += 1
            raise
        finally:
            self.closed += not ended

    def _tally(self, name: str) -> Tally:
        if name not in self._tallies:
            self._tallies[name] = Tally(self._prices.get(name))
        return self._tallies[name]


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        prompt=one.prompt + other.prompt,
        completion=one.completion + other.completion,
        cached=one.cached + other.cached,
        reasoning=one.reasoning + other.reasoning,
        estimated=one.estimated or other.estimated,
    )


def _percentile(values: deque[int], share: float) -> int | None:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
