"""The configured folder while the desk runs: imported at start, and again when its files change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.errors import KnowledgeError, StorageFull
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.learning import LOOK_SECONDS, Learning
from storage.passages import PassageStore
from tests.fakes.inline_database import InlineDatabase

FAQ = "question,alias,answer\nMay I bring my dog?,Are pets allowed?,Dogs are welcome.\n"


class Looks(SystemClock):
    """Every pause ends when the test says so."""

    def __init__(self) -> None:
        self.slept = asyncio.Event()
        self.go = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        assert seconds == LOOK_SECONDS
        self.slept.set()
        await self.go.wait()
        self.go.clear()

    async def look(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Do something, let one look happen, and wait until it is over."""
        await self.slept.wait()
        self.slept.clear()
        meanwhile()
        self.go.set()
        await self.slept.wait()


@pytest.fixture
async def kb() -> AsyncIterator[KnowledgeBase]:
    database = InlineDatabase.open()
    yield KnowledgeBase(PassageStore(database), SystemClock())
    await database.close()


async def uids(kb: KnowledgeBase) -> list[str]:
    return sorted(one.title for one in await kb.entries.all())


async def test_files_that_come_change_and_go_are_followed(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "faq.csv").write_text(FAQ)
    clock = Looks()
    learning = Learning(kb, clock, folder=str(tmp_path))
    await learning.begin()
    assert await uids(kb) == ["May I bring my dog?"]
    running = asyncio.create_task(learning.run())
    more = tmp_path / "more.csv"
    await clock.look(lambda: more.write_text("question,answer\nWho are you?,A shop.\n"))
    assert await uids(kb) == ["May I bring my dog?", "Who are you?"]
    state = [one.id for one in await kb.entries.generations()]
    await clock.look()
    assert [one.id for one in await kb.entries.generations()] == state
    await clock.look(more.unlink)
    assert await uids(kb) == ["May I bring my dog?"]
    running.cancel()


async def test_the_thresholds_are_measured_after_the_start_not_before_it(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "faq.csv").write_text(FAQ)
    clock = Looks()
    learning = Learning(kb, clock, folder=str(tmp_path))
    shipped = await kb.calibration()
    await learning.begin()
    assert await kb.calibration() == shipped
    running = asyncio.create_task(learning.run())
    await clock.slept.wait()
    assert await kb.calibration() != shipped
    running.cancel()


async def test_what_somebody_else_took_in_and_did_not_measure_is_measured(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "faq.csv").write_text(FAQ)
    shipped = await kb.calibration()
    await kb.import_folder(tmp_path)
    clock = Looks()
    learning = Learning(kb, clock, folder=str(tmp_path))
    await learning.begin()
    running = asyncio.create_task(learning.run())
    await clock.slept.wait()
    assert await kb.calibration() != shipped
    running.cancel()


class Full(KnowledgeBase):
    """On a disk that is full."""

    tries = 0

    async def renew(self) -> int:
        self.tries += 1
        raise StorageFull


async def test_what_fails_is_tried_again_with_the_next_look_only() -> None:
    database = InlineDatabase.open()
    kb, clock = Full(PassageStore(database), SystemClock()), Looks()
    running = asyncio.create_task(Learning(kb, clock).run())
    await clock.look()
    await clock.look()
    assert kb.tries == 3
    running.cancel()
    await database.close()


async def test_a_folder_that_goes_away_leaves_what_was_known(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    folder = tmp_path / "kb"
    folder.mkdir()
    (folder / "faq.csv").write_text(FAQ)
    clock = Looks()
    learning = Learning(kb, clock, folder=str(folder))
    await learning.begin()
    running = asyncio.create_task(learning.run())
    await clock.look(lambda: folder.rename(tmp_path / "elsewhere"))
    assert await uids(kb) == ["May I bring my dog?"]
    running.cancel()


async def test_unwatched_it_stays_as_it_was_at_start(kb: KnowledgeBase, tmp_path: Path) -> None:
    clock = Looks()
    learning = Learning(kb, clock, folder=str(tmp_path), watch=False)
    await learning.begin()
    running = asyncio.create_task(learning.run())
    await clock.look(lambda: (tmp_path / "faq.csv").write_text(FAQ))
    assert await uids(kb) == []
    running.cancel()
    with pytest.raises(KnowledgeError, match="no such folder"):
        await Learning(kb, clock, folder=str(tmp_path / "none")).begin()
