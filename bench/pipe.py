"""What the whole desk costs: the real process between fakes of Telegram and GLM in others.

`python -m bench.pipe`. Every chunk of the model's text is the time at which it was written, so a
frame on the screen tells by itself how old it is. `--profile FILE` runs the desk under cProfile.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median, quantiles

from adapters.telegram.adapter import PRIVATE_SECONDS
from bench import machine
from bench.stamps import CHUNKS, LAST, SLOWLY, STREAM_SECONDS
from bot.reply.live import STEADY
from bot.types import Limits
from tests.fakes.glm import KEY
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, FakeSlack
from tests.fakes.telegram.core import Answer, FakeTelegram
from tests.fakes.telegram.http import serve
from tests.fakes.telegram.world import Chat, Json

ROOT = Path(__file__).parents[1]
AT_ONCE = "Please tell me at once"
FEW, MANY = 10, 200
WARM_ROUNDS = 3
BOTH_ANSWERS = 20
"""On each platform, before the memory of a desk that serves two is read."""
EACH = 5
ROUNDS = {FEW: 8 * EACH, MANY: EACH}
"""Rounds of zero-delay questions: enough replies for a clock that ticks every 10 ms."""
STARTS = 3
TURNS = 3
"""The desk and the bare bot are asked by turns so often."""
STRANGERS = 10_000
"""From one turn to the next: who has asked before has a past, and in time a summary made of it."""
IDLE_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
FRAME_LIMITS = Limits(text_max=4096)
SETTINGS = f"""\
[[models]]
concurrency = {MANY}
"""

Figures = list[tuple[str, str]]


# --- what the reader of the screen sees ---------------------------------------------------------


@dataclass(frozen=True)
class Showing:
    """One send or edit: when it came in, when it was answered, what it shows."""

    came: float
    answered: float
    text: str

    @property
    def stamps(self) -> list[float]:
        """When the chunks of this text were written; empty for a placeholder."""
        words = self.text.removesuffix(LAST).split()
        return [float(word) for word in words] if words and words[0][:1].isdigit() else []

    @property
    def whole(self) -> bool:
        """The finished answer, with nothing lost in it."""
        return self.text.endswith(LAST) and len(self.stamps) == CHUNKS


class Screens(FakeTelegram):
    """A Telegram that notes what each chat was shown, and wakes who waits for answers."""

    def __init__(self) -> None:
        super().__init__(flood=False)
        self.showings: dict[int, list[Showing]] = {}
        self.whole = 0
        self.polled = asyncio.Event()
        self.awaited = 0
        self.reached = asyncio.Event()

    async def call(self, token: str, method: str, params: Json) -> Answer:
        came = time.monotonic()
        if method == "getUpdates":
            self.polled.set()
        answer = await super().call(token, method, params)
        self.calls.clear()
        if method in {"sendMessage", "editMessageText"}:
            showing = Showing(came, time.monotonic(), str(params["text"]))
            self.showings.setdefault(int(params["chat_id"]), []).append(showing)
            self.whole += showing.whole
            if self.whole >= self.awaited:
                self.reached.set()
        return answer

    def begin(self, replies: int) -> None:
        """Forget what was shown; `replies` whole answers are waited for from now on."""
        self.showings.clear()
        self.whole, self.awaited = 0, replies
        self.reached.clear()


# --- the desk, in a process of its own ----------------------------------------------------------


@dataclass
class Stage:
    """The screens, and the desk's process while one runs."""

    folder: Path
    screens: Screens
    root: str
    model_url: str
    profile: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = ("-m", "bot", "run")
    pid: int = 0

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[float]:
        """A desk over the folder's database; yields its seconds from start to first poll."""
        self.screens.polled.clear()
        began = time.monotonic()
        with (self.folder / "desk.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command(),
                cwd=self.folder,
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pid = process.pid
        try:
            await self._reached(self.screens.polled, "the desk does not poll")
            yield time.monotonic() - began
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _command(self) -> tuple[str, ...]:
        profiler = ("-m", "cProfile", "-o", self.profile) if self.profile else ()
        return (sys.executable, *profiler, *self.program)

    def _environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "TELEGRAM_BOT_TOKEN": self.screens.token,
            "TELEGRAM_API_ROOT": self.root,
            "TELEGRAM_PACE": "off",
            "MODEL_BASE_URL": self.model_url,
            "MODEL_API_KEY": KEY,
            "FRONTDESK_ANSWERS": "open",
            "FRONTDESK_RATE": "0",
            "FRONTDESK_DB": str(self.folder / "desk.db"),
            "FRONTDESK_HTTP": "off",
            "FRONTDESK_ADMIN_HTTP": "off",
            **self.more,
        }

    async def _reached(self, event: asyncio.Event, otherwise: str) -> None:
        """Wait; when it does not come, say so with the end of the desk's log."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await event.wait()
        except TimeoutError:
            log = (self.folder / "desk.log").read_text(encoding="utf-8")[-2000:]
            counts = f"{self.screens.whole} of {self.screens.awaited} whole"
            raise RuntimeError(f"{log}\n{otherwise} ({counts})") from None

    async def ask(self, users: int, how: str, *, over: float = 0.0, first: int = 1) -> Round:
        """Each user, from `first` on, asks once, at one moment or evenly `over` some seconds;
        returns when all have their answers.
        """
        screens = self.screens
        screens.begin(users)
        before, asked = machine.cpu_seconds(self.pid), time.monotonic()
        for user in range(users):
            await asyncio.sleep(asked + over * user / users - time.monotonic() if over else 0)
            screens.say(chat_of(screens, first + user), f"{how}: {user} at {asked:.3f}")
        await self._reached(screens.reached, "not all were answered whole")
        await asyncio.sleep(0.3)  # what is settled and sent after the last edit belongs to it
        cpu = machine.cpu_seconds(self.pid) - before
        return Round(asked=asked, cpu=cpu, showings=list(screens.showings.values()))


@dataclass(frozen=True)
class Round:
    """One question from each user: the desk's CPU seconds, and what each of them was shown."""

    asked: float
    cpu: float
    showings: Sequence[list[Showing]]

    @property
    def waits(self) -> list[float]:
        """Seconds from the question to the whole answer, of each user."""
        return [shown[-1].answered - self.asked for shown in self.showings]

    @property
    def calls(self) -> float:
        """Sends and edits per reply."""
        return sum(map(len, self.showings)) / len(self.showings)

    @property
    def lateness(self) -> list[float]:
        """Seconds from the moment a frame was due until its bytes had come in at Telegram.

        The first is due when the chunk is written that makes its text long enough, and from there
        they follow the interval apart: what one was late counts for those behind it, too. The time
        that the fakes take is in it.
        """
        return [late for shown in self.showings for late in _lateness(shown)]

    @property
    def ends(self) -> list[float]:
        """Seconds from the model's last chunk to the whole text, of each user."""
        return [shown[-1].came - shown[-1].stamps[-1] for shown in self.showings]


