"""Fits the confidence that is shipped: `python -m bench.defaults` prints both calibrations.

On the sample shop's test set and the strangers' talk alone, all written for this project; with the
local embedder on the shop in both languages, in English alone and in Chinese alone, so that it
knows what a question in the other language looks like.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

import bot
from bench.retrieval import LOCAL, embedded
from bot.clock import SystemClock
from bot.knowledge import selftest
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.calibrate import Sample, calibrate
from bot.knowledge.cases import Case, load_cases
from bot.knowledge.fusion import USUAL
from bot.knowledge.terms import language
from bot.knowledge.weighing import judged
from storage.passages import PassageStore
from storage.sqlite import SqliteDatabase

SAMPLES = Path(bot.__file__).parent / "samples"
"""The shop and its test set."""
PRECISION = 0.965
"""Of direct answers: above what a base fitted to itself must reach, since others are not the shop.
"""


def cases() -> list[Case]:
    far = [Case(text=text, kind="far", locale=language(text)) for text in selftest.strangers()]
    return [*load_cases(SAMPLES / "shop-eval.jsonl"), *far]


def in_either(case: Case) -> Case:
    """What answers it in a base of one language: the twin of its entry."""
    swap = {".en": ".zh", ".zh": ".en"}
    twins = [
        name.replace(here, there)
        for name in case.rel
        for here, there in swap.items()
        if here in name
    ]
    return msgspec.structs.replace(case, rel=(*case.rel, *twins))


@asynccontextmanager
async def shop(languages: str, *, local: bool) -> AsyncIterator[KnowledgeBase]:
    clock = SystemClock()
    database = await SqliteDatabase.open(":memory:", clock=clock)
    try:
        plain = KnowledgeBase(PassageStore(database), clock)
        for file in sorted((SAMPLES / "shop").iterdir()):
            if any(f".{one}." in file.name for one in languages.split()):
                await plain.import_file(file)
        if not local:
            yield plain
            return
        async with embedded(database, clock) as kb:
            yield kb
    finally:
        await database.close()


async def main() -> None:
    async with shop("en zh", local=False) as kb:
        print(calibrate(await selftest.judged(kb, cases()), precision=PRECISION))
    if LOCAL:
        made: list[Sample] = []
        for languages in ("en zh", "en", "zh"):
            async with shop(languages, local=True) as kb:
                asked = [in_either(case) for case in cases()] if " " not in languages else cases()
                made += await judged(kb, asked, USUAL)
        print(calibrate(made, precision=PRECISION))


if __name__ == "__main__":
    asyncio.run(main())
