"""The knowledge base: what the engine asks and what an operator imports into."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from bot.clock import Clock
from bot.errors import KnowledgeError, ModelError
from bot.knowledge import confidence, selftest
from bot.knowledge.calibrate import PAIRS_MIN, adapt, calibrate
from bot.knowledge.cases import Case, load_cases
from bot.knowledge.causes import cause_of
from bot.knowledge.confidence import Calibration
from bot.knowledge.entries import Entries
from bot.knowledge.explain import SHOWN, Explanation, explanation
from bot.knowledge.followup import better, foreign, joined
from bot.knowledge.gaps import Cluster, clusters
from bot.knowledge.imports import FILE_MAX, Importer, ImportReport, Progress, quiet
from bot.knowledge.looked import Hidden, Looked, judge, nothing, with_meaning
from bot.knowledge.port import Candidate, Hits, Passages
from bot.knowledge.rank import NEIGHBOUR, ask, groups, rank
from bot.knowledge.terms import fingerprint, terms
from bot.types import Earlier, Findings, Followed, Passage

if TYPE_CHECKING:
    # It stands on numpy, which a desk without an embedder does not load.
    from bot.knowledge.dense import Dense

log = structlog.get_logger()

CANDIDATES = {"faq": 120, "doc": 40}
"""Rows fetched for rescoring."""
QUESTION_MAX = 2000
"""Characters of a question that are searched for; the rest says little more."""


class KnowledgeBase:
    """`ports.Knowledge` over a store of passages, with import and the operator's calls."""

    def __init__(
        self,
        passages: Passages,
        clock: Clock,
        *,
        file_max: int = FILE_MAX,
        dense: Dense | None = None,
    ) -> None:
        self._passages = passages
        self._dense = dense
        self._importer = Importer(passages, clock, file_max=file_max)
        self.entries = Entries(passages, self._importer)
        self._decoded: tuple[str, Calibration] = ("", confidence.DEFAULT)

    async def import_folder(
        self, path: str | Path, *, by: str = "", progress: Progress = quiet, refit: bool = False
    ) -> ImportReport:
        """Take in every known file below a folder; files that went from it are forgotten.

        A file that cannot be read is reported and what it gave before stays. Nothing changed:
        no new generation. `refit` measures the base anew when something did, on the test sets
        (`*eval.jsonl`) of the folder where it has any; one that cannot be read is reported too.
        Raises KnowledgeError when there is no such folder.
        """
        report = await self._importer.folder(path, by=by, progress=progress)
        if refit and report.moved:
            try:
                await self.remeasure(report)
            except KnowledgeError as error:
                return replace(report, failed=(*report.failed, cause_of(error)))
        return report

    async def remeasure(self, report: ImportReport) -> None:
        """`merge` and `refit` after an import, on the test sets that lay beside its sources.

        Raises KnowledgeError for a test set that cannot be read.
        """
        await self.merge()
        read = [await asyncio.to_thread(load_cases, name) for name in report.tests]
        await self.refit([case for found in read for case in found])

    async def renew(self) -> int:
        """Index anew what another version of the tokeniser indexed; the number of entries.

        What a base that was just updated needs once; searches go on meanwhile.
        """
        if count := await self._importer.renew():
            await self.merge()
        return count

    async def merge(self) -> None:
        """Put the index together that an import left in pieces; `remeasure` begins with it.

        About 8 ms of CPU for 1,000 rows, and a search in 10,000 spends half as long in the index.
        It makes no generation and changes nothing that is found.
        """
        await self._passages.merge()

    async def import_file(self, path: str | Path, *, uri: str = "", by: str = "") -> ImportReport:
        """Take in one file in the place of what it gave before; `uri` is its name in sources.

        The index is merged after it. Raises KnowledgeError naming file, place and cause; then
        nothing has changed.
        """
        return await self._merged(await self._importer.file(path, uri=uri, by=by))

    async def import_files(
        self, files: Sequence[tuple[str, Path]], *, by: str = ""
    ) -> ImportReport:
        """Take in files by their names in sources, as one state of the base; then `merge`.

        One that cannot be read is reported, and what it gave before stays.
        """
        return await self._merged(await self._importer.files(files, by=by))

    async def _merged(self, report: ImportReport) -> ImportReport:
        if report.moved:
            await self.merge()
        return report

    async def search(
        self, question: str, *, locale: str, limit: int = 8, before: str = ""
    ) -> Findings:
        """The best passages, best first, with the two calibrated numbers.

        Never raises for any text; a question that reads like a stored one is found exactly.
        `before` is an earlier question that this one leans on.
        """
        return (await self._searched(question, locale=locale, before=before, limit=limit))[1]

    async def _searched(
        self, question: str, *, locale: str, limit: int, before: str = ""
    ) -> tuple[Looked, Findings]:
        """A search with its parts, and what it is worth to the engine."""
        if self._dense is None:
            looked, passages = await self._at_once(question, before, locale, limit)
        else:
            looked = await self.look(question, locale=locale, before=before)
            passages = await self.passages(looked, limit=limit)
            if looked.seen is not None:
                self._dense.helped()
        judged = judge(looked)
        return looked, Findings(
            passages=passages,
            scope=judged.scope,
            p_top=judged.p_top,
            in_scope=judged.in_scope,
            direct=judged.direct,
            quotable=judged.quotable,
            generation=looked.hits.generation,
        )

    async def follow(
        self, question: str, earlier: Earlier, *, locale: str, limit: int = 8
    ) -> Followed:
        """Search a message that may lean on what was said before: alone, and joined with that.

        Free of any model call; the surer of the two is returned, with the wording it was found by.
        """
        looked, alone = await self._searched(question, locale=locale, limit=limit)
        own = alone.direct or foreign(question, looked.asked.unknown)
        leaning = None if own else joined(question, earlier)
        if leaning is None:
            return Followed(findings=alone, question=question)
        now, before = leaning
        together = await self.search(now, locale=locale, limit=limit, before=before)
        if better(alone, together, certain=not before) is alone:
            return Followed(findings=alone, question=question)
        return Followed(findings=together, question=f"{before} {now}".strip())

    async def explain(self, question: str, *, locale: str) -> Explanation:
        """One search laid open: terms, candidates, scores, decision."""
        name = self._dense.embedder.name if self._dense else ""
        try:
            await self.ready([question])
        except ModelError as error:
            log.warning("embedder_not_ready", error=str(error))
        looked = await self.look(question, locale=locale)
        shown = await self.passages(looked, limit=SHOWN)
        return explanation(question, looked, shown, embedder=name)

    async def gaps(self, since: int) -> list[Cluster]:
        """What people asked in vain since then (ms), gathered, most asked first."""
        return clusters(await self._passages.gaps(since))

    async def passages(self, looked: Looked, *, limit: int) -> tuple[Passage, ...]:
        """What a search found, read whole; exact hits first."""
        found = await self._passages.fetch(_shown(looked, limit), around=NEIGHBOUR)
        return _scored(looked, found)

    async def look(
        self,
        question: str,
        *,
        locale: str,
        hidden: Hidden = nothing,
        before: str = "",
        words_only: bool = False,
    ) -> Looked:
        """One search with all its parts; `hidden` rows are left out, for a base testing itself.

        By words, and by meaning where there is an embedder that answers in time.
        """
        question, before = question[:QUESTION_MAX], before[:QUESTION_MAX]
        dense = None if words_only else self._dense
        begun = dense.begin(f"{before} {question}".strip()) if dense else None
        looked = await self._worded(question, locale=locale, hidden=hidden, before=before)
        if dense is None or begun is None:
            return looked
        ids = [row.id for row in looked.hits.found]
        seen = await dense.look(begun, ids, generation=looked.hits.generation)
        return with_meaning(looked, seen, hidden=hidden, locale=locale) if seen else looked

    async def _worded(self, question: str, *, locale: str, hidden: Hidden, before: str) -> Looked:
        """The search by words."""
        hits = await self._passages.find(
            _wanted(question, before), fingerprint(question), groups, limit=CANDIDATES
        )
        return self._ranked(hits, question, before, locale=locale, hidden=hidden)

    async def _at_once(
        self, question: str, before: str, locale: str, limit: int
    ) -> tuple[Looked, tuple[Passage, ...]]:
        """The search by words with its passages; ranked where the store reads, so in one go."""
        question, before = question[:QUESTION_MAX], before[:QUESTION_MAX]

        def pick(hits: Hits) -> tuple[Looked, Sequence[Candidate]]:
            looked = self._ranked(hits, question, before, locale=locale, hidden=nothing)
            return looked, _shown(looked, limit)

        looked, found = await self._passages.search(
            _wanted(question, before),
            fingerprint(question),
            groups,
            pick,
            limit=CANDIDATES,
            around=NEIGHBOUR,
        )
        return looked, _scored(looked, found)

    def _ranked(
        self, hits: Hits, question: str, before: str, *, locale: str, hidden: Hidden
    ) -> Looked:
        """What the store found, ranked by words."""
        asked = ask(question, hits.frequencies, sum(hits.rows.values()), before=before)
        found = [row for row in hits.found if not hidden(row)]
        ranked = tuple(rank(asked, found, locale=locale))
        exact = [row for row in hits.exact if not before and not hidden(row)]
        return Looked(
            asked=asked,
            hits=hits,
            ranked=ranked,
            exact=tuple(_exact(exact, locale)),
            signs=confidence.signs(asked, ranked),
            calibration=self._calibration(hits.calibration),
        )

    async def refit(self, cases: Sequence[Case] = ()) -> Calibration:
        """Measure this base and keep its numbers; call it after an import changed something.

        With at least calibrate.PAIRS_MIN judged cases the weights are fitted to them; without,
        the shipped weights stay and the thresholds move to where this base's own noise lies.
        About 600 searches. It changes no passage and makes no generation.
        """
        words = _Words(self)
        made = await selftest.judged(words, cases) if cases else []
        if len(made) >= PAIRS_MIN:
            fitted = calibrate(made)
        else:
            rows = await self._passages.questions()
            fitted = adapt(confidence.DEFAULT, await selftest.samples(words, rows))
        await self._passages.calibrate(confidence.encode(fitted))
        return fitted

    async def ready(self, questions: Sequence[str] = ()) -> None:
        """Have vectors loaded and these questions embedded: for those who measure, with patience.

        Raises ModelError when the embedder does not answer.
        """
        if self._dense is not None:
            await self._dense.ready(questions)

    @property
    def dense(self) -> Dense | None:
        """The search by meaning, where an embedder is set."""
        return self._dense

    async def questions(self) -> list[Candidate]:
        """All live questions and aliases."""
        return await self._passages.questions()

    async def calibration(self) -> Calibration:
        """The weights and thresholds in force."""
        if self._dense is not None and (meant := self._dense.calibration) is not None:
            return meant
        hits = await self._passages.find((), "", groups, limit=CANDIDATES)
        return self._calibration(hits.calibration)

    def _calibration(self, stored: str) -> Calibration:
        if self._decoded[0] != stored:
            self._decoded = (stored, confidence.decode(stored))
        return self._decoded[1]