def _lateness(shown: Sequence[Showing]) -> list[float]:
    frames = [one for one in shown if one.stamps and not one.whole][: STEADY + 1]
    if not frames:
        return []
    first = _first_due(frames[0])
    return [one.came - (first + PRIVATE_SECONDS * k) for k, one in enumerate(frames)]


def _first_due(first: Showing) -> float:
    """When the chunk was written with which the text had its first characters."""
    length = 0
    for word, stamp in zip(first.text.split(), first.stamps, strict=True):
        length += len(word)
        if length >= FRAME_LIMITS.first_characters:
            return stamp
        length += 1
    return first.stamps[0] + FRAME_LIMITS.first_seconds


def chat_of(screens: Screens, user: int) -> Chat:
    """A private chat for each user."""
    return screens.private(user, f"User {user}")


# --- the figures ---------------------------------------------------------------------------------


async def measure(profile: str = "", only: str = "") -> Figures:
    """All figures of the desk; about two minutes."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "frontdesk.toml").write_text(SETTINGS, encoding="utf-8")
        screens = Screens()
        async with _model() as url, serve(screens) as root:
            stage = Stage(Path(folder), screens, root, url, profile=profile)
            if profile:
                return await _profiled(stage, only)
            return [
                *await _starts(stage),
                *await _at_work(stage),
                *await _beside(stage),
                *await _both(stage),
            ]


@asynccontextmanager
async def _model() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.stamps"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def _starts(stage: Stage) -> Figures:
    """From nothing to the first poll: the first one also makes the database."""
    seconds, used = [], []
    for _ in range(STARTS):
        async with stage.desk() as start:
            seconds.append(start)
            used.append(machine.cpu_seconds(stage.pid))
    return [
        ("start to first poll", f"{median(seconds):.2f} s"),
        ("start to first poll, CPU", f"{median(used):.2f} s"),
    ]


async def _at_work(stage: Stage) -> Figures:
    figures: Figures = []
    async with stage.desk():
        for _ in range(WARM_ROUNDS):
            await stage.ask(FEW, AT_ONCE)
        figures.append(("memory, warm", f"{machine.memory(stage.pid)[0]:.1f} MB"))
        figures += await _idle(stage)
        for users in (FEW, MANY):
            figures += await _zero_delay(stage, users)
            figures += await _streamed(stage, users)
        figures.append(
            (f"memory, peak with {MANY} users", f"{machine.memory(stage.pid)[1]:.1f} MB")
        )
    return figures


async def _beside(stage: Stage) -> Figures:
    """The same questions put to the desk and to the least a bot can be, in turns.

    What noise the machine makes is in both, so that their ratio is worth more than either.
    """
    bare = replace(stage, program=("-m", "bench.bare"))
    rounds: dict[tuple[str, int], list[Round]] = {}
    for turn in range(2 * TURNS):
        who, asked = ("bare", bare) if turn % 2 else ("desk", stage)
        async with asked.desk():
            for _ in range(WARM_ROUNDS):
                await asked.ask(FEW, AT_ONCE)
            for users in (FEW, MANY):
                done = rounds.setdefault((who, users), [])
                for number in range(ROUNDS[users] // TURNS):
                    first = STRANGERS * (turn + 1) + number // EACH * users
                    done.append(await asked.ask(users, AT_ONCE, first=first))
    async with bare.desk():
        slow = [await bare.ask(FEW, SLOWLY) for _ in range(3)]
    figures = [(f"a bare bot: streamed reply, {FEW} users", _each(slow, FEW))]
    for users in (FEW, MANY):
        ours, least = (sum(one.cpu for one in rounds[who, users]) for who in ("desk", "bare"))
        figures += [
            (f"a bare bot: zero-delay reply, {users} users", _each(rounds["bare", users], users)),
            (f"zero-delay reply against a bare bot's, {users} users", f"{ours / least:.2f} x"),
        ]
    return figures


def _each(rounds: Sequence[Round], users: int) -> str:
    """The CPU of one reply."""
    return f"{sum(one.cpu for one in rounds) / (users * len(rounds)) * 1000:.1f} ms"


async def _both(stage: Stage) -> Figures:
    """The memory of a desk that serves Slack over Socket Mode as well, warm on both."""
    slack = FakeSlack(tiers=False)
    await slack.start()
    tokens = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_MODE": "socket"}
    two = replace(stage, more={**tokens, "SLACK_API_ROOT": slack.api_root})
    try:
        async with two.desk():
            for _ in range(BOTH_ANSWERS // FEW):
                await two.ask(FEW, AT_ONCE)
            await _asked_on_slack(slack)
            resident, _ = machine.memory(two.pid)
    finally:
        await slack.close()
    return [("RSS with both platforms, warm", f"{resident:.1f} MB")]


async def _asked_on_slack(slack: FakeSlack) -> None:
    """As many people ask, each in a conversation of their own; returns when all are answered."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await slack.connected.wait()
        for number in range(1, BOTH_ANSWERS + 1):
            user, channel = f"U{number}", f"D{number}"
            slack.core.users[user] = {"real_name": f"User {number}"}
            slack.core.channels[channel] = "im"
            slack.say(user, channel, f"{AT_ONCE}: {number}")
        waiting = {f"D{number}" for number in range(1, BOTH_ANSWERS + 1)}
        while waiting:
            await asyncio.sleep(0.05)
            waiting = {one for one in waiting if not _told_whole(slack, one)}


