"""A process that embeds is killed in the middle, again and again: nothing is done twice or lost."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest
from aiohttp import web

from bot.clock import SystemClock
from bot.config import EmbedderConfig
from bot.model.embedding import BATCH, HttpEmbedder
from storage import open_stores
from tests.fakes.embedder import KEY, FakeEmbeddings, given, meaning

ROOT = Path(__file__).parents[2]
ENTRIES = 150
KILLS = 3


async def kept(database: Path, url: str) -> int:
    """How many texts have their vectors on disk."""
    settings = EmbedderConfig(kind="openai", base_url=url)
    name = HttpEmbedder(settings, SystemClock(), random=random.random).name
    stores = await open_stores(str(database), SystemClock(), read_only=True)
    try:
        return (await stores.vectors.standing(name)).done
    finally:
        await stores.close()


async def desk(folder: Path, url: str, *words: str) -> asyncio.subprocess.Process:
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("FRONTDESK_")},
        "PYTHONPATH": str(ROOT),
        "FRONTDESK_EMBEDDER": "openai",
        "FRONTDESK_EMBEDDER_URL": url,
        "FRONTDESK_EMBEDDER_KEY": KEY,
        "LANG": "C.UTF-8",
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.soak
async def test_a_killed_embedding_goes_on_with_what_is_not_on_disk_yet(tmp_path: Path) -> None:
    rows = [f"q{number},What of item {number:b}?,So it is {number:o}." for number in range(ENTRIES)]
    (tmp_path / "faq.csv").write_text("id,question,answer\n" + "\n".join(rows))
    async with FakeEmbeddings() as glm:
        imported = await desk(tmp_path, glm.url, "kb", "import", "faq.csv")
        assert await imported.wait() == 0, (await imported.communicate())[1]
        for kill in range(KILLS):
            await _killed_at_second_call(tmp_path, glm, done=kill * BATCH)
        begun = len(glm.calls)
        last = await desk(tmp_path, glm.url, "kb", "embed")
        out, errors = await last.communicate()
    assert last.returncode == 0, errors
    assert f"{2 * ENTRIES} of {2 * ENTRIES} texts" in out.decode()
    first = [text for call in glm.calls[:begun:2] for text in call["input"]]
    rest = [text for call in glm.calls[begun:] for text in call["input"]]
    assert len(first) == KILLS * BATCH == len(set(first))
    answers = {f"So it is {number:o}." for number in range(ENTRIES)}
    assert not answers & set(first) & set(rest)  # questions are asked again by the self-test


async def _killed_at_second_call(folder: Path, glm: FakeEmbeddings, *, done: int) -> None:
    """One batch is answered and kept; while the next is under way the process is gone."""
    reached = asyncio.Event()

    async def answer(texts: list[str], length: int) -> web.Response:
        return given([list(meaning(text, length)) for text in texts])

    async def hang(_texts: list[str], _length: int) -> web.Response:
        reached.set()
        await asyncio.sleep(30)
        raise AssertionError("nobody is there any more")

    glm.script.extend([answer, hang])
    process = await desk(folder, glm.url, "kb", "embed")
    await asyncio.wait_for(reached.wait(), 30)
    process.kill()
    await process.communicate()
    assert await kept(folder / "frontdesk.db", glm.url) == done + BATCH
