"""The kill gate's parts: a platform that is never killed, a desk that is, and a judge.

The judge knows nothing of the desk's inside but the two tables it must keep exact (inbox, turn).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import re
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.i18n import say
from tests.fakes.glm import KEY, FakeGlm, computed
from tests.fakes.telegram.core import Answer, FakeTelegram
from tests.fakes.telegram.http import serve
from tests.fakes.telegram.world import Chat, Json, Shown

ROOT = Path(__file__).parents[2]
TOKEN = re.compile(r"\bq(\d+)x(\d+)\b")
PLACEHOLDERS = {
    say(locale, key) for locale in ("en", "zh") for key in ("answer.placeholder", "answer.more")
}


class CountingTelegram(FakeTelegram):
    """Counts the sends whose outcome the desk cannot know."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.unknown_sends = 0
        self.sends_in_flight = 0

    async def call(self, token: str, method: str, params: Json) -> Answer:
        answer = await super().call(token, method, params)
        if method == "sendMessage" and answer.lost == "after":
            self.unknown_sends += 1
        return answer


@dataclass
class Stage:
    """One run of the gate."""

    folder: Path
    telegram: CountingTelegram
    glm: FakeGlm
    root: str
    environment: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    kills: int = 0
    asked: dict[int, int] = field(default_factory=dict)
    heard: int = 0

    @property
    def database(self) -> Path:
        """The desk's file."""
        return self.folder / "desk.db"

    def log(self) -> str:
        """The end of what the desk said to its operator."""
        return (self.folder / "desk.log").read_text()[-4000:]

    def open_messages(self) -> int:
        """Messages without an outcome, as the desk's own file has it."""
        # Another process reads beside the running desk, as `frontdesk stats` does.
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM inbox WHERE state = 0").fetchone()[0])

    async def start(self, *, module: Sequence[str] = ("bot", "run"), **more: str) -> None:
        """Start the real process."""
        log = (self.folder / "desk.log").open("ab")
        self.heard = self.telegram.polls + len(self.telegram.calls)
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "TELEGRAM_BOT_TOKEN": self.telegram.token,
            "TELEGRAM_API_ROOT": self.root,
            "TELEGRAM_PACE": "off",
            "MODEL_BASE_URL": self.glm.url,
            "MODEL_API_KEY": KEY,
            "FRONTDESK_ANSWERS": "open",
            "FRONTDESK_RATE": "0",
            "FRONTDESK_DB": str(self.database),
            "FRONTDESK_HTTP": "off",
            "FRONTDESK_ADMIN_HTTP": "off",
            "PYTHONPATH": str(ROOT),
            **self.environment,
            **more,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *module,
            cwd=self.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()

    async def kill(self) -> None:
        """SIGKILL, as an OOM killer or a power cut would."""
        assert self.process
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.kills += 1

    async def stop(self) -> int:
        """SIGTERM once the process has spoken; its exit status.

        Before that it is still importing, and the signal ends it as it ends any program.
        """
        assert self.process
        async with asyncio.timeout(30):
            while self.telegram.polls + len(self.telegram.calls) == self.heard:
                await asyncio.sleep(0.05)
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 40)

    def ask(self, chat: Chat, **where: int) -> None:
        """The next numbered question in this chat or topic."""
        line = where.get("thread", chat.id)
        self.asked[line] = number = self.asked.get(line, 0) + 1
        text = f"q{abs(line)}x{number} please?"
        if not chat.private:
            text = f"@{self.telegram.bot['username']} {text}"
        self.telegram.say(chat, text, **where)  # type: ignore[arg-type]

    def answered(self) -> int:
        """How many questions stand answered in full on a screen."""
        return sum(len(tokens(shown.text)) for shown in self.answers())

    def answers(self) -> list[Shown]:
        """All messages of the desk that stand on a screen, by chat, oldest first."""
        telegram = self.telegram
        return [
            shown
            for chat in telegram.chats.values()
            for shown in telegram.standing(chat)
            if shown.author == telegram.bot_id and "End of answer" in shown.text
        ]


def reply_to(question: str) -> str:
    """What the model answers: it names every question it was asked, and begins and ends unlike
    any other answer, so that a cut, doubled or mixed text cannot pass for a whole one.
    """
    digest = hashlib.sha256(question.encode()).hexdigest()[:8]
    asked = " ".join(question.split())
    return f"Answer {digest}. You asked: {asked} 您的问题我们已经知道了。 End of answer {digest}."


def tokens(text: str) -> list[tuple[int, int]]:
    """The questions named in a text, as (line, number), in order."""
    return [(int(line), int(number)) for line, number in TOKEN.findall(text)]


@contextlib.asynccontextmanager
async def staged(
    folder: Path, *, seed: int, refuse: float = 0.02, lose: float = 0.02, duplicate: float = 0.1
) -> AsyncIterator[Stage]:
    """Platform and provider; the desk's process is ended with them."""
    telegram = CountingTelegram(
        seed=seed, refuse=refuse, lose=lose, duplicate=duplicate, flood=False
    )
    telegram.reads_all = True
    async with (
        FakeGlm(default=computed(reply_to, chunks=12, delay=0.03)) as glm,
        serve(telegram) as root,
    ):
        stage = Stage(folder=folder, telegram=telegram, glm=glm, root=root)
        try:
            yield stage
        finally:
            if stage.process and stage.process.returncode is None:
                stage.process.kill()
                await stage.process.wait()


