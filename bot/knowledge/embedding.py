"""Keeps vectors up with the texts while the desk runs; words serve as long as that takes.

What is embedded is on disk batch by batch, so a desk that is killed goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import structlog

from bot.clock import Clock
from bot.errors import ContentBlocked, KnowledgeError, ModelError, StorageError, TooLong
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.cases import Case, load_cases
from bot.knowledge.dense import Dense
from bot.knowledge.fit import encode
from bot.knowledge.imports import TEST_SET, stamps
from bot.knowledge.meaning import Standing, Wanting
from bot.knowledge.vectors import packed
from bot.knowledge.weighing import fitted

log = structlog.get_logger()

LOOK_SECONDS = 3.0
"""Between two looks at the live generation: one small read."""
REST_FIRST, REST_MOST = 5.0, 300.0
"""Seconds of rest after a failure, doubling."""
ANOTHER = 0.05
"""Share of the entries that must have changed before a base is measured anew: it takes some 600
searches, which a single entry added in a chat is not worth."""
FORGOTTEN = 500
"""Vectors of another embedder deleted in one transaction."""

_WARM = "Hello?"
"""Asked at the start: reading the weights takes longer than anybody's question waits."""

Told = Callable[[Standing], None]
"""Called with how far it is."""


def quietly(standing: Standing) -> None:
    """A Told that shows nothing."""


class Embedding:
    """Embeds what has no vector, then measures how the embedder is best weighed in this base.

    `folder` is where test sets lie beside the sources.
    """

    def __init__(self, kb: KnowledgeBase, dense: Dense, clock: Clock, *, folder: str = "") -> None:
        self._kb = kb
        self._dense = dense
        self._clock = clock
        self._folder = folder
        self._left_out: set[int] = set()
        self._seen = -1

    async def run(self) -> None:
        """Keep up until cancelled. What fails is told once, and tried again after a rest."""
        failures, warm = 0, False
        while True:
            try:
                if not warm:
                    await self._dense.ready((_WARM,))
                    warm = True
                if await self._dense.vectors.generation() != self._seen:
                    await self.keep_up()
            except (KnowledgeError, ModelError, StorageError) as error:
                failures += 1
                if failures == 1:
                    log.warning("not_embedded", error=str(error))
                rest = min(REST_MOST, REST_FIRST * 2 ** (failures - 1))
                await self._clock.sleep(max(rest, error.retry_after or 0.0))
            else:
                failures = 0
                await self._clock.sleep(LOOK_SECONDS)

    async def keep_up(self, told: Told = quietly) -> Standing:
        """Embed all live texts that have no vector, and fit; how the base stands then.

        Raises ModelError or StorageError; what was embedded until then is kept.
        """
        standing = await self._dense.load()
        self._dense.progress(standing)
        if not standing.whole:
            await self._embed(standing, told)
            standing = await self._dense.load()
        if standing.done + len(self._left_out) >= standing.texts:
            await self._forget_others()
            await self._fit(standing)
            self._seen = standing.generation
        told(standing)
        return standing

    async def _embed(self, standing: Standing, told: Told) -> None:
        """Everything that is missing now, some at a time."""
        dense, after, done = self._dense, 0, standing.done
        name = dense.embedder.name
        while texts := await dense.vectors.missing(name, after=after, limit=dense.embedder.batch):
            some = _light(texts, dense.embedder.batch_chars)
            done += await self._keep(some)
            after = some[-1].id
            dense.progress(replace(standing, done=done))
            told(replace(standing, done=done))

    async def _keep(self, texts: Sequence[Wanting]) -> int:
        """Their vectors, on disk; how many."""
        name, vectors = self._dense.embedder.name, self._dense.vectors
        known = await vectors.known(name, [text.key for text in texts])
        new = {text.key: text.text for text in texts if text.key not in known}
        try:
            made = await self._dense.embedder.embed([*new.values()], query=False) if new else []
        except (ContentBlocked, TooLong) as error:
            if len(texts) > 1:
                return sum([await self._keep([text]) for text in texts])
            self._left_out.add(texts[0].id)
            log.warning("text_not_embedded", text=texts[0].id, error=str(error))
            return 0
        known |= {key: packed(vector) for key, vector in zip(new, made, strict=True)}
        await vectors.keep(name, [(text, known[text.key]) for text in texts])
        return len(texts)

    async def _forget_others(self) -> None:
        """Once all is embedded: what an embedder before this one left."""
        name = self._dense.embedder.name
        while await self._dense.vectors.forget_others(name, limit=FORGOTTEN) == FORGOTTEN:
            pass

    async def _fit(self, standing: Standing) -> None:
        """Once at first, and again when enough of the base is another."""
        name, vectors = self._dense.embedder.name, self._dense.vectors
        since, known = await vectors.fit(name)
        if not standing.texts or (known and await vectors.moved(since) < ANOTHER):
            return
        made = await fitted(self._kb, await asyncio.to_thread(_cases, self._folder))
        await vectors.keep_fit(name, standing.generation, encode(made))
        await self._dense.load()
        log.info("embedder_fitted", embedder=name, faq=made.weights.faq, doc=made.weights.doc)


def _light(texts: Sequence[Wanting], most: int) -> Sequence[Wanting]:
    """As many of the first as fit into so many characters, at least one."""
    sizes = accumulate(len(text.text) for text in texts)
    return texts[: max(1, sum(size <= most for size in sizes))]


def _cases(folder: str) -> list[Case]:
    """The test sets that lie in a folder."""
    if not folder or not Path(folder).is_dir():
        return []
    names = [name for name in stamps(Path(folder)) if name.endswith(TEST_SET)]
    return [case for name in sorted(names) for case in load_cases(Path(folder) / name)]
