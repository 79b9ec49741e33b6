"""What is counted, and the voice without a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.errors import (
    ModelUnavailable,
)
from bot.model.extractive import ExtractiveModel
from bot.model.layers import Metered
from bot.types import (
    ModelDone,
    ModelText,
)
from tests.fakes.loop import run_virtual
from tests.fakes.model import ASK, CLOCK, DOWN, HELLO, PASSAGE, Scripted, play


def test_replies_are_counted_by_the_model_that_gave_them() -> None:
    async def several() -> Metered:
        model = Scripted(HELLO, [1.0, *HELLO], [DOWN], [ModelText(delta="x"), ModelDone(model="b")])
        layer = Metered(model, CLOCK)
        for _ in range(4):
            await play(layer)
        async for _ in layer.stream(ASK):
            break
        return layer

    layer = run_virtual(several())
    counts = layer.counts()
    assert (layer.requests, dict(layer.failures)) == (5, {"ModelUnavailable": 1})
    assert (counts["m"].answered, counts["m"].usage.prompt) == (2, 4)
    assert (counts["m"].first_text_p50, counts["m"].first_text_p95) == (1000, 1000)
    assert counts["m"].cost is None
    assert counts["b"].answered == 1


def test_without_a_passage_there_is_nothing_to_quote() -> None:
    _, _, failure = run_virtual(play(ExtractiveModel(CLOCK)))
    assert type(failure) is ModelUnavailable


@pytest.mark.parametrize("locale", ["en", "zh", "fr"])
def test_the_extract_says_what_it_is_and_gives_the_whole_body(locale: str) -> None:
    """In a few deltas, in any language, nothing lost between them."""
    body = "第一句。第二句！ Third sentence. Fourth?\n\n" * 10
    passage = replace(PASSAGE, answer=body)
    request = replace(ASK, passages=(passage,), locale=locale)
    text, events, _ = run_virtual(play(ExtractiveModel(CLOCK), request))
    label, _, rest = text.partition("\n\n")
    assert "Returns" in label
    assert rest == body
    assert 3 <= len(events) <= 30
