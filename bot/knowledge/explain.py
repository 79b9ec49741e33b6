"""Why a question was answered as it was: terms, candidates, scores, decision."""

from __future__ import annotations

from collections.abc import Iterator

from bot.knowledge.confidence import EVERY, FEATURES, QUOTE_FROM, QUOTE_UNKNOWN
from bot.knowledge.fusion import Weights
from bot.knowledge.looked import Judgement, Looked, judge
from bot.types import Passage, value

SHOWN = 8
NEVER = 1.0
"""A threshold above it is reached by nothing."""


@value
class Weighed:
    """A term of the question: rows it stands in, its share of the weight, and whether the search
    asked an index for it; a very common one only ranks what the others found.
    """

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
class Lack:
    """One thing that stands against giving the first entry out: a sentence of the catalogue."""

    key: str
    values: dict[str, str]


@value
class Explanation:
    """One search laid open. `decision`: direct, grounded or abstain.

    The first entry's answer is given as it stands when nothing is in `not_direct`, and quoted
    where no model reads it when nothing is in `not_quoted`. `passages` are `found` as an answer has
    them. `embedder` is empty where none is set; `weights` None where it was passed over.
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
    exact: bool = False
    not_direct: tuple[Lack, ...] = ()
    not_quoted: tuple[Lack, ...] = ()
    embedder: str = ""
    weights: Weights | None = None
    passages: tuple[Passage, ...] = ()


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
        exact=bool(looked.exact),
        not_direct=tuple(_against_direct(looked, judged)),
        not_quoted=tuple(_against_quoting(looked, judged)),
        embedder=embedder,
        weights=looked.seen.fit.weights if looked.seen else None,
        passages=passages,
    )


def _against_direct(looked: Looked, judged: Judgement) -> Iterator[Lack]:
    """What keeps the first entry's answer from being given as it stands."""
    if looked.exact:
        if not looked.agreed:
            yield _lack("several", found=str(len(looked.exact)))
        return
    calibration = looked.calibration
    yield from _outside(looked, judged)
    if judged.scope == 0.0:
        return
    if calibration.direct_from > NEVER:
        yield _lack("never")
    elif judged.p_top < calibration.direct_from:
        yield _lack("sure", found=f"{judged.p_top:.2f}", needed=f"{calibration.direct_from:.2f}")
    if looked.ranked[0].best.candidate.kind != "faq":
        yield _lack("answer")
    if (gap := _sign(looked, "gap")) < calibration.gap_from:
        yield _lack("gap", found=f"{gap:.2f}", needed=f"{calibration.gap_from:.2f}")


def _against_quoting(looked: Looked, judged: Judgement) -> Iterator[Lack]:
    """What keeps it from being quoted where no model reads it."""
    if looked.exact:
        return
    yield from _outside(looked, judged)
    if judged.scope == 0.0:
        return
    if judged.p_top < QUOTE_FROM:
        yield _lack("sure", found=f"{judged.p_top:.2f}", needed=f"{QUOTE_FROM:.2f}")
    if looked.seen is None and (unknown := _sign(looked, "unknown")) > QUOTE_UNKNOWN:
        yield _lack("known", found=f"{unknown:.0%}", most=f"{QUOTE_UNKNOWN:.0%}")


def _outside(looked: Looked, judged: Judgement) -> Iterator[Lack]:
    """What it does not ask about; a question that is judged at all is never quite outside."""
    if not looked.ranked:
        yield _lack("nothing")
    elif judged.scope == 0.0:
        yield _lack("subject")
    elif not judged.in_scope:
        needed = f"{looked.calibration.scope_from:.2f}"
        yield _lack("scope", found=f"{judged.scope:.2f}", needed=needed)


def _lack(name: str, **values: str) -> Lack:
    return Lack(key=f"kb.lack_{name}", values=values)


def _sign(looked: Looked, name: str) -> float:
    return looked.signs.vector[FEATURES.index(name)]


def _weighed(looked: Looked) -> tuple[Weighed, ...]:
    asked, counts = looked.asked, looked.hits.frequencies
    sent = looked.hits.sent
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
