"""To stop an answer, or to speak into it: the same on both platforms, by the same tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from bot.i18n import say
from storage.driver import sqlite
from tests.fakes.glm import FakeGlm, says
from tests.fakes.slack import FakeSlack
from tests.flow.running import Running, running, until
from tests.flow.slack_service import served

MARK, STOP, NOTHING = (say("en", key) for key in ("answer.stopped", "answer.stop", "stop.nothing"))
WORDS = [f"word{n} " for n in range(300)]


class Front(Protocol):
    """One private conversation, as its person has it before them."""

    glm: FakeGlm

    def say(self, text: str) -> None: ...

    async def stop(self) -> None:
        """The button that stops: ours, or the platform's own beside a stream of its own."""

    def screen(self) -> list[str]:
        """Our messages, oldest first."""

    def labels(self) -> list[str]:
        """All buttons that can be pressed."""

    def another(self, number: int) -> Front:
        """A conversation of its own with the same desk, of another person."""


class OnTelegram:
    def __init__(self, run: Running, user: int = 1001) -> None:
        self.glm, self._telegram = run.glm, run.telegram
        self._run, self._chat = run, run.telegram.private(user)

    def another(self, number: int) -> Front:
        return OnTelegram(self._run, 2000 + number)

    def say(self, text: str) -> None:
        self._telegram.say(self._chat, text)

    async def stop(self) -> None:
        shown = self._telegram.standing(self._chat)[-1]
        self._telegram.press(self._chat, shown.id, STOP)

    def screen(self) -> list[str]:
        return self._telegram.screen(self._chat)

    def labels(self) -> list[str]:
        return [b["text"] for m in self._telegram.standing(self._chat) for b in m.buttons]


class OnSlack:
    """One thread of direct messages."""

    def __init__(self, slack: FakeSlack, glm: FakeGlm, number: int = 1) -> None:
        self.glm, self._slack = glm, slack
        self._user, self._channel = f"U{number}", f"D{number}"
        slack.core.channels[self._channel] = "im"
        slack.core.users[self._user] = {"real_name": "Ann", "locale": "en-US"}
        self._root: str | None = None

    def another(self, number: int) -> Front:
        return OnSlack(self._slack, self.glm, 20 + number)

    def say(self, text: str) -> None:
        ts = self._slack.say(self._user, self._channel, text, thread=self._root)
        self._root = self._root or ts

    def beside(self, text: str) -> None:
        """Said to the desk, but in no thread."""
        self._slack.say(self._user, self._channel, text)

    async def stop(self) -> None:
        shown = self._slack.core.shown(self._channel)[-1]
        if self._slack.core.streams.live(shown):
            assert self._root is not None
            await self._slack.stop_session(self._user, self._channel, self._root)
        else:
            await self._slack.press(self._user, shown, STOP)

    def screen(self) -> list[str]:
        return [shown.markdown for shown in self._slack.core.shown(self._channel)]

    def labels(self) -> list[str]:
        return [
            label for shown in self._slack.core.shown(self._channel) for label in shown.buttons()
        ]


@asynccontextmanager
async def on(platform: str, folder: Path, *, busy: str = "queue") -> AsyncIterator[Front]:
    """A desk at work there."""
    if platform == "telegram":
        database = folder / "desk.db"
        async with running(database, answers="open", knowledge=False, pace="off", busy=busy) as run:
            yield OnTelegram(run)
        return
    slack = FakeSlack(tiers=False)
    await slack.start()
    async with FakeGlm() as glm, served(slack, "socket", folder, glm=glm, busy=busy):
        yield OnSlack(slack, glm)
    await slack.close()


platforms = pytest.mark.parametrize("platform", ["telegram", "slack"])


async def begun(front: Front) -> None:
    """A slow answer is on screen, with its button."""
    front.glm.script.append(says(*WORDS, delay=0.03))
    front.say("Talk for ever")
    await until(lambda: "word3" in "".join(front.screen()))


def stopped(front: Front) -> bool:
    """The partial text is kept and marked, and nothing can be stopped any more."""
    first = front.screen()[0]
    return MARK in first and "word3" in first and STOP not in front.labels()


