"""S1 to S6 on Slack: the SDK's client and our adapter on virtual time, the tiers as they are.

What a message shows is read by a CommonMark parser that is not ours.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

from markdown_it import MarkdownIt

from adapters.slack.normalise import Me, Setting, normalise
from bot.reply.deliver import Deliverer
from bot.service import Worker
from bot.types import value
from storage.stores import Stores, stores
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.slack import payloads
from tests.fakes.slack.core import BOT, TEAM, Shown, SlackCore
from tests.fakes.slack.direct import DirectSlack
from tests.flow.answers import answer
from tests.flow.scenarios import Verdict
from tests.flow.virtual_desk import Script, ScriptedEngine, Written

EMPTY = ("正在查询…", "…", "")
STREAMING = ("chat.startStream", "chat.appendStream", "chat.stopStream")
SHOWING = ("chat.postMessage", "chat.update", "chat.delete", *STREAMING)
FAULTS = ("unsent", "lost", "500")
ME = Me(account=TEAM, user=BOT)
_READER = MarkdownIt("commonmark").enable("strikethrough")
_SIGN = re.compile(r"^\s*(?:•|\d+\.)\s", re.MULTILINE)


@value
class SlackDesk:
    """A desk at work on a workspace."""

    core: SlackCore
    stores: Stores
    adapter: DirectSlack

    async def say(self, channel: str, text: str, *, thread: str | None = None) -> str:
        """A person writes; the ts."""
        ts = self.core.stamp()
        said = Shown(channel=channel, ts=ts, user="U1", thread=thread, text=text)
        self.core.messages[channel, ts] = said
        kind = self.core.channels[channel]
        words = text if kind == "im" else f"<@{BOT}> {text}"
        await self.take(payloads.message(channel, kind, "U1", words, ts, thread_ts=thread))
        return ts

    async def erase(self, channel: str, ts: str) -> None:
        """The person takes it back."""
        said = self.core.messages[channel, ts]
        said.deleted = True
        told: dict[str, Any] = {"user": said.user, "ts": ts, "text": said.text}
        event = {
            "type": "message",
            "subtype": "message_deleted",
            "channel": channel,
            "deleted_ts": ts,
            "previous_message": told,
            "ts": self.core.stamp(),
        }
        await self.take(event)

    async def take(self, event: dict[str, Any]) -> None:
        """An event comes in."""
        body = payloads.envelope(event)
        intake = normalise(body, ME, Setting(now=VirtualClock().now()))
        self.adapter.notice(intake)
        await self.stores.inbox.put([intake])

    async def quiet(self, seconds: float = 900.0) -> None:
        """Until everything said so far has its outcome."""
        deadline = asyncio.get_running_loop().time() + seconds
        while (depth := await self.stores.inbox.depth()).waiting or depth.leased:
            assert asyncio.get_running_loop().time() < deadline, f"not settled: {depth}"
            await asyncio.sleep(0.5)


@asynccontextmanager
async def slack_desk(script: Script, streaming: str = "native") -> AsyncIterator[SlackDesk]:
    """Serve until the block is left."""
    clock, database = VirtualClock(), InlineDatabase.open()
    core = SlackCore(lambda: 1_700_000_000 + clock.monotonic())
    core.channels["C2"] = "channel"
    kept, adapter = stores(database, clock), DirectSlack(core, clock, streaming)
    await adapter.start()
    engine: Any = ScriptedEngine(script)
    worker = Worker(
        kept.inbox,
        kept.people,
        engine,
        Deliverer(kept.inbox, clock),
        {"slack": adapter},
        clock=clock,
        owner="one",
        concurrent=64,
        staff=None,
        locale="zh",
        random=Random(2),
    )
    task = asyncio.create_task(worker.run())
    try:
        yield SlackDesk(core=core, stores=kept, adapter=adapter)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.close()


def seen(source: str) -> str:
    """What a reader sees, without white space and list signs."""
    shown = {"softbreak": "\n", "hardbreak": "\n", "image": "[PICTURE]", "html_inline": "[HTML]"}
    parts = [
        "".join(shown.get(c.type, c.content) for c in token.children or ())
        if token.type == "inline"
        else token.content
        for token in _READER.parse(source)
        if token.type in ("inline", "fence", "code_block", "html_block")
    ]
    return _packed(html.unescape("\n".join(parts)))


def _packed(text: str) -> str:
    return "".join(_SIGN.sub("", text).replace("\u200b", "").split())


def fits(messages: list[Shown], plain: str) -> str:
    """Empty if the messages show the text; else what is wrong."""
    parts = [seen(message.markdown) for message in messages]
    if (whole := "".join(parts)) != (wanted := _packed(plain)):
        at = next((i for i, (a, b) in enumerate(zip(whole, wanted, strict=False)) if a != b), -1)
        return f"differs at {at}: {whole[at:][:40]!r} for {wanted[at:][:40]!r}"
    for left, right in pairwise(parts):
        if re.search(r"[A-Za-z]$", left) and re.search(r"^[A-Za-z]", right):
            seam = left[-8:] + right[:8]
            if seam in re.sub(r"[^\S\n]+$", "", plain):
                return f"a word is cut: {seam!r}"
    return ""


def standing(core: SlackCore, channel: str, verdict: Verdict, thread: str) -> list[Shown]:
    """Our messages there, without placeholders of unknown sends, which are counted apart."""
    shown = core.shown(channel, thread=thread)
    kept = [message for message in shown if message.markdown not in EMPTY]
    verdict.orphans += len(shown) - len(kept)
    verdict.faults += [f"buttons left: {m.buttons()}" for m in kept if m.buttons()]
    verdict.faults += [f"streams on: {m.ts}" for m in kept if core.streams.live(m)]
    return kept


def numbers(core: SlackCore, verdict: Verdict) -> None:
    """Refusals, and what would have been heard by many."""
    verdict.refusals += sum(1 for call in core.calls if call.outcome == "ratelimited")
    verdict.faults += [*core.pings, *core.links, *core.cut]
    verdict.calls.append(sum(1 for call in core.calls if call.method in SHOWING))


def last(core: SlackCore, channel: str) -> float:
    """When a message there last changed, as the platform saw it."""
    calls = [c for c in core.calls if c.method in SHOWING and c.args.get("channel") == channel]
    return max(call.at for call in calls if call.outcome == "ok")


async def _one(
    seed: int,
    channel: str,
    *,
    low: int,
    high: int,
    faults: bool = False,
    streaming: str = "native",
) -> Verdict:
    random, verdict = Random(seed), Verdict()
    source, plain = answer(random, random.randint(low, high))
    script = Written({"q": source})
    async with slack_desk(script, streaming) as desk:
        if faults:  # the first call is auth.test
            desk.adapter.client.faults[random.randint(2, 8)] = random.choice(FAULTS)
        thread = await desk.say(channel, "q")
        await desk.quiet()
        shown = standing(desk.core, channel, verdict, thread)
        verdict.faults += [wrong] if (wrong := fits(shown, plain)) else []
        verdict.lags.append(last(desk.core, channel) - script.ended["q"])
        numbers(desk.core, verdict)
    return verdict


async def _two(seed: int, *, topics: bool) -> Verdict:
    random, verdict = Random(seed), Verdict()
    answers = {name: answer(random, random.randint(600, 3000)) for name in ("a", "b")}
    script = Written({name: source for name, (source, _) in answers.items()})
    async with slack_desk(script) as desk:
        first = await desk.say("C1", "a")
        if not topics:
            await asyncio.sleep(1.0)  # said at once, they would be answered as one
        second = await desk.say("C1", "b", thread=None if topics else first)
        await desk.quiet()
        if topics:
            for thread, name in ((first, "a"), (second, "b")):
                shown = standing(desk.core, "C1", verdict, thread)
                verdict.faults += [wrong] if (wrong := fits(shown, answers[name][1])) else []
        else:
            shown = standing(desk.core, "C1", verdict, first)
            both = answers["a"][1] + "\n\n" + answers["b"][1]
            verdict.faults += [wrong] if (wrong := fits(shown, both)) else []
        verdict.lags.append(last(desk.core, "C1") - max(script.ended.values()))
        numbers(desk.core, verdict)
    return verdict


async def _banned(seed: int, streaming: str = "native") -> Verdict:
    random, verdict = Random(seed), Verdict()
    answers = {name: answer(random, random.randint(600, 2000)) for name in ("a", "b")}
    script = Written({name: source for name, (source, _) in answers.items()})
    async with slack_desk(script, streaming) as desk:
        desk.core.banned["C2"] = 1_700_000_000 + 300.0
        first = await desk.say("C2", "a")
        await asyncio.sleep(3.0)
        asked = asyncio.get_running_loop().time()
        second = await desk.say("D1", "b")
        await asyncio.sleep(1.0)
        told = [c.at for c in desk.core.calls if c.args.get("channel") == "D1"]
        verdict.lags.append(min(told) - asked)
        await desk.quiet()
        for channel, thread, name in (("C2", first, "a"), ("D1", second, "b")):
            shown = standing(desk.core, channel, verdict, thread)
            verdict.faults += [wrong] if (wrong := fits(shown, answers[name][1])) else []
        numbers(desk.core, verdict)
    return verdict


async def _crowd(seed: int, people: int) -> Verdict:
    random, verdict = Random(seed), Verdict()
    answers = {f"q{n}": answer(random, random.randint(600, 2500)) for n in range(people)}
    script = Written({q: source for q, (source, _) in answers.items()}, rate=20, size=3)
    async with slack_desk(script) as desk:
        threads = {}
        for number, question in enumerate(answers):
            desk.core.channels[f"D{number}"] = "im"
            threads[question] = await desk.say(f"D{number}", question)
            await asyncio.sleep(random.uniform(0.0, 2.0))
        await desk.quiet()
        for number, (question, (_, plain)) in enumerate(answers.items()):
            shown = standing(desk.core, f"D{number}", verdict, threads[question])
            verdict.faults += [wrong] if (wrong := fits(shown, plain)) else []
            verdict.lags.append(last(desk.core, f"D{number}") - script.ended[question])
        numbers(desk.core, verdict)
        verdict.calls = [sum(1 for call in desk.core.calls if call.method == STREAMING[0])]
    return verdict


def crowd(seed: int) -> Verdict:
    """Twelve people at once, more than the workspace has streams for. Calls: streams begun."""
    return run_virtual(_crowd(seed, 12))


SCENARIOS = {
    "S1": lambda seed: run_virtual(_one(seed, "D1", low=800, high=6000)),
    "S2": lambda seed: run_virtual(_one(seed, "C1", low=800, high=6000)),
    "6000": lambda seed: run_virtual(_one(seed, "C1", low=6000, high=6000)),
    "S3": lambda seed: run_virtual(_two(seed, topics=False)),
    "S4": lambda seed: run_virtual(_one(seed, "D1", low=600, high=3000, faults=True)),
    "S5": lambda seed: run_virtual(_two(seed, topics=True)),
    "S6": lambda seed: run_virtual(_banned(seed)),
    "long": lambda seed: run_virtual(_one(seed, "C1", low=9000, high=9000)),
    "S2 by edits": lambda seed: run_virtual(
        _one(seed, "C1", low=800, high=6000, streaming="edits")
    ),
    "S4 by edits": lambda seed: run_virtual(
        _one(seed, "D1", low=600, high=3000, faults=True, streaming="edits")
    ),
    "S6 by edits": lambda seed: run_virtual(_banned(seed, "edits")),
}
