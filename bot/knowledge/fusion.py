"""Words and meaning in one score: `w · nearness + (1 − w) · lexical score`, both 0 to 1; pure.

Ranks are never mixed: a first rank scores the same however bad the match, and the gate would learn
nothing from it. Measured, far AUROC falls from .98 to .80 with reciprocal ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from bot.knowledge.meaning import INDEXES, Index
from bot.knowledge.port import Candidate
from bot.knowledge.rank import ANSWER_WEIGHT, LOCALE_BONUS, NEIGHBOUR, Ranked
from bot.types import value

FAMILY = 0.3
"""What the mean of an FAQ's three nearest wordings adds to the nearest: R@1 .610 to .618."""
STEPS = tuple(step / 10 for step in range(1, 9))
"""Weights that a self-test chooses among."""
WORTH = 0.015
"""Mean reciprocal rank that a more usual weight may cost. A base asked with its own wordings
favours meaning: chosen by the best alone, R@1 of one development set fell from .625 to .578."""
TRIALS_MIN = 40
"""Trials below which a base keeps the usual weight."""


class Scale(msgspec.Struct, frozen=True):
    """From a cosine to nearness: 0 is what unrelated texts of the base have, 1 its nearest."""

    low: float
    high: float

    def __call__(self, cosine: float) -> float:
        """Nearness, 0 to 1."""
        return min(1.0, max(0.0, (cosine - self.low) / (self.high - self.low)))


class Weights(msgspec.Struct, frozen=True):
    """What nearness counts, by the kind of entry."""

    faq: float = 0.4
    doc: float = 0.2


USUAL = Weights()
"""Within .02 MRR of the best on every development set; long texts are told by their words."""


@value
class Part:
    """An entry (or chunk of a document) with both halves of its score; `score` is the mixture.

    `nearness` None: it has no vector yet, and its words speak alone.
    """

    ranked: Ranked
    lexical: float
    nearness: float | None
    score: float = 0.0

    @property
    def entry(self) -> int:
        """The entry's row id."""
        return self.ranked.entry

    @property
    def kind(self) -> str:
        """That of the entry: faq or doc."""
        return self.ranked.best.candidate.kind


def parts(
    found: Iterable[Ranked],
    rows: Iterable[Candidate],
    cosines: Mapping[int, float],
    scales: Mapping[Index, Scale],
) -> list[Part]:
    """Every entry that words or meaning found, once, with both halves.

    `found` may name an entry twice, as ranked among different rows: the higher score is believed.
    """
    best: dict[tuple[int, int], Ranked] = {}
    for one in found:
        key = _key(one.best.candidate)
        if key not in best or one.score > best[key].score:
            best[key] = one
    near: dict[tuple[int, int], list[float]] = {}
    for row in {row.id: row for row in rows}.values():
        if row.id in cosines:
            near.setdefault(_key(row), []).append(_nearness(row, cosines[row.id], scales))
    return [
        Part(ranked=one, lexical=one.score, nearness=_together(near.get(key, [])))
        for key, one in best.items()
    ]


def _key(row: Candidate) -> tuple[int, int]:
    """An FAQ is one, however many wordings it has; of a document each chunk stands alone."""
    return (row.entry, 0) if row.kind == "faq" else (row.entry, row.id)


def _nearness(row: Candidate, cosine: float, scales: Mapping[Index, Scale]) -> float:
    if row.role != "chunk":
        return scales["faq"](cosine)
    near = scales["doc"](cosine)
    return near * ANSWER_WEIGHT if row.kind == "faq" else near


def _together(near: list[float]) -> float | None:
    if not near:
        return None
    near.sort(reverse=True)
    most = near[:3]
    return (1 - FAMILY) * near[0] + FAMILY * sum(most) / len(most)


def weighed(found: Iterable[Part], weights: Weights, *, locale: str) -> list[Part]:
    """The parts by their mixture, best first; of chunks that overlap the best only."""
    scored = [replace(one, score=_mixture(one, weights)) for one in found]
    scored = [replace(one, ranked=replace(one.ranked, score=one.score)) for one in scored]
    scored.sort(key=lambda one: (-_order(one, locale), one.entry, one.ranked.best.candidate.ord))
    taken: dict[int, list[int]] = {}
    kept = []
    for one in scored:
        places = taken.setdefault(one.entry, [])
        place = one.ranked.best.candidate.ord
        if all(abs(place - other) > 2 * NEIGHBOUR for other in places):
            places.append(place)
            kept.append(one)
    return kept


def _mixture(one: Part, weights: Weights) -> float:
    if one.nearness is None:
        return one.lexical
    weight = weights.faq if one.kind == "faq" else weights.doc
    return weight * one.nearness + (1 - weight) * one.lexical


def _order(one: Part, locale: str) -> float:
    return one.score + (LOCALE_BONUS if one.ranked.best.candidate.locale == locale else 0.0)


@value
class Trial:
    """A question asked for measure: what it found, and the entries that answer it."""

    parts: tuple[Part, ...]
    right: frozenset[int]
    locale: str


def chosen(trials: Sequence[Trial], usual: Weights = USUAL) -> Weights:
    """The most usual of the weights under which the trials' answers rank best, or nearly so.

    Each kind by its own trials; one with fewer than TRIALS_MIN keeps the usual weight.
    """
    made = usual
    for kind in INDEXES:
        ours = [trial for trial in trials if _kind(trial) == kind]
        if len(ours) < TRIALS_MIN:
            continue
        ranks = {step: _ranked_by(ours, _with(made, kind, step)) for step in STEPS}
        good = [step for step in STEPS if ranks[step] >= max(ranks.values()) - WORTH]
        known = usual.doc if kind == "doc" else usual.faq
        made = _with(made, kind, min(good, key=lambda step: abs(step - known)))
    return made


def _kind(trial: Trial) -> str:
    """The kind of what answers it; "" when that was not found at all."""
    return next((one.kind for one in trial.parts if one.entry in trial.right), "")


def _with(weights: Weights, kind: Index, weight: float) -> Weights:
    doc = kind == "doc"
    return Weights(faq=weights.faq if doc else weight, doc=weight if doc else weights.doc)


def _ranked_by(trials: Sequence[Trial], weights: Weights) -> float:
    """The mean of 1 / rank of the first right entry."""
    total = 0.0
    for trial in trials:
        ordered = weighed(trial.parts, weights, locale=trial.locale)
        entries = list(dict.fromkeys(one.entry for one in ordered))
        total += next((1 / at for at, e in enumerate(entries, 1) if e in trial.right), 0.0)
    return total / len(trials)
