"""One person with a whole desk and a model that says "Done.": on Telegram, or on Slack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from adapters.slack.adapter import SlackAdapter
from adapters.slack.normalise import thread_place
from tests.fakes.glm import FakeGlm, computed
from tests.fakes.slack import BOT, FakeSlack
from tests.fakes.telegram.core import FakeTelegram
from tests.flow.running import Running, running
from tests.flow.slack_desk import me_of
from tests.flow.slack_service import served
from tests.flow.test_desk import bot_says


class Front(Protocol):
    """What the cases need of a platform."""

    glm: FakeGlm

    async def ask(self, text: str, *, about: str = "") -> str:
        """Say it to the desk, in answer to `about` if given; what the desk said to that."""
        ...

    async def say(self, text: str) -> str:
        """Say it plainly, where the desk has just asked something."""
        ...

    async def ask_about(self, name: str, content: bytes, text: str) -> str:
        """Send a file, then say this in answer to it; what the desk said to that."""
        ...


class OnTelegram:
    """A private chat; what it is about is replied to."""

    def __init__(self, run: Running, language: str) -> None:
        self._run = run
        self.glm = run.glm
        self._chat = run.telegram.private(language=language)
        self._heard = 0

    async def ask(self, text: str, *, about: str = "") -> str:
        reply_to = None
        if about:
            reply_to = self._run.telegram.say(self._chat, about)
            await self._next()
        self._run.telegram.say(self._chat, text, reply_to=reply_to)
        return await self._next()

    async def say(self, text: str) -> str:
        return await self.ask(text)

    async def ask_about(self, name: str, content: bytes, text: str) -> str:
        self._run.telegram.files[name] = content
        file = {"file_id": name, "file_unique_id": name, "file_name": name}
        file |= {"file_size": len(content), "mime_type": "text/plain"}  # type: ignore[dict-item]
        sent = self._run.telegram.say(self._chat, None, document=file)
        await self._next()
        replied = {"message_id": sent, "date": 1, "chat": self._chat.json(), "document": file}
        self._run.telegram.say(self._chat, text, reply_to_message=replied)
        return await self._next()

    def _said(self) -> list[str]:
        return bot_says(self._run.telegram, self._chat.id)

    async def _next(self) -> str:
        await settled(lambda: len(self._said()) > self._heard and self._run.service.idle)
        self._heard = len(self._said())
        return self._said()[-1]


class OnSlack:
    """Channels where the desk is mentioned; what it is about begins the thread. A new one for each
    question: Slack takes one post a second in one.
    """

    def __init__(self, slack: FakeSlack, adapter: SlackAdapter, glm: FakeGlm) -> None:
        self._slack = slack
        self._adapter = adapter
        self.glm = glm
        self._thread = self._channel = ""
        self._heard = 0

    async def ask(self, text: str, *, about: str = "") -> str:
        self._elsewhere()
        thread = self._slack.say("U1", self._channel, escaped(about)) if about else None
        ts = self._slack.say("U1", self._channel, f"<@{BOT}> {escaped(text)}", thread=thread)
        self._thread, self._heard = thread or ts, 0
        return await self._next()

    def _elsewhere(self) -> None:
        self._channel = f"C{len(self._slack.core.channels) + 1}"
        self._slack.core.channels[self._channel] = "channel"

    async def say(self, text: str) -> str:
        place = thread_place(me_of(self._adapter), self._channel, self._thread)
        async with asyncio.timeout(10):  # what was asked stands there a moment before it is settled
            while not await self._adapter._party(place):
                await asyncio.sleep(0.01)
        self._slack.say("U1", self._channel, escaped(text), thread=self._thread)
        return await self._next()

    async def ask_about(self, name: str, content: bytes, text: str) -> str:
        self._elsewhere()
        thread = self._slack.upload("U2", self._channel, "", name, content)
        self._slack.say("U1", self._channel, f"<@{BOT}> {text}", thread=thread)
        self._thread, self._heard = thread, 0
        return await self._next()

    def _said(self) -> list[str]:
        return [one.markdown for one in self._slack.core.shown(self._channel, thread=self._thread)]

    async def _next(self) -> str:
        await settled(lambda: len(self._said()) > self._heard and finished(self._said()[-1]))
        self._heard = len(self._said())
        return self._said()[-1]


def escaped(text: str) -> str:
    """As Slack writes what people type."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def finished(shown: str) -> bool:
    """It is no placeholder, and no stream that has just begun."""
    return bool(shown.strip()) and not shown.rstrip().endswith("…")


async def settled(true: Callable[[], object]) -> None:
    """Until something is so; ten seconds at most."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def on_telegram(folder: Path, language: str = "en") -> AsyncIterator[Front]:
    """Without limits to its pace: these cases are about words."""
    calm = FakeTelegram(flood=False)
    async with FakeGlm(default=computed(lambda _: "Done.", chunks=1)) as glm:
        database = folder / "desk.db"
        async with running(database, knowledge=False, pace="off", glm=glm, telegram=calm) as run:
            yield OnTelegram(run, language)
        assert not run.telegram.violations


@asynccontextmanager
async def on_slack(folder: Path, language: str = "en") -> AsyncIterator[Front]:
    slack = FakeSlack(tiers=False)
    await slack.start()
    slack.core.users = {"U1": {"real_name": "Ann", "locale": language}}
    try:
        async with (
            FakeGlm(default=computed(lambda _: "Done.", chunks=1)) as glm,
            served(slack, "http", folder, glm=glm) as adapter,
        ):
            yield OnSlack(slack, adapter, glm)
        assert not slack.core.pings
        assert not slack.core.links
    finally:
        await slack.close()


FRONTS: dict[str, Callable[..., AbstractAsyncContextManager[Front]]] = {
    "telegram": on_telegram,
    "slack": on_slack,
}
