"""Search by meaning while the desk runs: questions to vectors in good time, or not at all.

Words alone must always do: an embedder that is slow, broken or not ready is passed over and
counted, and nobody waits longer than WAIT_SECONDS for it.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import structlog

from bot.clock import Clock
from bot.errors import ContentBlocked, KnowledgeError, ModelError, TooLong
from bot.knowledge.confidence import Calibration
from bot.knowledge.fit import Fit, Seen, decode
from bot.knowledge.fusion import Weights
from bot.knowledge.meaning import MEANT_MAX, Health, Index, Nearness, Row, Standing, Vectors
from bot.knowledge.rank import LOOKED_AT
from bot.knowledge.terms import normal
from bot.knowledge.vectors import Matrix, one_thread
from bot.ports import Embedder

log = structlog.get_logger()

WAIT_SECONDS = 0.4
"""For a question's vector, after the search by words, which it runs beside, is done."""
FAILURES, REST_SECONDS = 3, 30.0
"""After so many in a row the embedder is left alone for a while, and no question waits for it."""
UNDER_WAY = 8
"""Questions embedded at once; one that was not waited for is finished and remembered."""
REMEMBERED = 2048
"""Vectors of questions kept, 4 MB at 512 numbers."""
ENOUGH = 0.9
"""Share of the live texts with a vector from which meaning is asked."""
PAGE = 5000
"""Vectors read in one go."""
NEAREST: dict[Index, int] = {"faq": LOOKED_AT["faq"], "doc": LOOKED_AT["doc"]}

Skipped = Literal["slow", "failed", "resting", "busy", "unready"]


