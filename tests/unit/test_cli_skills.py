"""`frontdesk skill` and `frontdesk batch`, as processes of their own against the fake provider."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from bot.cli.skills import bar
from bot.model.batch import Progress
from bot.types import value
from tests.fakes.glm import KEY, FakeGlm, computed, expected_reply, question_of, refuses, says

ROOT = Path(__file__).parents[2]


@value
class Ended:
    """What a process left behind."""

    status: int
    out: str
    errors: str


def environ(glm: FakeGlm | None) -> dict[str, str]:
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    model = {"MODEL_API_KEY": KEY, "MODEL_BASE_URL": glm.url} if glm else {}
    return kept | model


async def started(cwd: Path, glm: FakeGlm | None, *words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        cwd=cwd,
        env=environ(glm),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )


async def frontdesk(cwd: Path, glm: FakeGlm | None, *words: str, stdin: str = "") -> Ended:
    process = await started(cwd, glm, *words)
    async with asyncio.timeout(40):
        out, errors = await process.communicate(stdin.encode())
    assert process.returncode is not None
    assert b"Traceback" not in errors
    return Ended(status=process.returncode, out=out.decode(), errors=errors.decode())


def prompts(path: Path, count: int) -> Path:
    path.write_text("".join(json.dumps({"prompt": f"P{n}?", "id": n}) + "\n" for n in range(count)))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def test_a_skill_writes_to_stdout_what_the_model_says(tmp_path: Path) -> None:
    async with FakeGlm() as glm:
        glm.default = says("A ", "toast.\x1b[2J")
        done = await frontdesk(
            tmp_path, glm, "skill", "blog", "winter lamps", "words=300", "--temperature", "0.1"
        )
        body = glm.calls[-1].body
    assert (done.status, done.out) == (0, "A toast.\ufffd[2J\n")
    assert body["temperature"] == 0.1
    assert "300 words" in body["messages"][0]["content"]
    assert body["messages"][1]["content"] == "<topic>\nwinter lamps\n</topic>"


async def test_a_skill_works_on_what_is_piped_in(tmp_path: Path) -> None:
    async with FakeGlm() as glm:
        done = await frontdesk(
            tmp_path, glm, "skill", "summarize", "-f", "-", "--lang", "zh", stdin="长文。words=1"
        )
        system, user = glm.calls[-1].body["messages"]
    assert done.status == 0
    assert "总结 <text>" in system["content"]
    assert user["content"] == "<text>\n长文。words=1\n</text>"


async def test_what_is_wrong_is_said_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "skills").mkdir()
    async with FakeGlm() as glm:
        for words, said in (
            (("skill", "sing"), "There is no skill sing"),
            (("skill", "blog"), "topic is missing. What should the post be about?"),
            (("skill", "blog", "words=1", "topic=x"), "words should be between 50 and 3000"),
            (("skill", "blog", "x", "--temperature", "9"), "temperature"),
        ):
            done = await frontdesk(tmp_path, glm, *words)
            assert (done.status, done.out) == (2, "")
            assert said in done.errors
        (tmp_path / "skills" / "bad.toml").write_text('name = "bad"\ndaily = 0\n', "utf-8")
        done = await frontdesk(tmp_path, glm, "skill", "blog", "x")
        assert done.status == 2
        assert "skills/bad.toml" in done.errors
        assert not glm.calls
    done = await frontdesk(tmp_path, None, "skill", "blog", "x")
    assert done.status == 2


async def test_a_batch_answers_in_order_with_errors_in_their_lines(tmp_path: Path) -> None:
    source, out = prompts(tmp_path / "in.jsonl", 30), tmp_path / "out.jsonl"
    source.write_text(source.read_text() + "{broken\n", "utf-8")
    async with FakeGlm() as glm:
        glm.default = computed(expected_reply)
        done = await frontdesk(tmp_path, glm, "batch", str(source), "-o", str(out))
        again = await frontdesk(tmp_path, glm, "batch", str(source), "-o", str(out))
        assert len(glm.calls) == 30
    assert [row.get("text") for row in rows(out)] == [
        *(expected_reply(f"P{n}?") for n in range(30)),
        None,
    ]
    assert rows(out)[30]["error"]
    assert (done.status, done.out) == (1, "")
    assert done.errors.startswith("Done: 31 of 31 lines, 1 failed")
    assert again.errors.startswith("Done: 31 of 31 lines, 1 failed")


async def test_a_batch_into_no_folder_asks_nobody(tmp_path: Path) -> None:
    async with FakeGlm() as glm:
        prompts(tmp_path / "in.jsonl", 2)
        done = await frontdesk(tmp_path, glm, "batch", "in.jsonl", "-o", "nowhere/out.jsonl")
    assert done.status == 2
    assert "no folder nowhere" in done.errors
    assert not glm.calls


async def test_a_batch_of_a_skill_takes_each_line_for_its_arguments(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('"to=French Print"\n"to=French print"\n"to=French print"\n"words=3"\n"  "\n')
    async with FakeGlm() as glm:
        glm.default = computed(lambda text: text.splitlines()[1].upper())
        words = ("batch", str(source), "-o", str(out), "--skill", "translate", "--workers", "1")
        await frontdesk(tmp_path, glm, *words, "--temperature", "0.9", "--max-tokens", "77")
        bodies = [call.body for call in glm.calls]
    assert [row.get("text") for row in rows(out)] == ["PRINT", "PRINT", "PRINT", "WORDS=3", None]
    assert [row.get("cached", False) for row in rows(out)] == [False, False, True, False, False]
    assert {(body["temperature"], body["max_tokens"]) for body in bodies} == {(0.9, 77)}


async def test_without_the_cache_equal_prompts_are_asked_again(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('"same"\n"same"\n')
    async with FakeGlm() as glm:
        words = ("batch", str(source), "-o", str(out), "--workers", "1")
        await frontdesk(tmp_path, glm, *words, "--no-cache")
        assert len(glm.calls) == 2


async def test_ctrl_c_loses_nothing_and_the_same_command_goes_on(tmp_path: Path) -> None:
    source, out = prompts(tmp_path / "in.jsonl", 40), tmp_path / "out.jsonl"
    words = ("batch", str(source), "-o", str(out), "--workers", "2")
    async with FakeGlm() as glm:
        glm.default = computed(expected_reply, chunks=2, delay=0.03)
        process = await started(tmp_path, glm, *words)
        async with asyncio.timeout(30):
            while not out.exists() or out.read_bytes().count(b"\n") < 5:
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, errors = await process.communicate()
        assert process.returncode == 130
        assert b"Stopped." in errors
        assert b"Traceback" not in errors
        written = len(rows(out))
        assert 5 <= written < 40
        done = await frontdesk(tmp_path, glm, *words)
        assert done.status == 0
        asked = [question_of(call.body) for call in glm.calls]
    assert [row["text"] for row in rows(out)] == [expected_reply(f"P{n}?") for n in range(40)]
    assert all(asked.count(f"P{n}?") == 1 for n in range(written))


async def test_a_provider_that_refuses_is_an_error_in_each_line_and_logged(tmp_path: Path) -> None:
    source, out = prompts(tmp_path / "in.jsonl", 2), tmp_path / "out.jsonl"
    async with FakeGlm() as glm:
        glm.default = refuses("1113")
        done = await frontdesk(tmp_path, glm, "batch", str(source), "-o", str(out))
    assert done.status == 1
    assert all(row["error"] for row in rows(out))
    assert "model_failed" in done.errors
    assert KEY not in done.errors


def test_the_bar_says_how_far_and_how_long() -> None:
    progress = Progress(
        done=30, total=120, failed=2, cached=3, tokens=9, seconds=10.0, seconds_left=65.0
    )
    shown = "[#####---------------] 30/120 · failed 2 · from the cache 3 · 1:05 left"
    assert bar(progress, "en") == shown


HEAVY = {"structlog", "rich", "telegram", "slack_bolt", "storage", "adapters", "bot.desk"}
HEAVY |= {"markdown_it", "jinja2", "tests"}


def loaded(names: str) -> set[str]:
    """What stands in memory after these modules were imported."""
    script = f"import sys, {names}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ(None), capture_output=True, check=True
    )
    return set(done.stdout.decode().split())


def test_a_batch_and_a_skill_load_neither_platforms_nor_storage_nor_the_log() -> None:
    """They are started often, from scripts."""
    batch = (
        "bot.cli.skills, bot.config, bot.clock, bot.model.build, bot.model.cached,"
        " bot.model.fallback, bot.model.paced, bot.model.retrying, bot.model.client,"
        " bot.model.batch"
    )
    assert not HEAVY & loaded(batch)
    assert not HEAVY & loaded(f"{batch}, bot.engine.skills, bot.engine.skills.run")
