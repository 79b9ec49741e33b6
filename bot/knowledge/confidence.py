"""How sure a finding is, as two numbers: is the question covered at all, is the first entry right.

One number cannot do both jobs: similarity tells far questions well and near ones badly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from bot.knowledge.fusion import Part
from bot.knowledge.meaning import Nearness
from bot.knowledge.rank import Asked, Ranked
from bot.knowledge.terms import LIGHT, telling
from bot.types import value

FEATURES = (
    "score",
    "gap",
    "coverage",
    "row_coverage",
    "likeness",
    "unknown",
    "length",
    "covered",
    "missed",
)

MEANING = ("nearness", "nearness_gap", "standout", "agreement", "lexical")
"""What an embedder adds; with it "score" and "gap" are those of words and meaning together."""
EVERY = FEATURES + MEANING
_STANDOUT = 10.0
"""Standard deviations above the base's mean cosine that count as 1."""


@value
class Signs:
    """What the confidence is judged by: FEATURES in their order, where meaning was asked EVERY.

    All between 0 and 1 but "nearness_gap", which is below 0 where another entry is nearer.
    """

    vector: tuple[float, ...]


def signs(asked: Asked, ranked: Sequence[Ranked]) -> Signs:
    """Read the signs off a ranking; all zero but the question's own when nothing was found."""
    heavy = sum(1 for term in asked.weights if term not in LIGHT)
    length = min(1.0, heavy / 10)
    if not ranked:
        return Signs(vector=(0.0, 0.0, 0.0, 0.0, 0.0, asked.unknown, length, 0.0, 1.0))
    top = ranked[0]
    second = max((one.score for one in ranked[1:] if one.entry != top.entry), default=0.0)
    covered = sum(1 for term in top.best.covered if term not in LIGHT)
    return Signs(
        vector=(
            top.score,
            max(0.0, top.score - second),
            top.best.coverage,
            top.best.row_coverage,
            top.best.likeness,
            asked.unknown,
            length,
            min(1.0, covered / 5),
            _missed(asked, top),
        )
    )


def _missed(asked: Asked, top: Ranked) -> float:
    """Of the weight of what names the subject, the share that stands nowhere in the entry.

    What tells "how much does the elevator hold" from what a bookshelf holds.
    """
    named = telling(asked.weights)
    total = sum(asked.weights[term] for term in named)
    lacking = sum(asked.weights[term] for term in named - top.covered)
    return lacking / total if total else 0.0


def with_meaning(words: Signs, found: Sequence[Part], near: Nearness) -> Signs:
    """The signs of a ranking by words and meaning, EVERY one of them."""
    if not found:
        return Signs(vector=(*words.vector, 0.0, 0.0, 0.0, 0.0, 0.0))
    top = found[0]
    nearest = max(found, key=lambda one: one.nearness or 0.0)
    worded = max(found, key=lambda one: one.lexical)
    others = max((one.nearness or 0.0 for one in found if one.entry != top.entry), default=0.0)
    above = (max(near.cosines.values(), default=0.0) - near.mean) / (near.spread or 1.0)
    return Signs(
        vector=(
            *words.vector,
            top.nearness or 0.0,
            (top.nearness or 0.0) - others,
            min(1.0, max(0.0, above / _STANDOUT)),
            float(nearest.entry == worded.entry),
            worded.lexical,
        )
    )


QUOTE_FROM, QUOTE_UNKNOWN = 0.3, 0.5
"""An excerpt that no model has read needs this chance to be the right one, and a question whose
weight is not half in words the base has never seen ("do you sell rocket engines"). Of the sample
shop's questions that find the right entry 88 % stay, of near misses 77 % go.
"""


def quotable(vector: Sequence[float], p_top: float) -> bool:
    """The first passage may be shown as it stands, read by nobody.

    Where meaning was asked, unseen words say nothing: the question may be in another language.
    """
    meant = len(vector) == len(EVERY)
    unknown = vector[FEATURES.index("unknown")]
    return p_top >= QUOTE_FROM and (meant or unknown <= QUOTE_UNKNOWN)


class Logistic(msgspec.Struct, frozen=True):
    """A weighted sum of signs through the logistic curve."""

    bias: float
    weights: tuple[float, ...]

    def __call__(self, vector: Sequence[float]) -> float:
        """The probability, 0 to 1."""
        total = self.bias + sum(w * x for w, x in zip(self.weights, vector, strict=True))
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


class Calibration(msgspec.Struct, frozen=True):
    """Weights and thresholds of one knowledge base, or the shipped ones.

    `direct_from` above 1 means: no threshold is precise enough, never answer directly.
    """

    scope: Logistic
    top: Logistic
    scope_from: float
    direct_from: float
    gap_from: float = 0.1
    pairs: int = 0


DEFAULT = Calibration(
    scope=Logistic(
        bias=-8.8783, weights=(15.2496, 0.0, 5.2505, 0.0, 0.7965, 0.0, 3.9628, 0.0, 0.0)
    ),
    top=Logistic(
        bias=0.4352,
        weights=(8.5865, 0.7789, -3.6834, -0.3723, -2.7047, 0.0, 0.8491, 1.868, -5.3772),
    ),
    scope_from=0.3804,
    direct_from=0.8325,
    pairs=594,
)
"""Fitted by `bench.defaults` on the sample shop's own test set, a quarter of it near misses, and
the strangers' talk, all written for this project; in force until a base has pairs enough itself."""


def fits(calibration: Calibration, signs: Sequence[str]) -> bool:
    """It was made for these signs."""
    return len(calibration.scope.weights) == len(calibration.top.weights) == len(signs)


def decode(stored: str) -> Calibration:
    """A stored calibration, or the shipped one where there is none or it is of another make."""
    if not stored:
        return DEFAULT
    try:
        found = msgspec.json.decode(stored, type=Calibration)
    except msgspec.DecodeError:
        return DEFAULT
    return found if fits(found, FEATURES) else DEFAULT


def encode(calibration: Calibration) -> str:
    """As it is stored."""
    return msgspec.json.encode(calibration).decode()