class _Words:
    """The base searched by words alone: what its own calibration is made for."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self._kb = kb
        self.passages = kb.passages

    async def look(self, question: str, *, locale: str, hidden: Hidden = nothing) -> Looked:
        return await self._kb.look(question, locale=locale, hidden=hidden, words_only=True)


def _wanted(question: str, before: str) -> list[str]:
    """The terms to ask the index for."""
    return list(dict.fromkeys(terms(question) + terms(before)))


def _shown(looked: Looked, limit: int) -> list[Candidate]:
    """A row of each entry that was found, exact ones first."""
    exact = {candidate.entry: candidate for candidate in looked.exact}
    others = (one.best.candidate for one in looked.ranked if one.entry not in exact)
    return [*exact.values(), *others][:limit]


def _scored(looked: Looked, found: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages with what the search says of each."""
    scores = {one.best.candidate.id: one.score for one in looked.ranked}
    sure = {candidate.id for candidate in looked.exact}
    return tuple(
        replace(one, score=1.0, exact=True)
        if one.id in sure
        else replace(one, score=scores[one.id])
        for one in found
    )


def _exact(rows: Sequence[Candidate], locale: str) -> list[Candidate]:
    """One row per entry; the asker's language alone where it has any."""
    ours = [row for row in rows if row.locale == locale] or list(rows)
    return list({row.entry: row for row in reversed(ours)}.values())[::-1]
