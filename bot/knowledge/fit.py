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
        bias=-6.2067,
        weights=(
            *(8.5477, 0.0, 4.4953, 0.0, -3.2181, 0.0, -0.156, 0.0, 0.0),
            *(10.7206, 0.0, -0.4705, 0.0, -2.9004),
        ),
    ),
    top=Logistic(
        bias=-1.5105,
        weights=(
            *(11.3453, 4.4306, -3.6516, -3.0574, -3.7725, 0.0, 0.2538, -0.3657, -3.7878),
            *(3.6864, 0.5922, -1.1747, -0.1793, 0.0),
        ),
    ),
    scope_from=0.4295,
    direct_from=0.8962,
    pairs=1782,
)
"""Fitted as confidence.DEFAULT is, with the local embedder, on the sample shop in both languages,
in English alone and in Chinese alone: so it knows what a question in the other language looks like.
Without the last two, 72 % of those were taken for questions about something else.
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