async def crowd(stage: Stage, *, users: int, seconds: float, rng: random.Random) -> None:
    """People who ask, at their own pace and in bursts, in private chats and two topics."""
    chats = [stage.telegram.private(1000 + n, f"User {n}") for n in range(users)]
    forum = stage.telegram.group(-1005, "Forum", topics=(71, 72))
    end = time.monotonic() + seconds

    async def person(chat: Chat, **where: int) -> None:
        while time.monotonic() < end:
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                stage.ask(chat, **where)
                await asyncio.sleep(rng.uniform(0.01, 0.1))
            await asyncio.sleep(rng.uniform(0.3, 2.0))

    await asyncio.gather(
        *(person(chat) for chat in chats), *(person(forum, thread=topic) for topic in (71, 72))
    )


async def drained(stage: Stage, *, patience: float = 45.0) -> None:
    """Wait until every question is answered, or until nothing has moved for a while."""
    best, since = -1, time.monotonic()
    while (now := stage.answered()) < sum(stage.asked.values()):
        if now > best:
            best, since = now, time.monotonic()
        if time.monotonic() - since > patience:
            return
        await asyncio.sleep(0.2)


def verdict(stage: Stage) -> dict[str, list[str]]:
    """What is wrong, by law; all lists empty when every law holds."""
    answers = stage.answers()
    found = {
        "without an outcome": _open_rows(stage),
        "answered twice": _twice(answers),
        "not answered": _missing(stage, answers),
        "out of order": _disorder(answers),
        "wrong text": [a.text for a in answers if a.text != _whole(a.text)],
        "stale over final": _stale(answers),
        "history": _history(stage),
        "violations": stage.telegram.violations,
        "orphans": _orphans(stage),
    }
    return {law: wrong for law, wrong in found.items() if wrong}


def _whole(text: str) -> str:
    """The text that must stand, from the questions that it names."""
    return reply_to("\n".join(f"q{line}x{number} please?" for line, number in tokens(text)))


def _twice(answers: Sequence[Shown]) -> list[str]:
    seen: set[tuple[int, int]] = set()
    doubled = []
    for answer in answers:
        for token in tokens(answer.text):
            if token in seen:
                doubled.append(str(token))
            seen.add(token)
    return doubled


def _missing(stage: Stage, answers: Sequence[Shown]) -> list[str]:
    given = {token for answer in answers for token in tokens(answer.text)}
    return [
        f"q{abs(line)}x{number}"
        for line, count in stage.asked.items()
        for number in range(1, count + 1)
        if (abs(line), number) not in given
    ]


def _disorder(answers: Sequence[Shown]) -> list[str]:
    wrong, last = [], dict[int, int]()
    for answer in answers:
        for line, number in tokens(answer.text):
            if number <= last.get(line, 0):
                wrong.append(f"q{line}x{number} after q{line}x{last[line]}")
            last[line] = number
    return wrong


def _stale(answers: Sequence[Shown]) -> list[str]:
    """A message that showed its whole answer and then anything else."""
    wrong = []
    for answer in answers:
        texts = [version.text for version in answer.history]
        at = texts.index(answer.text)
        wrong += [text for text in texts[at:] if text != answer.text]
    return wrong


def _orphans(stage: Stage) -> list[str]:
    """Placeholders left behind: at most one per send of unknown outcome."""
    telegram = stage.telegram
    left = [
        shown.text
        for chat in telegram.chats.values()
        for shown in telegram.standing(chat)
        if shown.author == telegram.bot_id and shown.text in PLACEHOLDERS
    ]
    # A kill may cut off each of the sends that were in flight just then; one conversation has one.
    allowed = telegram.unknown_sends + stage.kills * len(stage.asked)
    return left if len(left) > allowed else []


def _open_rows(stage: Stage) -> list[str]:
    with contextlib.closing(sqlite3.connect(stage.database)) as db:
        rows = db.execute("SELECT id, state, outcome, error FROM inbox WHERE origin = 'user'")
        return [str(row) for row in rows if row[1] != 2 or row[2] != "answered"]


def _history(stage: Stage) -> list[str]:
    """Each memory: question and answer in turn, each question once, each answer its whole text."""
    wrong = []
    with contextlib.closing(sqlite3.connect(stage.database)) as db:
        wrong += [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        memories = [row[0] for row in db.execute("SELECT id FROM memory")]
        for memory in memories:
            turns = db.execute(
                "SELECT role, text FROM turn WHERE memory = ? ORDER BY seq", (memory,)
            ).fetchall()
            roles = [role for role, _ in turns]
            if roles != ["user", "assistant"] * (len(turns) // 2):
                wrong.append(f"memory {memory}: {roles}")
            wrong += [
                f"memory {memory}: {question!r} -> {answer!r}"
                for (_, question), (_, answer) in zip(turns[::2], turns[1::2], strict=True)
                if reply_to(question) != answer
            ]
        kept = [
            token
            for (text,) in db.execute("SELECT text FROM turn WHERE role = 'user'")
            for token in tokens(text)
        ]
    asked = sum(stage.asked.values())
    if len(kept) != asked or len(set(kept)) != asked:
        wrong.append(f"{asked} asked, {len(kept)} kept, {len(set(kept))} different")
    return wrong
