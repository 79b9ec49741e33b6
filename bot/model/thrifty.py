"""One chain of models for each of what may be spent: the best, the cheapest, or none at all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from bot.config import ModelConfig
from bot.ports import Model
from bot.types import ChatRequest, ModelEvent, ProviderHealth


class Thrifty:
    """A Model that looks at `request.means`. All three share their links, which `full` closes."""

    def __init__(self, full: Model, *, thrifty: Model, knowledge: Model) -> None:
        self.name = full.name
        self._full = full
        self._by_means = {"full": full, "thrifty": thrifty, "knowledge": knowledge}

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        return self._by_means[request.means].stream(request)

    def health(self) -> tuple[ProviderHealth, ...]:
        return self._full.health()

    async def close(self) -> None:
        await self._full.close()


def cheapest_first(models: Sequence[ModelConfig]) -> list[int]:
    """The models' places in the chain by the price of what they write; the unpriced stay last."""
    prices = [model.price_output for model in models]
    return sorted(
        range(len(models)),
        key=lambda at: (prices[at] is None, prices[at] or 0.0, models[at].price_input or 0.0),
    )