def _told_whole(slack: FakeSlack, channel: str) -> bool:
    return any(LAST in shown.markdown for shown in slack.core.shown(channel))


async def _idle(stage: Stage) -> Figures:
    before = machine.cpu_seconds(stage.pid)
    await asyncio.sleep(IDLE_SECONDS)
    used = (machine.cpu_seconds(stage.pid) - before) / IDLE_SECONDS
    return [("idle CPU", f"{used * 1000:.0f} ms/s")]


async def _zero_delay(stage: Stage, users: int) -> Figures:
    """CPU of a reply whose model needs no time, and how long the last of a crowd waits.

    Everybody asks EACH times. Long answers are summarised every fourth time: those who go on and
    on are a figure of their own.
    """
    rounds = [
        await stage.ask(users, AT_ONCE, first=1 + turn // EACH * users)
        for turn in range(ROUNDS[users])
    ]
    figures = [(f"CPU per zero-delay reply, {users} users", _each(rounds, users))]
    if users == FEW:
        again = [await stage.ask(users, AT_ONCE) for _ in range(ROUNDS[users] // 2)]
        figures.append((f"the same in long conversations, {users} users", _each(again, users)))
    else:
        waits = [wait for one in rounds for wait in one.waits]
        rank = quantiles(waits, n=100)
        figures += [
            (f"{users} users at once, answered whole", f"{len(rounds[0].waits)} of {users}"),
            (f"{users} users at once, p50", f"{rank[49]:.2f} s"),
            (f"{users} users at once, p95", f"{rank[94]:.2f} s"),
        ]
    return figures


async def _streamed(stage: Stage, users: int) -> Figures:
    """CPU of a reply of CHUNKS chunks over STREAM_SECONDS, and how fresh its frames are.

    Many users who all ask in the same instant want all their frames in the same instant too, each
    second anew; what a frame waits for then is the others' CPU. So the crowd is also measured
    spread over the length of an answer, as many as before being answered at the same time.
    """
    rounds = [await stage.ask(users, SLOWLY) for _ in range(3 if users == FEW else 1)]
    figures = [
        (f"CPU per streamed reply, {users} users", _each(rounds, users)),
        (f"calls per streamed reply, {users} users", f"{rounds[0].calls:.1f}"),
    ]
    if users == FEW:
        return figures + _freshness(rounds, f"{users} users")
    spread = await stage.ask(users, SLOWLY, over=STREAM_SECONDS)
    figures += _freshness(rounds, f"{users} users in step")
    figures += _freshness([spread], f"{users} users")
    return [
        *figures,
        (f"CPU per reply, {users} users spread", f"{spread.cpu / users * 1000:.1f} ms"),
    ]


def _freshness(rounds: Sequence[Round], who: str) -> Figures:
    late = [one for each in rounds for one in each.lateness]
    ends = [one for each in rounds for one in each.ends]
    return [
        (f"frame due to bytes at Telegram, p50, {who}", f"{median(late) * 1000:.0f} ms"),
        (f"last chunk to whole text, p50, {who}", f"{median(ends) * 1000:.0f} ms"),
    ]


async def _profiled(stage: Stage, only: str) -> Figures:
    """The part under the profiler: "stream", "once" or "start"."""
    async with stage.desk():
        if only == "stream":
            await stage.ask(MANY, SLOWLY)
        elif only == "once":
            for _ in range(ROUNDS[FEW]):
                await stage.ask(FEW, AT_ONCE)
    return []


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="bench.pipe")
    parser.add_argument("--profile", default="", help="write cProfile's figures of the desk here")
    parser.add_argument("--only", choices=("stream", "once", "start"), default="stream")
    options = parser.parse_args()
    for name, figure in asyncio.run(measure(options.profile, options.only)):
        print(f"{name:<58} {figure}")


if __name__ == "__main__":
    main()