class Dense:
    """An embedder and the vectors of a base, asked side by side with the search by words."""

    def __init__(self, embedder: Embedder, vectors: Vectors, clock: Clock) -> None:
        self.embedder = embedder
        self.vectors = vectors
        self._clock = clock
        self._matrix: Matrix | None = None
        self._standing = self._progress = Standing(generation=-1, texts=0, done=0)
        self._fit = Fit()
        self._remembered: OrderedDict[str, array[float]] = OrderedDict()
        self._running: dict[str, asyncio.Task[array[float]]] = {}
        self._skipped: Counter[str] = Counter()
        self._helped = 0
        self._failures = 0
        self._rest_until = 0.0
        self._last_error = ""
        self._thread = ThreadPoolExecutor(1, "meaning", initializer=one_thread)

    # --- what a search asks ---------------------------------------------------------------------

    def begin(self, question: str) -> asyncio.Task[array[float]] | None:
        """Start on a question's vector; None: words alone must do. Never raises."""
        question = question[:MEANT_MAX]
        why, key = self._unfit(), normal(question)
        new = key not in self._remembered and key not in self._running
        if why is None and new and len(self._running) >= UNDER_WAY:
            why = "busy"
        if why is not None or not key:
            self._skip(why)
            return None
        return self._vector(key, question)

    async def look(
        self, begun: asyncio.Task[array[float]], ids: Iterable[int], *, generation: int
    ) -> Seen | None:
        """How near the question is to these texts and to which most; None: words alone must do."""
        vector = await self._in_time(begun)
        matrix = self._matrix
        if vector is None or matrix is None:
            return None
        if len(vector) != matrix.dim:
            self._failed("failed", f"{len(vector)} numbers; the base has {matrix.dim} a vector")
            return None
        near = await self._off_loop(matrix, vector, list(ids))
        rows = await self.vectors.candidates(near.ids, generation=generation)
        return Seen(near=near, rows=tuple(rows), scales=matrix.scales, fit=self._fit)

    @property
    def calibration(self) -> Calibration | None:
        """What searches are judged by now; None: words alone do."""
        return self._fit.calibration if self._unfit() != "unready" else None

    @property
    def weights(self) -> Weights:
        """What nearness counts, by kind of entry."""
        return self._fit.weights

    def helped(self) -> None:
        """Somebody's search was made with meaning; those of a self-test do not count."""
        self._helped += 1

    def health(self) -> Health:
        """From real traffic, and from the last look at the vectors."""
        return Health(
            name=self.embedder.name,
            standing=self._progress,
            helped=self._helped,
            skipped=dict(self._skipped),
            last_error=self._last_error,
        )

    # --- what keeps it ready --------------------------------------------------------------------

    def progress(self, standing: Standing) -> None:
        """How far the embedding is, for those who ask."""
        self._progress = standing

    async def load(self) -> Standing:
        """Take the vectors of the live texts into memory, where they moved.

        Raises StorageError, and KnowledgeError for vectors that cannot be compared.
        """
        standing = await self.vectors.standing(self.embedder.name)
        if standing != self._standing or self._matrix is None:
            rows: list[Row] = []
            while page := await self.vectors.rows(
                self.embedder.name, after=rows[-1].id if rows else 0, limit=PAGE
            ):
                rows += page
            loop = asyncio.get_running_loop()
            try:
                self._matrix = await loop.run_in_executor(self._thread, Matrix, rows)
            except ValueError as error:
                name = self.embedder.name
                raise KnowledgeError(f"{name}: {error}; give embedder.dimensions") from error
            self._standing = self._progress = standing
        self._fit = decode((await self.vectors.fit(self.embedder.name))[1])
        return standing

    async def ready(self, questions: Sequence[str] = ()) -> None:
        """Load, and embed these questions in good batches: for those who measure, with patience.

        Raises ModelError when the embedder does not answer.
        """
        await self.load()
        unknown = {normal(text[:MEANT_MAX]): text[:MEANT_MAX] for text in questions}
        wanted = [key for key in unknown if key and key not in self._remembered][:REMEMBERED]
        for start in range(0, len(wanted), self.embedder.batch):
            await self._learn({key: unknown[key] for key in wanted[start:][: self.embedder.batch]})

    async def close(self) -> None:
        """Let go of what is under way; the embedder is closed by whoever made it."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _learn(self, questions: dict[str, str]) -> None:
        """Remember vectors of these; a question that is refused for what it says is left out."""
        try:
            vectors = await self.embedder.embed([*questions.values()], query=True)
        except (ContentBlocked, TooLong):
            if len(questions) > 1:
                for key, text in questions.items():
                    await self._learn({key: text})
            return
        for key, vector in zip(questions, vectors, strict=True):
            self._remember(key, vector)

    # --- within ---------------------------------------------------------------------------------

    def _unfit(self) -> Skipped | None:
        standing = self._standing
        if self._matrix is None or standing.done < max(1, ENOUGH * standing.texts):
            return "unready"
        return "resting" if self._clock.monotonic() < self._rest_until else None

    def _vector(self, key: str, question: str) -> asyncio.Task[array[float]]:
        if key not in self._running:
            task = asyncio.create_task(self._embedded(key, question))
            task.add_done_callback(_heard)
            self._running[key] = task
        return self._running[key]

    async def _embedded(self, key: str, question: str) -> array[float]:
        try:
            vector = self._remembered.get(key)
            if vector is None:
                vector = (await self.embedder.embed([question], query=True))[0]
            self._remember(key, vector)
            return vector
        finally:
            del self._running[key]

    def _remember(self, key: str, vector: array[float]) -> None:
        self._remembered[key] = vector
        self._remembered.move_to_end(key)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    async def _in_time(self, begun: asyncio.Task[array[float]]) -> array[float] | None:
        done, _ = await asyncio.wait((begun,), timeout=WAIT_SECONDS)
        if not done:
            self._failed("slow", f"no vector within {WAIT_SECONDS:.1f} s")
            return None
        if (error := begun.exception()) is not None:
            if not isinstance(error, ModelError):
                raise error
            self._failed("failed", str(error))
            return None
        if self._failures:
            log.info("embedder_back", embedder=self.embedder.name)
        self._failures = 0
        return begun.result()

    async def _off_loop(self, matrix: Matrix, vector: array[float], ids: list[int]) -> Nearness:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, lambda: matrix.nearest(vector, ids, limit=NEAREST)
        )

    def _failed(self, why: Skipped, error: str) -> None:
        self._skip(why)
        self._last_error = error
        self._failures += 1
        if self._failures == 1:
            log.warning("embedder_skipped", embedder=self.embedder.name, why=why, error=error)
        if self._failures >= FAILURES:
            self._rest_until = self._clock.monotonic() + REST_SECONDS

    def _skip(self, why: Skipped | None) -> None:
        if why is not None:
            self._skipped[why] += 1


def _heard(task: asyncio.Task[array[float]]) -> None:
    """How a question ended that nobody waited for is nobody's news."""
    if not task.cancelled():
        task.exception()
