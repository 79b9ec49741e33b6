"""From candidates to ranked entries: which terms to ask the index for, and a bounded score.

The score is 0 to 1 and comparable between questions; the index's own BM25 only fetches.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate, combinations
from operator import itemgetter

import msgspec
from rapidfuzz import fuzz

from bot.knowledge.port import Candidate
from bot.knowledge.sieve import Sieve
from bot.knowledge.terms import LIGHT, LIGHT_WEIGHT, mass, normal, telling, terms
from bot.types import value

COVERAGE, ROW_COVERAGE, LIKENESS = 0.55, 0.25, 0.20
"""Shares of the score of a question row; measured, see the benchmark."""
FAMILY, UNION = 0.3, 0.4
"""What an entry's other rows add: their own scores, and the question's words they cover together.
Measured on two FAQ sets of three questions an entry: R@1 .486 to .512 and .616 to .642."""
CHUNK_LEAST, CHUNK_MOST, CHUNK_TERMS = 0.6, 0.95, 20
"""A long text covers a short question easily: that is worth more, the longer the question."""
ANSWER_WEIGHT = 0.7
"""An FAQ found by its answer's words is less surely meant than one found by its question."""
LOCALE_BONUS = 0.04
"""Among equals, the asker's language first; never enough to hide a clearly better match."""
BUDGET_SHARE, BUDGET_MIN, TERMS_MIN, TERMS_MAX = 0.02, 1000, 3, 20
"""Rows the sent terms may touch together: measured 1/7 of the CPU at 100,000 rows."""
ALONE_MAX = 8000
"""Rows that terms may touch each for itself; beyond that a common one counts beside another only.
Measured at 100,000 rows on the tenth of English questions that do: 28 ms of CPU to 9, the same
first three entries each time."""
TELLING = 16
"""Terms, the heaviest, that decide which rows get a closer look."""
LEANT_ON = 0.4
"""What the words of an earlier question weigh in a follow-up."""
NEIGHBOUR = 1
"""Chunks on either side that come with a found chunk."""
LOOKED_AT = {"faq": 40, "doc": 10}
"""Rows of each index that are scored in full, best by terms first."""


def choose(frequencies: Mapping[str, int], rows: int) -> list[str]:
    """Which of the known terms to send: the rarest, while their rows fit the budget.

    At least three, but a term in over a quarter of the rows only where nothing else is left.
    """
    budget = max(BUDGET_MIN, rows * BUDGET_SHARE)
    chosen: list[str] = []
    spent = 0
    for term, count in sorted(frequencies.items(), key=lambda item: item[1]):
        common = rows > BUDGET_MIN and count * 4 > rows
        dear = spent + count > budget and len(chosen) >= TERMS_MIN
        if chosen and (common or dear or len(chosen) >= TERMS_MAX):
            break
        chosen.append(term)
        spent += count
    return chosen


def groups(frequencies: Mapping[str, int], rows: int) -> list[tuple[str, ...]]:
    """What a row must have to be looked at: all terms of one of these groups.

    Mostly each of the chosen terms for itself. Where they touch very many rows, the rare ones for
    themselves and any two together: of rows that only share one common word there is no end.
    """
    chosen = choose(frequencies, rows)
    alone: list[tuple[str, ...]] = [(term,) for term in chosen]
    if len(chosen) == 1 or sum(frequencies[term] for term in chosen) <= ALONE_MAX:
        return alone
    budget = max(BUDGET_MIN, rows * BUDGET_SHARE)
    touched = accumulate(frequencies[term] for term in chosen)
    rare = [term for term, spent in zip(alone, touched, strict=True) if spent <= budget]
    return [*rare, *combinations(chosen, 2)]


@value
class Asked:
    """A question made ready to be compared with rows. `weights` are per distinct term."""

    plain: str
    weights: dict[str, float]
    total: float
    sought: tuple[tuple[str, float], ...]
    """Each term with its weight, the heaviest first."""
    unknown: float
    """Share of the weight in terms that the base has never seen; in a follow-up its own terms'."""
    known: tuple[str, ...] = ()
    """Its terms that the base has seen: no row has any other."""
    added: frozenset[str] = frozenset()
    """The telling terms that a follow-up adds to the question it leans on; empty for others."""
    leant: bool = False
    """It was joined with an earlier question."""

    @property
    def patience(self) -> float:
        """What a chunk that covers this question is worth beside a question row that does."""
        long = min(1.0, len(self.weights) / CHUNK_TERMS)
        return CHUNK_LEAST + (CHUNK_MOST - CHUNK_LEAST) * long


def ask(question: str, frequencies: Mapping[str, int], rows: int, *, before: str = "") -> Asked:
    """Weigh the terms of a question by their rarity in this base.

    Terms of `before`, the question that this one leans on, count half: what is asked now must
    not drown in what was asked then.
    """
    weights = {
        term: rarity(term, frequencies.get(term, 0), rows) * LEANT_ON for term in terms(before)
    }
    for term in terms(question):
        weights[term] = rarity(term, frequencies.get(term, 0), rows)
    heaviest = sorted(weights, key=weights.__getitem__, reverse=True)
    total = sum(weights.values())
    own = set(terms(question))
    added = telling(own)
    judged = {term: weights[term] for term in own} if added else weights
    unknown = sum(w for term, w in judged.items() if not frequencies.get(term))
    return Asked(
        plain=normal(question),
        weights=weights,
        total=total or 1.0,
        sought=tuple((term, weights[term]) for term in heaviest),
        unknown=unknown / sum(judged.values()) if judged else 1.0,
        known=tuple(term for term in weights if frequencies.get(term)),
        added=frozenset(added) if before else frozenset(),
        leant=bool(before),
    )


