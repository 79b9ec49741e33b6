"""A model that is not shown personal numbers, and whose answers name them all the same."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing
from dataclasses import replace

from bot.model.masking import Restorer, Vault
from bot.ports import Model
from bot.types import (
    ChatRequest,
    ModelDone,
    ModelEvent,
    ModelReset,
    ModelText,
    ProviderHealth,
    ToolCall,
)


class Masked:
    """Masks the turns and the question of each request; `kinds` as in masking.KINDS.

    Stands outside the cache, which so keeps placeholders only. Passages are not masked in
    `request.passages`: only the excerpt reads those, and it is no provider.
    """

    def __init__(self, model: Model, kinds: Collection[str]) -> None:
        self.name = model.name
        self._model = model
        self._kinds = frozenset(kinds)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        vault = Vault(self._kinds, (turn.content for turn in request.turns))
        masked = replace(
            request,
            turns=tuple(replace(turn, content=vault.mask(turn.content)) for turn in request.turns),
            question=vault.mask(request.question),
        )
        restorer = Restorer(vault.numbers)
        async with aclosing(self._model.stream(masked)) as events:
            async for event in events:
                for shown in _restored(event, restorer):
                    yield shown

    def health(self) -> tuple[ProviderHealth, ...]:
        return self._model.health()

    async def close(self) -> None:
        await self._model.close()


def _restored(event: ModelEvent, restorer: Restorer) -> Iterator[ModelEvent]:
    """The event as the reader may see it; text that is undecided yet comes with a later one."""
    match event:
        case ModelText(delta=delta):
            if text := restorer.feed(delta):
                yield ModelText(delta=text)
            return
        case ModelReset():
            restorer.flush()
        case ModelDone() if rest := restorer.flush():
            yield ModelText(delta=rest)
        case ToolCall(arguments=arguments):
            yield replace(event, arguments=restorer.whole(arguments))
            return
        case _:
            pass
    yield event
