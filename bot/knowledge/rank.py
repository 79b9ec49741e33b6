"""From candidates to ranked entries: which terms to ask the index for, and a bounded score.

The score is 0 to 1 and comparable between questions; the index's own BM25 only fetches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import lru_cache

from rapidfuzz import fuzz

from bot.knowledge.port import Candidate
from bot.knowledge.terms import LIGHT, normal, terms
from bot.types import value

LIGHT_WEIGHT = 0.35
"""What a term of LIGHT counts of its rarity; chosen over 0.25, 0.5 and 1 on four FAQ sets."""
COVERAGE, ROW_COVERAGE, LIKENESS = 0.55, 0.25, 0.20
"""Shares of the score of a question row; measured, see the benchmark."""
FAMILY, UNION = 0.3, 0.4
"""What an entry's other rows add: their own scores, and the question's words they cover together.
Measured on two FAQ sets of three questions an entry: R@1 .486 to .512 and .616 to .642."""
ANSWER_WEIGHT = 0.85
"""An FAQ found by its answer's words is less surely meant than one found by its question."""
LOCALE_BONUS = 0.04
"""Among equals, the asker's language first; never enough to hide a clearly better match."""
BUDGET_SHARE, BUDGET_MIN, TERMS_MIN = 0.02, 2000, 3
"""Rows the sent terms may touch together: measured 1/7 of the CPU at 100,000 rows."""
NEIGHBOUR = 1
"""Chunks on either side that come with a found chunk."""
_COMPARED = {"faq": 40, "doc": 10}
"""Rows whose wording is compared, best by terms first: comparing is the dear part."""


def choose(frequencies: Mapping[str, int], rows: int) -> list[str]:
    """Which of the known terms to send: the rarest, while their rows fit the budget.

    At least three, but a term in over a quarter of the rows only where nothing else is left.
    """
    budget = max(BUDGET_MIN, rows * BUDGET_SHARE)
    chosen: list[str] = []
    spent = 0
    for term, count in sorted(frequencies.items(), key=lambda item: item[1]):
        common = rows > BUDGET_MIN and count * 4 > rows
        if chosen and (common or (spent + count > budget and len(chosen) >= TERMS_MIN)):
            break
        chosen.append(term)
        spent += count
    return chosen


@value
class Asked:
    """A question made ready to be compared with rows. `weights` are per distinct term."""

    plain: str
    weights: dict[str, float]
    total: float
    unknown: float
    """Share of the weight in terms that the base has never seen."""


def ask(question: str, frequencies: Mapping[str, int], rows: int) -> Asked:
    """Weigh the terms of a question by their rarity in this base."""
    weights = {term: weight(term, frequencies.get(term, 0), rows) for term in terms(question)}
    total = sum(weights.values())
    unknown = sum(w for term, w in weights.items() if not frequencies.get(term))
    return Asked(
        plain=normal(question),
        weights=weights,
        total=total or 1.0,
        unknown=unknown / total if total else 1.0,
    )


def weight(term: str, count: int, rows: int) -> float:
    """Inverse document frequency, always above 0, less for terms that carry no topic."""
    rarity = math.log1p((max(rows, count) - count + 0.5) / (count + 0.5))
    return rarity * LIGHT_WEIGHT if term in LIGHT else rarity


@value
class Scored:
    """A candidate with its parts of the score, each 0 to 1, and the question's terms it has."""

    candidate: Candidate
    covered: frozenset[str]
    coverage: float
    row_coverage: float = 0.0
    likeness: float = 0.0

    @property
    def score(self) -> float:
        """The parts weighed. A chunk is too long for its own words to be covered."""
        if self.candidate.role != "chunk":
            return (
                COVERAGE * self.coverage
                + ROW_COVERAGE * self.row_coverage
                + LIKENESS * self.likeness
            )
        total = (COVERAGE + ROW_COVERAGE) * self.coverage + LIKENESS * self.likeness
        return total * (ANSWER_WEIGHT if self.candidate.kind == "faq" else 1.0)


def score(asked: Asked, candidate: Candidate) -> Scored:
    """Hold a row's terms against the question's."""
    row, mass = _row(candidate.terms)
    covered = asked.weights.keys() & row
    coverage = sum(map(asked.weights.__getitem__, covered)) / asked.total
    return Scored(
        candidate=candidate,
        covered=frozenset(covered),
        coverage=coverage,
        row_coverage=0.0 if candidate.role == "chunk" else _mass(covered) / mass,
    )


@lru_cache(maxsize=2048)
def _row(joined: str) -> tuple[frozenset[str], float]:
    row = frozenset(joined.split(" "))
    return row, _mass(row) or 1.0


def _mass(row: AbstractSet[str]) -> float:
    return len(row) - (1 - LIGHT_WEIGHT) * len(row & LIGHT)


@value
class Ranked:
    """An entry as found: its best row, and the score of the whole."""

    best: Scored
    score: float
    rows: int

    @property
    def entry(self) -> int:
        """The entry's row id."""
        return self.best.candidate.entry


def rank(asked: Asked, candidates: Sequence[Candidate], *, locale: str) -> list[Ranked]:
    """Entries, best first; a long document may come with several far-apart chunks."""
    scored = [score(asked, candidate) for candidate in candidates]
    families: dict[int, list[Scored]] = {}
    for item in _compared(asked, scored):
        families.setdefault(item.candidate.entry, []).append(item)
    ranked = [one for family in families.values() for one in _members(asked, family)]
    ranked.sort(key=lambda one: (-_order(one, locale), one.entry))
    return ranked


def _compared(asked: Asked, scored: list[Scored]) -> Iterator[Scored]:
    """The same rows, the best of them with their wording compared as well."""
    left = dict(_COMPARED)
    for item in sorted(scored, key=lambda item: -item.score):
        chunk = item.candidate.role == "chunk"
        index = "doc" if chunk else "faq"
        left[index] -= 1
        if left[index] < 0:
            yield item
            continue
        compare = fuzz.partial_ratio if chunk else fuzz.ratio
        likeness = compare(asked.plain, normal(item.candidate.text)) / 100
        yield replace(item, likeness=likeness)


def _members(asked: Asked, family: list[Scored]) -> list[Ranked]:
    family.sort(key=lambda item: (-item.score, item.candidate.id))
    if family[0].candidate.kind == "doc":
        return _apart(family)
    top = family[0]
    if len(family) == 1:
        return [Ranked(best=top, score=top.score, rows=1)]
    mean = sum(item.score for item in family[:3]) / 3
    union = frozenset().union(*(item.covered for item in family[:5]))
    together = sum(map(asked.weights.__getitem__, union)) / asked.total
    total = (1 - FAMILY) * top.score + FAMILY * mean + UNION * (together - top.coverage)
    return [Ranked(best=top, score=min(1.0, total), rows=len(family))]


def _apart(family: list[Scored]) -> list[Ranked]:
    """Chunks whose neighbourhoods do not overlap."""
    taken: list[Ranked] = []
    for item in family:
        places = (one.best.candidate.ord for one in taken)
        if all(abs(place - item.candidate.ord) > 2 * NEIGHBOUR for place in places):
            taken.append(Ranked(best=item, score=item.score, rows=len(family)))
    return taken


def _order(one: Ranked, locale: str) -> float:
    return one.score + (LOCALE_BONUS if one.best.candidate.locale == locale else 0.0)
