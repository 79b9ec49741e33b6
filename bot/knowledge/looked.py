"""One search with all its parts, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from bot.knowledge import confidence
from bot.knowledge.confidence import Calibration, Signs
from bot.knowledge.fit import Seen
from bot.knowledge.fusion import Part, parts, weighed
from bot.knowledge.port import Candidate, Hits
from bot.knowledge.rank import Asked, Ranked, rank
from bot.knowledge.terms import telling
from bot.types import Passage, value

ALIKE = 0.75
"""Likeness to a stored question from which words that tell nothing mean it all the same."""

Hidden = Callable[[Candidate], bool]


def nothing(row: Candidate) -> bool:
    """Hides no row."""
    return False


@value
class Looked:
    """Everything one search saw, for those who explain or measure it."""

    asked: Asked
    hits: Hits
    ranked: tuple[Ranked, ...]
    exact: tuple[Candidate, ...]
    signs: Signs
    calibration: Calibration
    parts: tuple[Part, ...] = ()
    """Both halves of each score, in the order of `ranked`; empty where words decided alone."""
    seen: Seen | None = None
    """What meaning said; None where it was not asked, or passed over."""

    @property
    def agreed(self) -> bool:
        """One entry alone reads exactly like the question."""
        return len(self.exact) == 1


@value
class Judgement:
    """What the search is worth; see `types.Findings` for the meaning of each."""

    scope: float = 0.0
    p_top: float = 0.0
    in_scope: bool = False
    direct: bool = False
    quotable: bool = True


class Looks(Protocol):
    """What can be searched with all parts shown."""

    async def look(self, question: str, *, locale: str, hidden: Hidden = nothing) -> Looked:
        """One search; `hidden` rows are left out."""
        ...

    async def passages(self, looked: Looked, *, limit: int) -> tuple[Passage, ...]:
        """What a search found, read whole; exact hits first."""
        ...


def with_meaning(looked: Looked, seen: Seen, *, hidden: Hidden, locale: str) -> Looked:
    """The search by words together with what meaning says of the same question."""
    nearest = [row for row in seen.rows if not hidden(row)]
    rows = [*(row for row in looked.hits.found if not hidden(row)), *nearest]
    found = [*looked.ranked, *rank(looked.asked, nearest, locale=locale)]
    made = weighed(
        parts(found, rows, seen.near.cosines, seen.scales), seen.fit.weights, locale=locale
    )
    ranked = tuple(one.ranked for one in made)
    words = confidence.signs(looked.asked, ranked)
    return replace(
        looked,
        ranked=ranked,
        signs=confidence.with_meaning(words, made, seen.near),
        calibration=seen.fit.calibration,
        parts=tuple(made),
        seen=seen,
    )


def judge(looked: Looked) -> Judgement:
    """The signs held against the thresholds. Two differing stored answers are never direct."""
    calibration, vector = looked.calibration, looked.signs.vector
    if looked.exact:
        return Judgement(scope=1.0, p_top=1.0, in_scope=True, direct=looked.agreed)
    if not looked.ranked:
        return Judgement()
    if not _says_something(looked):
        return Judgement(quotable=False)
    scope, p_top = calibration.scope(vector), calibration.top(vector)
    in_scope = scope >= calibration.scope_from
    to_the_point = _to_the_point(looked)
    sure = in_scope and p_top >= calibration.direct_from and _clear(looked)
    return Judgement(
        scope=scope,
        p_top=p_top,
        in_scope=in_scope,
        direct=sure and to_the_point and bool(looked.asked.added or not looked.asked.leant),
        quotable=to_the_point and confidence.quotable(vector, p_top),
    )


def _says_something(looked: Looked) -> bool:
    """It names a subject; "how are you" has words that stand in every base, and none that tells."""
    likeness = looked.signs.vector[confidence.FEATURES.index("likeness")]
    return bool(telling(looked.asked.weights)) or likeness >= ALIKE


def _to_the_point(looked: Looked) -> bool:
    """Of what a follow-up adds, half stands in what was found: not the old answer once more."""
    added, weights = looked.asked.added, looked.asked.weights
    met = sum(weights[term] for term in added & looked.ranked[0].covered)
    return met >= sum(weights[term] for term in added) / 2


def _clear(looked: Looked) -> bool:
    """Only a stored answer can be given as it stands, and only well ahead of the next entry."""
    gap = looked.signs.vector[confidence.FEATURES.index("gap")]
    kind = looked.ranked[0].best.candidate.kind
    return kind == "faq" and gap >= looked.calibration.gap_from
