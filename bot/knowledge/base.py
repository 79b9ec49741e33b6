"""The knowledge base: what the engine asks and what an operator imports into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.clock import Clock
from bot.knowledge import confidence
from bot.knowledge.confidence import Calibration, Signs
from bot.knowledge.imports import FILE_MAX, Importer, ImportReport, Progress, quiet
from bot.knowledge.port import Candidate, Hits, Passages
from bot.knowledge.rank import NEIGHBOUR, Asked, Ranked, ask, choose, rank
from bot.knowledge.terms import fingerprint, terms
from bot.types import Findings, Passage, value

CANDIDATES = {"faq": 200, "doc": 60}
"""Rows fetched for rescoring; measured: 200 of 100,000 questions keep R@1 within .005."""
QUESTION_MAX = 2000
"""Characters of a question that are searched for; the rest says little more."""


@value
class Looked:
    """Everything one search saw, for those who explain or measure it."""

    asked: Asked
    hits: Hits
    ranked: tuple[Ranked, ...]
    signs: Signs
    calibration: Calibration


class KnowledgeBase:
    """`ports.Knowledge` over a store of passages, with import and the operator's calls."""

    def __init__(self, passages: Passages, clock: Clock, *, file_max: int = FILE_MAX) -> None:
        self._passages = passages
        self._importer = Importer(passages, clock, file_max=file_max)
        self._decoded: tuple[str, Calibration] = ("", confidence.DEFAULT)

    async def import_folder(
        self, path: str | Path, *, by: str = "", progress: Progress = quiet
    ) -> ImportReport:
        """Take in every known file below a folder; files that went from it are forgotten.

        A file that cannot be read is reported and what it gave before stays. Nothing changed:
        no new generation. Raises KnowledgeError when there is no such folder.
        """
        return await self._importer.folder(path, by=by, progress=progress)

    async def import_file(self, path: str | Path, *, uri: str = "", by: str = "") -> ImportReport:
        """Take in one file in the place of what it gave before; `uri` is its name in sources.

        Raises KnowledgeError naming file, place and cause; then nothing has changed.
        """
        return await self._importer.file(path, uri=uri, by=by)

    async def search(self, question: str, *, locale: str, limit: int = 8) -> Findings:
        """The best passages, best first, with the two calibrated numbers.

        Never raises for any text; a question that reads like a stored one is found exactly.
        """
        looked = await self.look(question, locale=locale)
        shown = [one.best.candidate for one in looked.ranked[:limit]]
        exact = _exact(looked.hits.exact, locale)
        if exact:
            entries = {candidate.entry for candidate in exact}
            shown = [*exact, *(other for other in shown if other.entry not in entries)][:limit]
        passages = await self._passages.fetch(shown, around=NEIGHBOUR)
        scores = {one.best.candidate.id: one.score for one in looked.ranked}
        marked = [replace(passage, score=scores.get(passage.id, 0.0)) for passage in passages]
        return findings(looked, marked, {candidate.id for candidate in exact})

    async def look(
        self, question: str, *, locale: str, without: frozenset[int] = frozenset()
    ) -> Looked:
        """One search with all its parts; `without` leaves out rows, for a base testing itself."""
        question = question[:QUESTION_MAX]
        wanted = list(dict.fromkeys(terms(question)))
        hits = await self._passages.find(wanted, fingerprint(question), choose, limit=CANDIDATES)
        asked = ask(question, hits.frequencies, sum(hits.rows.values()))
        found = [row for row in hits.found if row.id not in without]
        ranked = tuple(rank(asked, found, locale=locale))
        return Looked(
            asked=asked,
            hits=hits,
            ranked=ranked,
            signs=confidence.signs(asked, ranked),
            calibration=self._calibration(hits.calibration),
        )

    def _calibration(self, stored: str) -> Calibration:
        if self._decoded[0] != stored:
            self._decoded = (stored, confidence.decode(stored))
        return self._decoded[1]


def findings(looked: Looked, passages: Sequence[Passage], exact: set[int]) -> Findings:
    """Passages and signs held against the thresholds. Two stored answers are never direct."""
    calibration, vector = looked.calibration, looked.signs.vector
    marked = tuple(
        replace(passage, exact=True, score=1.0) if passage.id in exact else passage
        for passage in passages
    )
    if exact:
        answers = {passage.answer for passage in marked if passage.exact}
        sure = 1.0 if len(answers) == 1 else 0.5
        return Findings(
            passages=marked,
            scope=1.0,
            p_top=sure,
            in_scope=True,
            direct=len(answers) == 1,
            generation=looked.hits.generation,
        )
    scope = calibration.scope(vector) if marked else 0.0
    p_top = calibration.top(vector) if marked else 0.0
    in_scope = bool(marked) and scope >= calibration.scope_from
    return Findings(
        passages=marked,
        scope=scope,
        p_top=p_top,
        in_scope=in_scope,
        direct=in_scope and _direct(marked[0], p_top, looked),
        generation=looked.hits.generation,
    )


def _direct(top: Passage, p_top: float, looked: Looked) -> bool:
    """Only a stored answer can be given as it stands, and only well ahead of the next."""
    gap = looked.signs.vector[confidence.FEATURES.index("gap")]
    calibration = looked.calibration
    return (
        top.answer is not None and p_top >= calibration.direct_from and gap >= calibration.gap_from
    )


def _exact(rows: Sequence[Candidate], locale: str) -> list[Candidate]:
    """One row per entry; the asker's language alone where it has any."""
    ours = [row for row in rows if row.locale == locale] or list(rows)
    return list({row.entry: row for row in reversed(ours)}.values())[::-1]
