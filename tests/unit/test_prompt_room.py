"""How much of the knowledge base one prompt holds: whole passages, the best first, under a cap."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from bot.engine.prompts import PASSAGE_MAX, PASSAGES_TOKENS, fitting
from bot.model.tokens import tokens
from bot.types import Passage


def passage(number: int, text: str) -> Passage:
    return Passage(id=number, entry=str(number), kind="doc", title="T", text=text, source="a.md")


def test_a_passage_that_does_not_fit_makes_room_for_a_shorter_one() -> None:
    found = [passage(1, "a " * 600), passage(2, "b " * 1_100), passage(3, "c")]
    assert [one.id for one in fitting(found, len)] == [1, 3]


def test_the_best_goes_even_where_it_is_too_long_alone() -> None:
    found = [passage(1, "字" * 5_000), passage(2, "c")]
    assert fitting(found, lambda text: 9 * len(text))[0].id == 1


@given(st.lists(st.text(alphabet="ab 字。", max_size=3_000), max_size=10))
def test_what_is_sent_stays_under_the_cap_in_its_order_and_whole(texts: list[str]) -> None:
    found = [passage(number, text) for number, text in enumerate(texts)]
    taken = fitting(found, tokens)
    sent = sum(tokens(one.title) + tokens(one.body[:PASSAGE_MAX]) for one in taken)
    assert sent <= PASSAGES_TOKENS or len(taken) == 1
    assert list(taken) == [one for one in found if one in taken]
    assert bool(taken) == bool(found)
