"""Why a question was answered as it was: terms, candidates, scores, decision."""

from __future__ import annotations

from bot.knowledge.confidence import EVERY
from bot.knowledge.fusion import Weights
from bot.knowledge.looked import Looked, judge
from bot.knowledge.rank import choose
from bot.types import Passage, value

SHOWN = 8


@value
class Weighed:
    """A term of the question: rows it stands in, its share of the weight, was it sent."""

    term: str
    rows: int
    share: float
    sent: bool


@value
class Found:
    """One entry as it was ranked; `lexical` and `nearness` where meaning was asked too."""

    entry: str
    title: str
    matched: str
    score: float
    coverage: float
    row_coverage: float
    likeness: float
    exact: bool
    lexical: float | None = None
    nearness: float | None = None


@value
class Explanation:
    """One search laid open. `decision`: direct, grounded or abstain.

    `embedder` is empty where none is set; `weights` None where it was passed over.
    """

    question: str
    terms: tuple[Weighed, ...]
    found: tuple[Found, ...]
    signs: tuple[tuple[str, float], ...]
    scope: float
    scope_from: float
    p_top: float
    direct_from: float
    gap_from: float
    decision: str
    generation: int
    embedder: str = ""
    weights: Weights | None = None


def explanation(
    question: str, looked: Looked, passages: tuple[Passage, ...], *, embedder: str = ""
) -> Explanation:
    """The parts of a search as an operator reads them."""
    judged = judge(looked)
    calibration = looked.calibration
    decision = "direct" if judged.direct else "grounded" if judged.in_scope else "abstain"
    return Explanation(
        question=question,
        terms=_weighed(looked),
        found=tuple(_found(looked, passage) for passage in passages),
        signs=tuple(zip(EVERY, looked.signs.vector, strict=False)),
        scope=judged.scope,
        scope_from=calibration.scope_from,
        p_top=judged.p_top,
        direct_from=calibration.direct_from,
        gap_from=calibration.gap_from,
        decision=decision,
        generation=looked.hits.generation,
        embedder=embedder,
        weights=looked.seen.fit.weights if looked.seen else None,
    )


def _weighed(looked: Looked) -> tuple[Weighed, ...]:
    asked, counts = looked.asked, looked.hits.frequencies
    sent = set(choose(counts, sum(looked.hits.rows.values())))
    return tuple(
        Weighed(term=term, rows=counts.get(term, 0), share=weight / asked.total, sent=term in sent)
        for term, weight in asked.sought
    )


def _found(looked: Looked, passage: Passage) -> Found:
    best = {one.best.candidate.id: one for one in looked.ranked}.get(passage.id)
    halves = {one.ranked.best.candidate.id: one for one in looked.parts}.get(passage.id)
    return Found(
        entry=passage.entry,
        title=passage.title,
        matched=best.best.candidate.text if best else passage.text,
        score=passage.score,
        coverage=best.best.coverage if best else 1.0,
        row_coverage=best.best.row_coverage if best else 1.0,
        likeness=best.best.likeness if best else 1.0,
        exact=passage.exact,
        lexical=halves.lexical if halves else None,
        nearness=halves.nearness if halves else None,
    )
