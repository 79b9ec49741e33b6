"""FAQs that ask the same: found at import and reported, never dropped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rapidfuzz import fuzz

from bot.knowledge.port import Kin
from bot.knowledge.terms import normal
from bot.types import value

ALIKE = 80.0
"""Likeness, of 100, from which two questions on the same words count as near-duplicates."""
TWINS_MAX = 50
"""How many pairs are reported."""
KIN_MAX = 1000
"""How many pairs of the same telling words are looked at."""


@value
class Twin:
    """Two questions that read (nearly) the same. `conflict`: their answers differ."""

    first: str
    second: str
    question: str
    nearness: Literal["same", "near"]
    conflict: bool


def twins(kin: Iterable[Kin]) -> tuple[Twin, ...]:
    """Of pairs with the same telling words those that also read alike, one for two entries."""
    found: dict[tuple[str, str], Twin] = {}
    for pair in kin:
        twin = _twin(pair)
        if twin is not None:
            found.setdefault((twin.first, twin.second), twin)
        if len(found) >= TWINS_MAX:
            break
    return tuple(found.values())


def _twin(pair: Kin) -> Twin | None:
    one, two = normal(pair.first_text), normal(pair.second_text)
    if one != two and fuzz.ratio(one, two) < ALIKE:
        return None
    return Twin(
        first=pair.first,
        second=pair.second,
        question=pair.second_text,
        nearness="same" if one == two else "near",
        conflict=normal(pair.first_answer) != normal(pair.second_answer),
    )
