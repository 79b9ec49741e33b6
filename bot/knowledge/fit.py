"""What meaning says of a question, and how that is weighed and judged in one base."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bot.knowledge import confidence
from bot.knowledge.confidence import EVERY, Calibration, Logistic
from bot.knowledge.fusion import USUAL, Scale, Weights
from bot.knowledge.meaning import Index, Nearness
from bot.knowledge.port import Candidate
from bot.types import value

DEFAULT = Calibration(
    scope=Logistic(
        bias=-9.1047,
        weights=(5.73, 0.0, 2.7283, 0.0, 0.772, 0.0, 1.1557, 0.0, 7.546, 0.0, 0.488, 0.0, 5.5831),
    ),
    top=Logistic(
        bias=-6.5297,
        weights=(
            *(5.6894, 8.9594, 2.6084, -1.9841, -1.9362, 0.0, -0.2124, 1.6184),
            *(2.9795, -1.0107, -0.4741, 0.4894, 3.7774),
        ),
    ),
    scope_from=0.2973,
    direct_from=0.8,
    pairs=382,
)
"""Fitted as confidence.DEFAULT is, with the local embedder; in force until a base has its own.

`direct_from` is more careful than the fit's own .61: over five halves it ranged up to .88.
"""


class Fit(msgspec.Struct, frozen=True):
    """What nearness counts and what the signs are worth."""

    weights: Weights = USUAL
    calibration: Calibration = DEFAULT


def decode(stored: str) -> Fit:
    """A stored fit, or the shipped one where there is none or it is of another make."""
    if not stored:
        return Fit()
    try:
        found = msgspec.json.decode(stored, type=Fit)
    except msgspec.DecodeError:
        return Fit()
    return found if confidence.fits(found.calibration, EVERY) else Fit()


def encode(fit: Fit) -> str:
    """As it is stored."""
    return msgspec.json.encode(fit).decode()


@value
class Seen:
    """What meaning says of one question: how near, the nearest texts, and how to weigh it."""

    near: Nearness
    rows: tuple[Candidate, ...]
    scales: Mapping[Index, Scale]
    fit: Fit
