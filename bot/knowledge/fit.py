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
    scope=Logistic(bias=0.0, weights=(0.0,) * len(EVERY)),
    top=Logistic(bias=0.0, weights=(0.0,) * len(EVERY)),
    scope_from=0.5,
    direct_from=0.9,
)
"""Fitted as confidence.DEFAULT is, with the local embedder; in force until a base has its own."""


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
