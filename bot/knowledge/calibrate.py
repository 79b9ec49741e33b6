"""Fitting the two confidence numbers to one base: logistic regression and thresholds, pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from bot.knowledge.confidence import EVERY, FEATURES, Calibration, Logistic
from bot.types import value

PAIRS_MIN = 200
"""Usable pairs below which a base keeps the shipped numbers."""
PRECISION = 0.95
"""What direct answers must reach on the pairs."""
GIVEN_MIN = 20
"""Answers that must stand behind a threshold before it is believed."""
SCOPE_KEPT = 0.95
"""The share of answerable questions that the scope gate must let through on the pairs."""
FAR_KEPT_OUT, NEAR_KEPT_OUT = 0.80, 0.95
"""Shares of a base's own noise that its adapted thresholds hold back. Lenient with far talk: a
question let through is still answered by passages or not at all, one kept out is lost."""
SCOPE_HIGH, DIRECT_HIGH = 0.7, 0.995
"""How far a threshold may be moved; beyond the last one direct answering is off."""
SCOPE_SIGNS = ("score", "coverage", "likeness", "length")
TOP_SIGNS = ("score", "gap", "coverage", "row_coverage", "likeness", "covered", "length", "missed")
"""The signs each number uses: the share of unknown terms is left out, it depends on the base's
size and put the shipped scope off by .5 on large bases."""
SCOPE_MEANING = ("nearness", "standout", "lexical")
TOP_MEANING = ("nearness", "nearness_gap", "standout", "agreement")
"""The signs that each uses too where an embedder gave them."""
_RIDGE = 0.1
_ROUNDS = 25


@value
class Sample:
    """One judged search: its signs, what kind of question it was, and if the first was right."""

    vector: tuple[float, ...]
    kind: Literal["in", "near", "far"]
    right: bool


def calibrate(
    samples: Sequence[Sample], *, gap_from: float = 0.1, precision: float = PRECISION
) -> Calibration:
    """Weights and thresholds from judged searches; direct answers reach this precision on them.

    Scope learns from `in` against `far`; `near` is left out, as it is about the same things.
    Direct answering switches itself off where no threshold is precise enough.
    """
    inside = [s.vector for s in samples if s.kind == "in"]
    far = [s.vector for s in samples if s.kind == "far"]
    meant = bool(samples) and len(samples[0].vector) == len(EVERY)
    scope = fit(
        [(v, True) for v in inside] + [(v, False) for v in far],
        SCOPE_SIGNS + SCOPE_MEANING if meant else SCOPE_SIGNS,
    )
    top = fit(
        [(sample.vector, sample.right) for sample in samples],
        TOP_SIGNS + TOP_MEANING if meant else TOP_SIGNS,
    )
    clear = [s for s in samples if s.vector[FEATURES.index("gap")] >= gap_from]
    return Calibration(
        scope=scope,
        top=top,
        scope_from=_scope_from([scope(v) for v in inside], [scope(v) for v in far]),
        direct_from=_direct_from([(top(s.vector), s.right) for s in clear], precision),
        gap_from=gap_from,
        pairs=len(samples),
    )


def adapt(shipped: Calibration, samples: Sequence[Sample]) -> Calibration:
    """The shipped weights with thresholds moved to where this base's own noise lies.

    Needs no pair: strangers' talk shows how high a far question scores here, and a stored question
    asked with its entry hidden how sure a wrong answer looks.
    """
    far = sorted(shipped.scope(s.vector) for s in samples if s.kind == "far")
    near = sorted(shipped.top(s.vector) for s in samples if s.kind == "near")
    scope_from = far[int(len(far) * FAR_KEPT_OUT)] if far else shipped.scope_from
    direct_from = shipped.direct_from
    if near:
        direct_from = max(direct_from, near[int(len(near) * NEAR_KEPT_OUT)])
    return msgspec.structs.replace(
        shipped,
        scope_from=min(max(scope_from, shipped.scope_from), SCOPE_HIGH),
        direct_from=direct_from if direct_from < DIRECT_HIGH else 2.0,
        pairs=len(samples),
    )


def _scope_from(inside: list[float], far: list[float]) -> float:
    """Where the most is told apart, but never above what lets the promised share through."""
    inside.sort()
    most = inside[int(len(inside) * (1 - SCOPE_KEPT))] if inside else 0.5
    spots = sorted({*inside, *far})
    best = max(spots, default=0.5, key=lambda at: _told_apart(at, inside, far))
    return min(most, best)


def _told_apart(at: float, inside: Sequence[float], far: Sequence[float]) -> float:
    kept = sum(x >= at for x in inside) / max(1, len(inside))
    passed = sum(x >= at for x in far) / max(1, len(far))
    return kept - passed


def _direct_from(stated: list[tuple[float, bool]], precision: float) -> float:
    """The lowest p_top from which on the answers are precise enough; 2.0: none is."""
    stated.sort(key=lambda pair: -pair[0])
    found, right = 2.0, 0
    for place, (p, is_right) in enumerate(stated, 1):
        right += is_right
        tied = place < len(stated) and stated[place][0] == p
        if not tied and place >= GIVEN_MIN and right >= precision * place:
            found = p
    return found


def fit(rows: Sequence[tuple[tuple[float, ...], bool]], uses: Sequence[str]) -> Logistic:
    """Ridge logistic regression on some of the signs by Newton's method; deterministic."""
    places = [EVERY.index(name) for name in uses]
    width = len(rows[0][0]) if rows else len(FEATURES)
    points = [((1.0, *(vector[at] for at in places)), float(label)) for vector, label in rows]
    beta = [0.0] * (len(places) + 1)
    for _ in range(_ROUNDS):
        step = _newton(points, beta)
        beta = [b + s for b, s in zip(beta, step, strict=True)]
        if max(map(abs, step)) < 1e-6:
            break
    weights = dict(zip(places, beta[1:], strict=True))
    return Logistic(
        bias=round(beta[0], 4),
        weights=tuple(round(weights.get(at, 0.0), 4) for at in range(width)),
    )


def _newton(points: Sequence[tuple[tuple[float, ...], float]], beta: list[float]) -> list[float]:
    size = len(beta)
    slope = [-_RIDGE * b if place else 0.0 for place, b in enumerate(beta)]
    curve = [
        [_RIDGE if r == c and r else 1e-9 * (r == c) for c in range(size)] for r in range(size)
    ]
    for x, label in points:
        total = sum(b * xi for b, xi in zip(beta, x, strict=True))
        p = 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))
        spread = p * (1 - p)
        for r, xr in enumerate(x):
            slope[r] += (label - p) * xr
            scaled = spread * xr
            row = curve[r]
            for c in range(r + 1):
                row[c] += scaled * x[c]
    for r in range(size):
        for c in range(r):
            curve[c][r] = curve[r][c]
    return _solved(curve, slope)


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss with pivots; the matrix is small and definite."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for place in range(size):
        pivot = max(range(place, size), key=lambda r: abs(rows[r][place]))
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for below in range(place + 1, size):
            factor = rows[below][place] / rows[place][place]
            for column in range(place, size + 1):
                rows[below][column] -= factor * rows[place][column]
    solution = [0.0] * size
    for place in reversed(range(size)):
        known = sum(rows[place][c] * solution[c] for c in range(place + 1, size))
        solution[place] = (rows[place][size] - known) / rows[place][place]
    return solution