def rarity(term: str, count: int, rows: int) -> float:
    """Inverse document frequency, always above 0, less for terms that carry no topic."""
    telling = math.log1p((max(rows, count) - count + 0.5) / (count + 0.5))
    return telling * LIGHT_WEIGHT if term in LIGHT else telling


class Scored(msgspec.Struct, frozen=True):
    """A candidate with its parts of the score, each 0 to 1, and the question's terms it has."""

    candidate: Candidate
    covered: tuple[str, ...]
    coverage: float
    row_coverage: float
    likeness: float
    score: float


def score(asked: Asked, candidate: Candidate, shared: Collection[str]) -> Scored:
    """Hold a row against the question, term by term and as wording; `shared`: terms of both."""
    covered = tuple([term for term, _ in asked.sought if term in shared])
    coverage = sum([asked.weights[term] for term in covered]) / asked.total
    chunk = candidate.role == "chunk"
    row_coverage = 0.0 if chunk else min(1.0, mass(covered) / (candidate.mass or 1.0))
    like = fuzz.partial_ratio if chunk else fuzz.ratio
    likeness = like(asked.plain, normal(candidate.text)) / 100
    return Scored(
        candidate=candidate,
        covered=covered,
        coverage=coverage,
        row_coverage=row_coverage,
        likeness=likeness,
        score=_total(asked, candidate, coverage, row_coverage, likeness),
    )


def _promise(asked: Asked, candidate: Candidate, found: Sequence[float]) -> float:
    """The score without the dear parts, to tell who is worth them; `found`: weights it has."""
    if candidate.role == "chunk":
        return (COVERAGE + ROW_COVERAGE) * sum(found) / asked.total
    back = min(1.0, len(found) / (candidate.mass or 1.0))
    return COVERAGE * sum(found) / asked.total + ROW_COVERAGE * back


def _total(
    asked: Asked, candidate: Candidate, coverage: float, row_coverage: float, likeness: float
) -> float:
    """The parts weighed. A chunk is too long for its own words to be covered."""
    if candidate.role != "chunk":
        return COVERAGE * coverage + ROW_COVERAGE * row_coverage + LIKENESS * likeness
    total = (COVERAGE + ROW_COVERAGE) * coverage + LIKENESS * likeness
    return total * (ANSWER_WEIGHT if candidate.kind == "faq" else asked.patience)


@value
class Ranked:
    """An entry as found: its best row, and the score of the whole."""

    best: Scored
    score: float
    rows: int
    covered: frozenset[str]
    """The question's terms that its rows have together."""

    @property
    def entry(self) -> int:
        """The entry's row id."""
        return self.best.candidate.entry


def rank(asked: Asked, candidates: Sequence[Candidate], *, locale: str) -> list[Ranked]:
    """Entries, best first; a long document may come with several far-apart chunks."""
    families: dict[int, list[Scored]] = {}
    for candidate, shared in _promising(asked, candidates):
        families.setdefault(candidate.entry, []).append(score(asked, candidate, shared))
    ranked = [one for family in families.values() for one in _members(asked, family)]
    ranked.sort(key=lambda one: (-_order(one, locale), one.entry))
    return ranked


def _promising(
    asked: Asked, candidates: Sequence[Candidate]
) -> Iterator[tuple[Candidate, Collection[str]]]:
    """The rows of each index that are worth a closer look, with the terms they share."""
    sieve, heaviest = Sieve(asked.known), asked.sought[:TELLING]
    promises = []
    for row in candidates:
        shared = sieve(row.terms)
        found = [weight for term, weight in heaviest if term in shared]
        promises.append((_promise(asked, row, found), -row.id, row, shared))
    left = dict(LOOKED_AT)
    for _, _, row, shared in sorted(promises, reverse=True, key=itemgetter(0, 1)):
        index = "doc" if row.role == "chunk" else "faq"
        left[index] -= 1
        if left[index] >= 0:
            yield row, shared


def _members(asked: Asked, family: list[Scored]) -> list[Ranked]:
    family.sort(key=lambda item: (-item.score, item.candidate.id))
    if family[0].candidate.kind == "doc":
        return _apart(family)
    top = family[0]
    if len(family) == 1:
        return [Ranked(best=top, score=top.score, rows=1, covered=frozenset(top.covered))]
    mean = sum(item.score for item in family[:3]) / 3
    union = frozenset(term for item in family[:5] for term in item.covered)
    together = sum(map(asked.weights.__getitem__, union)) / asked.total
    total = (1 - FAMILY) * top.score + FAMILY * mean + UNION * (together - top.coverage)
    return [Ranked(best=top, score=min(1.0, total), rows=len(family), covered=union)]


def _apart(family: list[Scored]) -> list[Ranked]:
    """Chunks whose neighbourhoods do not overlap."""
    taken: list[Ranked] = []
    for item in family:
        places = (one.best.candidate.ord for one in taken)
        if all(abs(place - item.candidate.ord) > 2 * NEIGHBOUR for place in places):
            covered = frozenset(item.covered)
            taken.append(Ranked(best=item, score=item.score, rows=len(family), covered=covered))
    return taken


def _order(one: Ranked, locale: str) -> float:
    return one.score + (LOCALE_BONUS if one.best.candidate.locale == locale else 0.0)
