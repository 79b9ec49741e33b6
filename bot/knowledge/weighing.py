"""Measures how an embedder's findings are best weighed and judged in one base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.knowledge import confidence, selftest
from bot.knowledge.calibrate import PAIRS_MIN, Sample, adapt, calibrate
from bot.knowledge.cases import Case
from bot.knowledge.fit import DEFAULT, Fit
from bot.knowledge.fusion import Trial, Weights, chosen, weighed
from bot.knowledge.looked import Hidden, Looked, nothing
from bot.knowledge.terms import language

if TYPE_CHECKING:
    from bot.knowledge.base import KnowledgeBase


async def fitted(kb: KnowledgeBase, cases: Sequence[Case]) -> Fit:
    """Weights and numbers for this base, with its embedder made ready.

    Test cases decide where there are PAIRS_MIN of them; otherwise the base's own questions choose
    the weights, and the shipped calibration moves to where the base's own noise lies.
    Raises ModelError when the embedder does not answer.
    """
    names = {one.id: frozenset((one.uid, one.source)) for one in await kb.entries.all()}
    asked: list[tuple[Case, Hidden]] = [(case, nothing) for case in cases]
    if len(cases) < PAIRS_MIN:
        uids = {one.id: one.uid for one in await kb.entries.all()}
        asked = selftest.asked(await kb.questions(), uids)
    seen = await _seen(kb, asked)
    weights = chosen([_trial(case, looked, names) for case, looked in seen if case.kind == "in"])
    samples = [_sample(case, looked, names, weights) for case, looked in seen]
    if len(cases) >= PAIRS_MIN and len(samples) >= PAIRS_MIN:
        return Fit(weights=weights, calibration=calibrate(samples))
    return Fit(weights=weights, calibration=adapt(DEFAULT, samples))


async def judged(kb: KnowledgeBase, cases: Sequence[Case], weights: Weights) -> list[Sample]:
    """Test cases as these weights rank them; those that read like a stored question tell nothing.

    Raises ModelError when the embedder does not answer.
    """
    names = {one.id: frozenset((one.uid, one.source)) for one in await kb.entries.all()}
    seen = await _seen(kb, [(case, nothing) for case in cases])
    return [_sample(case, looked, names, weights) for case, looked in seen]


async def _seen(
    kb: KnowledgeBase, asked: Sequence[tuple[Case, Hidden]]
) -> list[tuple[Case, Looked]]:
    """The searches that meaning was asked in and that no stored question equals."""
    await kb.ready([case.text for case, _ in asked])
    seen = [(case, await _look(kb, case, hidden)) for case, hidden in asked]
    return [(case, looked) for case, looked in seen if looked.seen and not looked.exact]


async def _look(kb: KnowledgeBase, case: Case, hidden: Hidden) -> Looked:
    return await kb.look(case.text, locale=_locale(case), hidden=hidden)


def _locale(case: Case) -> str:
    return case.locale or language(case.text)


Names = Mapping[int, frozenset[str]]


def _right(case: Case, names: Names) -> frozenset[int]:
    wanted = set(case.rel)
    return frozenset(entry for entry, known in names.items() if known & wanted)


def _trial(case: Case, looked: Looked, names: Names) -> Trial:
    return Trial(parts=looked.parts, right=_right(case, names), locale=_locale(case))


def _sample(case: Case, looked: Looked, names: Names, weights: Weights) -> Sample:
    """The search as these weights would have ranked it."""
    assert looked.seen is not None, "only searches that meaning was asked in are fitted to"
    parts = weighed(looked.parts, weights, locale=_locale(case))
    words = confidence.signs(looked.asked, [one.ranked for one in parts])
    signs = confidence.with_meaning(words, parts, looked.seen.near)
    right = bool(parts) and parts[0].entry in _right(case, names)
    return Sample(vector=signs.vector, kind=case.kind, right=right)