def outcomes(folder: Path) -> list[str]:
    with contextlib.closing(sqlite.connect(folder / "desk.db")) as db:
        rows = db.execute("SELECT outcome FROM inbox WHERE origin = 'user' ORDER BY position, id")
        return [outcome for (outcome,) in rows]


@platforms
@pytest.mark.parametrize("way", ["button", "/stop", "stop", "停止"])
async def test_a_stop_keeps_what_was_said_and_marks_it(
    platform: str, way: str, tmp_path: Path
) -> None:
    """By button or by the word that stands on it; the word needs no answer of its own.

    What comes next is answered.
    """
    async with on(platform, tmp_path) as front:
        await begun(front)
        if way == "button":
            await front.stop()
        else:
            front.say(way)
        await until(lambda: stopped(front), 5)
        assert len(front.screen()) == 1
        front.glm.script.append(says("Here I am."))
        front.say("Are you there?")
        await until(lambda: "Here I am." in front.screen()[-1])
        assert len(front.screen()) == 2
        assert "word299" not in front.screen()[0]
    covered = [] if way == "button" else ["superseded"]
    assert outcomes(tmp_path) == ["answered", *covered, "answered"]


@platforms
async def test_where_nothing_runs_a_stop_says_so(platform: str, tmp_path: Path) -> None:
    async with on(platform, tmp_path) as front:
        front.say("/stop")
        await until(lambda: front.screen() == [NOTHING])


@platforms
async def test_by_default_a_new_message_waits_its_turn(platform: str, tmp_path: Path) -> None:
    async with on(platform, tmp_path) as front:
        front.glm.script += [says(*WORDS[:30], delay=0.03), says("Second.")]
        front.say("First?")
        await until(lambda: "word3" in "".join(front.screen()))
        front.say("Second?")
        await until(lambda: len(front.screen()) == 2 and "Second." in front.screen()[1])
        assert "word29" in front.screen()[0]
        assert MARK not in front.screen()[0]
    assert outcomes(tmp_path) == ["answered", "answered"]


@platforms
async def test_by_setting_a_new_message_stops_the_answer(platform: str, tmp_path: Path) -> None:
    """In private; what was said is kept and marked, and the new message answered at once."""
    async with on(platform, tmp_path, busy="interrupt") as front:
        await begun(front)
        front.glm.script.append(says("Second."))
        front.say("No, second!")
        await until(lambda: len(front.screen()) == 2 and "Second." in front.screen()[1], 5)
        assert stopped(front)
    assert outcomes(tmp_path) == ["answered", "answered"]


@platforms
async def test_a_skill_is_stopped_like_an_answer(platform: str, tmp_path: Path) -> None:
    """It is a command, and writes all the same."""
    async with on(platform, tmp_path) as front:
        front.glm.script.append(says(*WORDS, delay=0.03))
        front.say("/blog topic=lamps")
        await until(lambda: "word3" in "".join(front.screen()))
        await front.stop()
        await until(lambda: stopped(front), 5)
        assert len(front.screen()) == 1


async def test_on_slack_a_stop_beside_the_threads_stops_the_answer_being_written(
    tmp_path: Path,
) -> None:
    """Each direct message begins a thread; whoever types stop there means what is being written.

    Where nothing is, it says so, in the thread of the stop itself.
    """
    async with on("slack", tmp_path) as front:
        assert isinstance(front, OnSlack)
        await begun(front)
        front.beside("stop")
        await until(lambda: stopped(front), 5)
        await until(lambda: outcomes(tmp_path) == ["answered", "superseded"], 5)
        assert len(front.screen()) == 1
        front.beside("stop")
        await until(lambda: front.screen()[1:] == [NOTHING])


@pytest.mark.soak
async def test_on_slack_a_stop_beside_the_threads_stops_nobody_else_s_answer(
    tmp_path: Path,
) -> None:
    async with on("slack", tmp_path) as front:
        await begun(front)
        other = front.another(1)
        assert isinstance(other, OnSlack)
        other.beside("stop")
        await until(lambda: other.screen() == [NOTHING])
        await until(lambda: "word60" in "".join(front.screen()))
        assert MARK not in front.screen()[0]
