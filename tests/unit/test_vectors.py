"""Packing a vector, and exact search over many."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace

import pytest

from bot.knowledge.meaning import Index, Row
from bot.knowledge.vectors import Matrix, packed
from tests.fakes.embedder import meaning

LIMIT: dict[Index, int] = {"faq": 3, "doc": 2}

WORDS = [
    f"{first}{second}"
    for first in "bcdfghjk"
    for second in ("ala", "obo", "eru", "ino", "utu", "yga", "apo", "esk")
]


def row(number: int, text: str, *, entry: int = 0, index: str = "faq") -> Row:
    return Row(id=number, entry=entry or number + 1, index=index, packed=packed(meaning(text)))  # type: ignore[arg-type]


def test_a_packed_vector_points_where_it_did() -> None:
    """A byte a number moves a cosine by less than search could tell apart."""
    texts = [f"{word} and {word[::-1]} more" for word in WORDS[:50]]
    matrix = Matrix([row(number, text) for number, text in enumerate(texts)])
    near = matrix.nearest(meaning(texts[7]), range(50), limit=LIMIT)
    for number, text in enumerate(texts):
        true = sum(a * b for a, b in zip(meaning(texts[7]), meaning(text), strict=True))
        assert abs(near.cosines[number] - true) < 0.01
    assert near.ids[0] == 7


@pytest.mark.parametrize("bad", [[0.0] * 4, [math.nan] * 4, [math.inf, 0, 0, 0]])
def test_what_has_no_direction_is_not_packed(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="direction"):
        packed(array("f", bad))


def test_each_index_gives_its_own_nearest_and_the_asked_ones_come_along() -> None:
    """Passages are never as near as questions: in one list they would not be seen."""
    rows = [row(n, f"dog food {WORDS[n]}") for n in range(1, 9)]
    rows += [row(20 + n, f"long {WORDS[n]} about dog", index="doc") for n in range(5)]
    near = Matrix(rows).nearest(meaning("dog food"), [8, 24, 999], limit=LIMIT)
    assert len([found for found in near.ids if found < 20]) == 3
    assert len([found for found in near.ids if found >= 20]) == 2
    assert {8, 24} <= set(near.cosines)
    assert 999 not in near.cosines
    ordered = [near.cosines[found] for found in near.ids]
    assert ordered == sorted(ordered, reverse=True)


def test_an_empty_base_is_near_to_nothing() -> None:
    near = Matrix([]).nearest(array("f", []), [1], limit=LIMIT)
    assert (near.ids, dict(near.cosines)) == ((), {})


def test_vectors_of_two_lengths_are_refused() -> None:
    other = Row(id=2, entry=2, index="faq", packed=packed(meaning("b", 96)))
    with pytest.raises(ValueError, match="lengths"):
        Matrix([row(1, "a"), other])


def test_the_scale_is_the_bases_own_and_of_different_entries_only() -> None:
    """Wordings of one entry are near each other by intent: they say nothing of the background."""
    alone = [row(number, f"{word} {word}s") for number, word in enumerate(WORDS[:40])]
    kin = [replace(one, id=one.id + 100) for one in alone]
    scale, with_kin = Matrix(alone).scales["faq"], Matrix([*alone, *kin]).scales["faq"]
    assert abs(scale.low) < 0.2
    assert 0.45 < scale.high <= 1.0
    assert with_kin.high == pytest.approx(scale.high, abs=0.05)
    assert with_kin.low == pytest.approx(scale.low, abs=0.05)
