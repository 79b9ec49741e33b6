"""The operator's own numbers: how well this base finds, abstains, and knows what it knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import structlog

from bot.clock import Clock
from bot.errors import ModelError, UserError
from bot.knowledge import selftest
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.cases import Case
from bot.knowledge.looked import Hidden, judge, nothing
from bot.knowledge.terms import language
from bot.types import value

log = structlog.get_logger()

BINS = 10
"""Of equal width, for the calibration error."""
CONFUSIONS = 10
"""How many are reported."""
DEPTH = 10
"""How far down a right entry still counts as found."""


@value
class Outcome:
    """How one case went. `rank` counts from 1; None when no right entry was in the first ten."""

    case: Case
    rank: int | None
    top: str
    vector: tuple[float, ...]
    exact: bool
    scope: float
    p_top: float
    in_scope: bool
    direct: bool
    seconds: float
    meant: bool = False

    @property
    def right(self) -> bool:
        """The first entry is a right one."""
        return self.rank == 1


@value
class Evaluation:
    """A base in numbers. Shares are 0 to 1; None where no case could tell.

    `coverage_90` and `_95`: the share of answerable questions whose first entry may be given
    directly while that share of everything given is right. `meant`: the share of searches that
    the embedder helped, with its weights by kind; without one the name is empty. `lost`: ids that
    answerable questions name and that the base does not have.
    """

    cases: int
    recall_1: float
    recall_3: float
    recall_10: float
    mrr: float
    far_auroc: float | None
    near_auroc: float | None
    coverage_90: float
    coverage_95: float
    ece: float
    direct: float
    direct_precision: float | None
    in_scope: float
    far_passed: float | None
    scope_from: float
    direct_from: float
    confusions: tuple[tuple[str, str, int], ...]
    p50_ms: float
    p95_ms: float
    embedder: str = ""
    faq_weight: float | None = None
    doc_weight: float | None = None
    meant: float = 0.0
    lost: tuple[str, ...] = ()


async def outcomes(kb: KnowledgeBase, asked: Iterable[Case], clock: Clock) -> list[Outcome]:
    """Ask every case as a person would."""
    return [await _outcome(kb, case, clock) for case in asked]


async def _outcome(
    kb: KnowledgeBase, case: Case, clock: Clock, *, hidden: Hidden = nothing
) -> Outcome:
    begun = clock.monotonic()
    looked = await kb.look(case.text, locale=case.locale or language(case.text), hidden=hidden)
    seconds = clock.monotonic() - begun
    passages = await kb.passages(looked, limit=3 * DEPTH)
    found = list(dict.fromkeys(passage.entry for passage in passages))
    names = [{p.entry, p.source} for entry in found for p in passages if p.entry == entry]
    ranks = (place for place, known in enumerate(names, 1) if known & set(case.rel))
    rank = next(ranks, None)
    judged = judge(looked)
    return Outcome(
        case=case,
        rank=rank if rank and rank <= DEPTH else None,
        top=found[0] if found else "",
        vector=looked.signs.vector,
        exact=bool(looked.exact),
        scope=judged.scope,
        p_top=judged.p_top,
        in_scope=judged.in_scope,
        direct=judged.direct,
        seconds=seconds,
        meant=looked.seen is not None,
    )


async def evaluate(kb: KnowledgeBase, asked: Sequence[Case], clock: Clock) -> Evaluation:
    """Ask every case and count."""
    await _get_ready(kb, asked)
    seen = await _counted(kb, await outcomes(kb, asked, clock))
    entries = await kb.entries.all()
    known = {one.uid for one in entries} | {one.source for one in entries}
    named = {name for case in asked if case.kind == "in" for name in case.rel}
    return replace(seen, lost=tuple(sorted(named - known)))


async def evaluate_itself(kb: KnowledgeBase, clock: Clock) -> Evaluation:
    """Ask the stored questions with themselves taken out, and strangers' talk, and count.

    Raises UserError when no entry has a second wording to ask it by.
    """
    asked = selftest.asked(
        await kb.questions(), {one.id: one.uid for one in await kb.entries.all()}
    )
    if not any(case.kind == "in" for case, _ in asked):
        raise UserError("kb.nothing_to_eval")
    await _get_ready(kb, [case for case, _ in asked])
    return await _counted(
        kb, [await _outcome(kb, case, clock, hidden=hidden) for case, hidden in asked]
    )


async def _get_ready(kb: KnowledgeBase, asked: Sequence[Case]) -> None:
    """Embed all questions at once; without an answer words alone are measured, and it shows."""
    try:
        await kb.ready([case.text for case in asked])
    except ModelError as error:
        log.warning("embedder_not_ready", error=str(error))


async def _counted(kb: KnowledgeBase, seen: Sequence[Outcome]) -> Evaluation:
    calibration, dense = await kb.calibration(), kb.dense
    made = count(seen, scope_from=calibration.scope_from, direct_from=calibration.direct_from)
    if dense is None:
        return made
    weights = dense.weights
    return replace(
        made, embedder=dense.embedder.name, faq_weight=weights.faq, doc_weight=weights.doc
    )


def count(seen: Sequence[Outcome], *, scope_from: float, direct_from: float) -> Evaluation:
    """The numbers of a run."""
    inside = [one for one in seen if one.case.kind == "in"]
    far = [one for one in seen if one.case.kind == "far"]
    near = [one for one in seen if one.case.kind == "near"]
    given = [one for one in seen if one.direct]
    stolen = Counter((one.case.rel[0], one.top) for one in inside if not one.right and one.case.rel)
    times = sorted(one.seconds * 1000 for one in seen) or [0.0]
    return Evaluation(
        cases=len(seen),
        recall_1=_share(inside, lambda one: one.right),
        recall_3=_share(inside, lambda one: one.rank is not None and one.rank <= 3),
        recall_10=_share(inside, lambda one: one.rank is not None),
        mrr=sum(1 / one.rank for one in inside if one.rank) / max(1, len(inside)),
        far_auroc=auroc([one.scope for one in inside], [one.scope for one in far]),
        near_auroc=auroc([one.p_top for one in inside], [one.p_top for one in near]),
        coverage_90=coverage(seen, 0.90)[0],
        coverage_95=coverage(seen, 0.95)[0],
        ece=calibration_error([(one.p_top, one.right) for one in seen]),
        direct=_share(inside, lambda one: one.direct),
        direct_precision=_share(given, lambda one: one.right) if given else None,
        in_scope=_share(inside, lambda one: one.in_scope),
        far_passed=_share(far, lambda one: one.in_scope) if far else None,
        scope_from=scope_from,
        direct_from=direct_from,
        confusions=tuple((*pair, often) for pair, often in stolen.most_common(CONFUSIONS)),
        p50_ms=times[len(times) // 2],
        p95_ms=times[int(len(times) * 0.95)],
        meant=_share(seen, lambda one: one.meant),
    )


def _share(seen: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> float:
    return sum(map(holds, seen)) / max(1, len(seen))


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float | None:
    """How surely a number from `inside` exceeds one from `outside`; ties count half."""
    if not inside or not outside:
        return None
    marked = sorted([(x, 1) for x in inside] + [(x, 0) for x in outside])
    total, place = 0.0, 0
    while place < len(marked):
        end = place
        while end < len(marked) and marked[end][0] == marked[place][0]:
            end += 1
        total += (place + end + 1) / 2 * sum(is_in for _, is_in in marked[place:end])
        place = end
    pairs = len(inside) * len(outside)
    return (total - len(inside) * (len(inside) + 1) / 2) / pairs


def coverage(seen: Sequence[Outcome], precision: float) -> tuple[float, float]:
    """The most answerable questions given directly at this precision, and from which p_top."""
    ordered = sorted(seen, key=lambda one: -one.p_top)
    inside = sum(one.case.kind == "in" for one in seen)
    best, at, right, ours = 0.0, 2.0, 0, 0
    for place, one in enumerate(ordered, 1):
        right += one.right
        ours += one.case.kind == "in"
        tied = place < len(ordered) and ordered[place].p_top == one.p_top
        if not tied and right >= precision * place:
            best, at = ours / max(1, inside), one.p_top
    return best, at


def calibration_error(pairs: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error: how far stated probabilities are from what came true."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for stated, true in pairs:
        bins.setdefault(min(BINS - 1, int(stated * BINS)), []).append((stated, true))
    off = (abs(sum(p for p, _ in some) - sum(t for _, t in some)) for some in bins.values())
    return sum(off) / max(1, len(pairs))
