"""S1 to S6: what is on screen is what was said, whatever the limits and faults do.

Each runs on virtual time with random answers; the verdicts come from an oracle of their own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from tests.fakes.loop import run_virtual
from tests.fakes.telegram.core import FakeTelegram, Fault
from tests.fakes.telegram.world import Chat
from tests.flow.answers import answer, fits
from tests.flow.virtual_desk import Written, fake, virtual_desk

FAULTS: tuple[Fault, ...] = ("unsent", "refuse", "lose", "502", "late 502")


@dataclass
class Verdict:
    """What was found wrong, and the numbers of one run."""

    faults: list[str] = field(default_factory=list)
    refusals: int = 0
    lags: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    orphans: int = 0

    def judge(self, name: str, parts: list[str], expected: str) -> None:
        """Compare the screen with what was said."""
        if wrong := fits(parts, expected):
            self.faults.append(f"{name}: {wrong}")

    def numbers(self, telegram: FakeTelegram) -> None:
        for flood in filter(None, (telegram.flood, telegram.draft_flood)):
            self.refusals += flood.refusals
        self.faults += telegram.violations
        self.faults += [f"a draft is left in {chat}" for chat in _drafting(telegram)]

    def add(self, other: Verdict) -> None:
        """Take another run's findings in."""
        self.faults += other.faults
        self.refusals += other.refusals
        self.lags += other.lags
        self.calls += other.calls
        self.orphans += other.orphans


def _drafting(telegram: FakeTelegram) -> list[int]:
    """The chats where a draft is seen."""
    return [chat.id for chat in telegram.chats.values() if telegram.draft(chat)]


def _last_change(telegram: FakeTelegram, chat: Chat, thread: int | None = None) -> float:
    """When text of ours last changed; taking buttons away is no change of text."""
    at = 0.0
    for shown in telegram.standing(chat, thread=thread):
        before = None
        for version in shown.history:
            if version.text != before:
                at, before = max(at, version.at), version.text
    return at


async def _one(
    seed: int,
    *,
    group: bool,
    flood: bool,
    low: int,
    high: int,
    faults: bool,
    streaming: str = "edits",
) -> Verdict:
    random, verdict = Random(seed), Verdict()
    source, plain = answer(random, random.randint(low, high))
    telegram = fake(flood=flood)
    chat = telegram.group() if group else telegram.private()
    script = Written({"q": source})
    if faults:  # the first call is getMe, the last of a short answer about the seventh
        last = 8 if streaming == "edits" else 35
        telegram.faults[random.randint(2, last)] = random.choice(FAULTS)
    pace = "official" if flood else "off"
    async with virtual_desk(script, telegram, pace=pace, streaming=streaming) as desk:
        telegram.say(chat, "@desk_bot q" if group else "q")
        await desk.quiet()
        verdict.judge(f"seed {seed}", _answer(telegram, chat, verdict), plain)
        verdict.numbers(telegram)
        verdict.lags.append(_last_change(telegram, chat) - script.ended["q"])
        verdict.calls.append(sum(1 for name, _ in telegram.calls if name in _SHOWING))
    return verdict


_SHOWING = ("sendMessage", "editMessageText", "deleteMessage")
_EMPTY = ("正在查询…", "…")


def _answer(
    telegram: FakeTelegram, chat: Chat, verdict: Verdict, thread: int | None = None
) -> list[str]:
    """The texts on screen without placeholders of unknown sends, which are counted apart."""
    texts = telegram.screen(chat, thread=thread)
    kept = [text for text in texts if text not in _EMPTY]
    verdict.orphans += len(texts) - len(kept)
    return kept


def s1(seed: int) -> Verdict:
    """One answer in private, no limit."""
    return run_virtual(_one(seed, group=False, flood=False, low=800, high=6000, faults=False))


def s2(seed: int) -> Verdict:
    """One answer in a group under 20 calls a minute."""
    return run_virtual(_one(seed, group=True, flood=True, low=800, high=6000, faults=False))


def s4(seed: int) -> Verdict:
    """One answer with one broken call."""
    return run_virtual(_one(seed, group=False, flood=False, low=600, high=3000, faults=True))


def s3(seed: int) -> Verdict:
    """Two answers, one after the other, in a group under 20 calls a minute."""
    return run_virtual(_two(seed))


