"""Kill -9 over Slack, by both transports: each question of each thread is answered once, whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bot.i18n import say
from tests.fakes.glm import KEY, FakeGlm, computed
from tests.fakes.slack import APP_TOKEN, BOT, BOT_TOKEN, SIGNING_SECRET, FakeSlack
from tests.faults.gate import ROOT, reply_to, tokens

PLACEHOLDERS = {"", *(say(locale, "answer.placeholder") for locale in ("en", "zh"))}
"""What a message may show whose post, or whose start as a stream, was never heard of."""
SEED = int(os.environ.get("GATE_SEED", "20261122"))


class Desk:
    """The real process, which is killed and started again; Slack and the model live on."""

    def __init__(self, folder: Path, slack: FakeSlack, glm: FakeGlm, mode: str) -> None:
        self.database = folder / "desk.db"
        self.log = folder / "desk.log"
        self.kills = 0
        self._environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_MODE": mode,
            "SLACK_API_ROOT": slack.api_root,
            "MODEL_BASE_URL": glm.url,
            "MODEL_API_KEY": KEY,
            "FRONTDESK_ANSWERS": "open",
            "FRONTDESK_RATE": "0",
            "FRONTDESK_DB": str(self.database),
            "FRONTDESK_HTTP": "off",
            "FRONTDESK_ADMIN_HTTP": "off",
            "PYTHONPATH": str(ROOT),
        }
        if mode == "http":
            address = free_address()
            self._environment["FRONTDESK_HTTP"] = address
            slack.target = f"http://{address}/slack/events"
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *module: str) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *(module or ("bot", "run"))),
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        assert self._process
        self._process.kill()
        await self._process.wait()
        self.kills += 1

    async def ended(self, *, within: float) -> int | None:
        """The exit status, if it ends by itself within so many seconds."""
        assert self._process
        try:
            return await asyncio.wait_for(asyncio.shield(self._process.wait()), within)
        except TimeoutError:
            return None

    async def stop(self) -> int:
        assert self._process
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self._process.wait(), 40)


def free_address() -> str:
    """An address on which the desk can listen again and again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def ask(slack: FakeSlack, questions: int, rng: random.Random) -> list[str]:
    """People in direct messages and in a channel, each question a thread of its own."""
    asked = []
    for number in range(questions):
        text = f"q{number % 4}x{number} please?"
        if rng.random() < 0.5:
            order = rng.choice(("message mention", "mention message"))
            asked.append(slack.say("U1", "C1", f"<@{BOT}> {text}", order=order))
        else:
            asked.append(slack.say("U2", "D1", text))
        await asyncio.sleep(rng.uniform(0.1, 0.8))
    return asked


async def at_work(slack: FakeSlack) -> None:
    """Until the desk that was just started speaks: a kill during its imports proves nothing."""
    spoken = len(slack.core.calls)
    async with asyncio.timeout(30):
        while len(slack.core.calls) == spoken:
            await asyncio.sleep(0.02)


def answers(slack: FakeSlack) -> list[str]:
    """The threads in which a whole answer stands."""
    shown = (*slack.core.shown("C1"), *slack.core.shown("D1"))
    return [m.thread or "" for m in shown if "End of answer" in m.markdown]


async def run(folder: Path, mode: str, *, questions: int, kills: int) -> None:
    rng = random.Random(SEED)
    slack = FakeSlack(tiers=False, retries=(0.2,) * 1000)
    slack.ack_seconds = 1.0
    await slack.start()
    slack.core.users = {"U1": {"real_name": "Ann"}, "U2": {"real_name": "Bo"}}
    async with FakeGlm(default=computed(reply_to, chunks=12, delay=0.03)) as glm:
        desk = Desk(folder, slack, glm, mode)
        await desk.start()
        await at_work(slack)

        async def killer() -> None:
            for _ in range(kills):
                await asyncio.sleep(rng.uniform(0.3, 2.5))
                await desk.kill()
                await desk.start()
                await at_work(slack)

        try:
            _, asked = await asyncio.gather(killer(), ask(slack, questions, rng))
            end = time.monotonic() + 60
            while len(set(answers(slack))) < len(asked) and time.monotonic() < end:
                await asyncio.sleep(0.1)
            if mode == "socket":
                await asyncio.wait_for(slack.connected.wait(), 30)
        finally:
            status = await desk.stop()
            await slack.close()
    assert status == 0, desk.log.read_text()[-4000:]
    judge(slack, desk, asked)


def judge(slack: FakeSlack, desk: Desk, asked: list[str]) -> None:
    """Each thread has its answer once, whole and last; nobody was pinged; all rows are settled."""
    assert Counter(answers(slack)) == Counter(asked), desk.log.read_text()[-4000:]
    orphans = 0
    for message in (*slack.core.shown("C1"), *slack.core.shown("D1")):
        if message.markdown in PLACEHOLDERS:
            orphans += 1
            continue
        (question,) = tokens(message.markdown)
        assert message.markdown == reply_to(f"q{question[0]}x{question[1]} please?")
        texts = [text for _, text in message.history]
        assert set(texts[texts.index(message.markdown) :]) == {message.markdown}
        assert not slack.core.streams.live(message)
    assert orphans <= desk.kills * len(asked)
    assert slack.core.pings == []
    assert any(call.method == "chat.appendStream" for call in slack.core.calls)
    with contextlib.closing(sqlite3.connect(desk.database)) as db:
        rows = db.execute("SELECT state, outcome FROM inbox").fetchall()
    assert rows == [(2, "answered")] * len(asked)


@pytest.mark.soak
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_many_kills_over_slack_lose_nothing(mode: str, tmp_path: Path) -> None:
    """After repeated crashes suspects are worked alone, so that kills bury no innocent."""
    await run(tmp_path, mode, questions=40, kills=12)
