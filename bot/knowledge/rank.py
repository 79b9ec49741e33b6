"""From candidates to ranked entries: which terms to ask the index for, and a bounded score.

The score is 0 to 1 and comparable between questions; the index's own BM25 only fetches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from rapidfuzz import fuzz

from bot.knowledge.port import Candidate
from bot.knowledge.terms import LIGHT, normal, terms
from bot.types import value

LIGHT_WEIGHT = 0.35
"""What a term of LIGHT counts of its rarity; chosen over 0.25, 0.5 and 1 on four FAQ sets."""
COVERAGE, ROW_COVERAGE, LIKENESS = 0.55, 0.25, 0.20
"""Shares of the score of a question row; measured, see the benchmark."""
FAMILY = 0.3
"""How much the next best rows of an entry say beside its best one."""
ANSWER_WEIGHT = 0.85
"""An FAQ found by its answer's words is less surely meant than one found by its question."""
LOCALE_BONUS = 0.04
"""Among equals, the asker's language first; never enough to hide a clearly better match."""
BUDGET_SHARE, BUDGET_MIN, TERMS_MIN = 0.02, 2000, 3
"""Rows the sent terms may touch together: measured 1/7 of the CPU at 100,000 rows."""
NEIGHBOUR = 1
"""Chunks on either side that come with a found chunk."""
_LIKE_AT_MOST = 10
"""Chunks whose wording is compared: it is the dear part, and coverage has sorted them already."""


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
    """A candidate with its parts of the score, each 0 to 1."""

    candidate: Candidate
    score: float
    coverage: float
    row_coverage: float
    likeness: float


def score(asked: Asked, candidate: Candidate) -> Scored:
    """Hold a row against the question. A chunk's wording is compared later, for the best only."""
    row = set(candidate.terms.split(" "))
    covered = [term for term in asked.weights if term in row]
    coverage = sum(asked.weights[term] for term in covered) / asked.total
    if candidate.role == "chunk":
        return Scored(
            candidate=candidate,
            score=coverage * (COVERAGE + ROW_COVERAGE + LIKENESS / 2),
            coverage=coverage,
            row_coverage=0.0,
            likeness=0.0,
        )
    back = _mass(covered) / (_mass(row) or 1.0)
    likeness = fuzz.ratio(asked.plain, normal(candidate.text)) / 100
    return Scored(
        candidate=candidate,
        score=COVERAGE * coverage + ROW_COVERAGE * back + LIKENESS * likeness,
        coverage=coverage,
        row_coverage=back,
        likeness=likeness,
    )


def _mass(row: Iterable[str]) -> float:
    return sum(LIGHT_WEIGHT if term in LIGHT else 1.0 for term in row)


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
    for item in _reworded(asked, scored):
        families.setdefault(item.candidate.entry, []).append(item)
    ranked = [one for family in families.values() for one in _members(family)]
    ranked.sort(key=lambda one: (-_order(one, locale), one.entry))
    return ranked


def _reworded(asked: Asked, scored: list[Scored]) -> list[Scored]:
    """The same rows, the best chunks with their wording compared as well."""
    chunks = [item for item in scored if item.candidate.role == "chunk"]
    chunks.sort(key=lambda item: -item.coverage)
    finished = [item for item in scored if item.candidate.role != "chunk"]
    for place, item in enumerate(chunks):
        finished.append(_compared(asked, item) if place < _LIKE_AT_MOST else item)
    return finished


def _compared(asked: Asked, item: Scored) -> Scored:
    likeness = fuzz.partial_ratio(asked.plain, normal(item.candidate.text)) / 100
    total = item.coverage * (COVERAGE + ROW_COVERAGE) + LIKENESS * likeness
    return Scored(
        candidate=item.candidate,
        score=total * (ANSWER_WEIGHT if item.candidate.kind == "faq" else 1.0),
        coverage=item.coverage,
        row_coverage=0.0,
        likeness=likeness,
    )


def _members(family: list[Scored]) -> list[Ranked]:
    family.sort(key=lambda item: (-item.score, item.candidate.id))
    if family[0].candidate.kind == "doc":
        return _apart(family)
    best = family[0].score
    if len(family) > 1:
        best = (1 - FAMILY) * best + FAMILY * sum(item.score for item in family[:3]) / 3
    return [Ranked(best=family[0], score=best, rows=len(family))]


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