async def _two(seed: int) -> Verdict:
    random, verdict = Random(seed), Verdict()
    answers = {name: answer(random, random.randint(600, 3000)) for name in ("a", "b")}
    telegram = fake()
    chat = telegram.group()
    script = Written({name: source for name, (source, _) in answers.items()})
    async with virtual_desk(script, telegram) as desk:
        telegram.say(chat, "@desk_bot a", user=telegram.person(1, "Ada"))
        telegram.say(chat, "@desk_bot b", user=telegram.person(2, "Bob"))
        await desk.quiet()
        texts = _answer(telegram, chat, verdict)
        cut = next(
            (i for i in range(1, len(texts)) if not fits(texts[:i], answers["a"][1])), len(texts)
        )
        verdict.judge(f"seed {seed} a", texts[:cut], answers["a"][1])
        verdict.judge(f"seed {seed} b", texts[cut:], answers["b"][1])
        verdict.numbers(telegram)
        verdict.lags.append(_last_change(telegram, chat) - script.ended["b"])
    return verdict


def s5(seed: int) -> Verdict:
    """Two topics of one group at once."""
    return run_virtual(_topics(seed))


async def _topics(seed: int) -> Verdict:
    random, verdict = Random(seed), Verdict()
    answers = {name: answer(random, random.randint(600, 3000)) for name in ("a", "b")}
    telegram = fake()
    chat = telegram.group(topics=(7, 8))
    script = Written({name: source for name, (source, _) in answers.items()})
    async with virtual_desk(script, telegram) as desk:
        telegram.say(chat, "@desk_bot a", user=telegram.person(1, "Ada"), thread=7)
        telegram.say(chat, "@desk_bot b", user=telegram.person(2, "Bob"), thread=8)
        await desk.quiet()
        for name, thread in (("a", 7), ("b", 8)):
            texts = _answer(telegram, chat, verdict, thread)
            verdict.judge(f"seed {seed} {name}", texts, answers[name][1])
        verdict.numbers(telegram)
    return verdict


def s6(seed: int) -> Verdict:
    """One chat under a ban of 300 s; another one must not feel it. Lags: its first text."""
    return run_virtual(_banned(seed))


async def _banned(seed: int) -> Verdict:
    random, verdict = Random(seed), Verdict()
    answers = {name: answer(random, random.randint(600, 2000)) for name in ("a", "b")}
    telegram = fake()
    banned, other = telegram.group(), telegram.private(2002, "Bob")
    script = Written({name: source for name, (source, _) in answers.items()})
    async with virtual_desk(script, telegram) as desk:
        telegram.say(banned, "@desk_bot a")
        await asyncio.sleep(2.0)
        assert telegram.flood is not None
        telegram.flood.ban(-1001, telegram.clock.monotonic(), 300.0)
        await asyncio.sleep(3.0)
        asked = telegram.clock.monotonic()
        telegram.say(other, "b")
        await desk.quiet(1200.0)
        verdict.judge(f"seed {seed} a", _answer(telegram, banned, verdict), answers["a"][1])
        verdict.judge(f"seed {seed} b", _answer(telegram, other, verdict), answers["b"][1])
        first = telegram.standing(other)[0].history
        verdict.lags.append(next(v.at for v in first if v.text not in _EMPTY) - asked)
        verdict.faults += telegram.violations
    return verdict


def long(seed: int) -> Verdict:
    """An answer of 9,000 characters in a group: exact, whatever time it takes."""
    return run_virtual(_one(seed, group=True, flood=True, low=9000, high=9000, faults=False))


def d1(seed: int) -> Verdict:
    """One answer in private by drafts, under all limits; nothing of a draft is left."""
    return run_virtual(
        _one(seed, group=False, flood=True, low=800, high=6000, faults=False, streaming="drafts")
    )


def d4(seed: int) -> Verdict:
    """The same with one broken call, of a draft or of a message."""
    return run_virtual(
        _one(seed, group=False, flood=True, low=600, high=3000, faults=True, streaming="drafts")
    )


def drafted_long(seed: int) -> Verdict:
    """An answer of 9,000 characters by drafts: three messages, exact."""
    return run_virtual(
        _one(seed, group=False, flood=True, low=9000, high=9000, faults=False, streaming="drafts")
    )


EDITS = {"long": long, "S1": s1, "S2": s2, "S3": s3, "S4": s4, "S5": s5, "S6": s6}
SCENARIOS = EDITS | {"D1": d1, "D4": d4, "D long": drafted_long}
