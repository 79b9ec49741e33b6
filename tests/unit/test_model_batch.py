"""A batch: every line once, in order, whatever fails and whenever it is taken up again."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SystemClock
from bot.errors import KnowledgeError, ModelUnavailable
from bot.model.batch import Answering, Ordered, Progress, run
from bot.types import ChatRequest, ModelDone, ModelEvent, ModelReset, ModelText, ProviderHealth
from tests.fakes.glm import KEY, expected_reply

CLOCK = SystemClock()
ENDLESS = "[" * 100_000 + "]" * 100_000


class Echo:
    """Answers a prompt by itself, later the lower its number; refuses what says "fail"."""

    name = "echo"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append(request.question)
        for _ in range(50 - len(self.asked) % 50):
            await asyncio.sleep(0)
        if "fail" in request.question:
            raise ModelUnavailable("down")
        yield ModelText(delta="torn")
        yield ModelReset()
        yield ModelText(delta=request.question.upper())
        yield ModelDone(model="echo")

    def health(self) -> tuple[ProviderHealth, ...]:
        return ()

    async def close(self) -> None:
        pass


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def lines(path: Path, *items: object) -> Path:
    path.write_text("\n".join(i if isinstance(i, str) else json.dumps(i) for i in items) + "\n")
    return path


async def test_each_line_is_answered_in_its_place(tmp_path: Path) -> None:
    source = lines(tmp_path / "in", *({"prompt": f"p{n}", "id": n} for n in range(100)))
    heard: list[Progress] = []
    total = await run(
        Answering(Echo(), CLOCK), source, tmp_path / "out", clock=CLOCK, tell=heard.append
    )
    rows = written(tmp_path / "out")
    assert [(row["line"], row["id"], row["text"]) for row in rows] == [
        (n + 1, n, f"P{n}") for n in range(100)
    ]
    assert [progress.done for progress in heard] == list(range(1, 101))
    assert (total.done, total.total, total.failed) == (100, 100, 0)


async def test_what_cannot_be_answered_is_an_error_in_its_place(tmp_path: Path) -> None:
    source = lines(
        tmp_path / "in", '"just text"', "{broken", {"prompt": "fail"}, {"id": 1}, {"prompt": " "},
        "", {"prompt": "x", "surplus": 1}, f'{{"prompt": "x", "surplus": {ENDLESS}}}',
    )  # fmt: skip
    total = await run(Answering(Echo(), CLOCK), source, tmp_path / "out", clock=CLOCK)
    rows = written(tmp_path / "out")
    assert [row.get("text") for row in rows] == ["JUST TEXT", None, None, None, None, "X", None]
    assert rows[2]["error"] == "ModelUnavailable: down"
    assert all(row.get("error") for row in rows[1:5])
    assert rows[6]["error"]
    assert (total.total, total.failed) == (7, 5)


async def test_a_second_run_asks_only_what_is_open(tmp_path: Path) -> None:
    """Also when the kill tore the last line in two."""
    source = lines(tmp_path / "in", *(f'"p{n}"' for n in range(20)))
    out = tmp_path / "out"
    await run(Answering(Echo(), CLOCK), source, out, clock=CLOCK)
    whole = out.read_bytes()
    for kept in (0, 1, 500, len(whole) - 1, len(whole)):
        out.write_bytes(whole[:kept])
        again = Echo()
        total = await run(Answering(again, CLOCK), source, out, clock=CLOCK)
        assert out.read_bytes() == whole
        assert len(again.asked) == 20 - whole[:kept].count(b"\n")
        assert total.done == 20


async def test_the_answers_to_another_file_are_not_continued(tmp_path: Path) -> None:
    out = tmp_path / "out"
    await run(Answering(Echo(), CLOCK), lines(tmp_path / "a", '"a"', '"b"'), out, clock=CLOCK)
    before = out.read_bytes()
    for other in (lines(tmp_path / "b", '"a"', '"c"'), lines(tmp_path / "c", '"a"')):
        with pytest.raises(KnowledgeError, match="line 2"):
            await run(Answering(Echo(), CLOCK), other, out, clock=CLOCK)
    assert out.read_bytes() == before
    with pytest.raises(KnowledgeError, match="cannot be read"):
        await run(Answering(Echo(), CLOCK), tmp_path / "none", out, clock=CLOCK)


@given(st.permutations(range(8)))
def test_order_is_made_of_any_order(numbers: list[int]) -> None:
    ordered: Ordered[int] = Ordered(0)
    assert [item for number in numbers for item in ordered.put(number, number)] == list(range(8))


RUNNER = """
import asyncio, random, sys
from pathlib import Path
from bot.clock import SystemClock
from bot.config import Config, ModelConfig, Secret
from bot.model import build_model
from bot.model.batch import Answering, run

async def main():
    url, source, target = sys.argv[1:]
    clock = SystemClock()
    model = build_model(Config(models=(ModelConfig(base_url=url, api_key=Secret("%s")),)), clock)
    await run(Answering(model, clock), Path(source), Path(target), clock=clock)
    await model.close()

asyncio.run(main())
"""


@pytest.mark.soak
async def test_a_thousand_lines_killed_twice_are_each_answered_once(tmp_path: Path) -> None:
    """The real process, SIGKILL, the fake provider in a process of its own."""
    source = lines(tmp_path / "in", *({"prompt": f"Prompt {n}?", "id": n} for n in range(1000)))
    out = tmp_path / "out"
    provider = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.glm", "--chunks", "3", "--delay", "0.002"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert provider.stdout
    url = (await provider.stdout.readline()).decode().strip()
    try:
        for stop_at in (200, 600, None):
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", RUNNER % KEY, url, str(source), str(out))
            )
            while stop_at is not None and worker.returncode is None:
                await asyncio.sleep(0.01)
                if out.exists() and out.read_bytes().count(b"\n") >= stop_at:
                    worker.kill()
                    break
            code = await worker.wait()
            assert code == (0 if stop_at is None else -9)
    finally:
        provider.kill()
        await provider.wait()
    rows = written(out)
    assert [(row["line"], row["text"]) for row in rows] == [
        (n + 1, expected_reply(f"Prompt {n}?")) for n in range(1000)
    ]
