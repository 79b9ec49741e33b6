"""What the adapters keep in memory has an end, however many people write, press and ask."""

from __future__ import annotations

import asyncio
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.slack import growing, native, sessions
from adapters.slack.adapter import RESPONSES
from adapters.slack.events import THANKS_MAX
from adapters.slack.growing import Growing
from adapters.slack.normalise import Me, thread_place
from adapters.slack.sessions import Sessions
from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.drafts import REFUSED_MAX
from bot.config import Secret, TelegramConfig
from bot.errors import PlatformRefused
from bot.types import AnswerId, Button, Frame, Place, RichText
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.core import SlackCore
from tests.fakes.slack.direct import DirectSlack
from tests.fakes.telegram import FakeTelegram, serve
from tests.flow.slack_desk import Store, frame, free, me_of, running

UNFINISHED = Frame(content=RichText(text="so far"), final=False)


def dm(number: int) -> Place:
    """A thread of direct messages of somebody's."""
    return thread_place(Me(account="T1", user="U0"), f"D{number}", f"{number}.000000")


def test_who_asked_where_is_known_of_the_last_ones() -> None:
    """Slack wants it for a stream in a channel; who is forgotten is answered by edits."""

    async def main() -> None:
        desk = DirectSlack(SlackCore(lambda: 1_700_000_000.0), VirtualClock())
        await desk.start()
        streams = desk._native
        assert streams is not None
        for number in range(native.ASKERS + 50):
            streams.asked(dm(number), "U1")
        assert len(streams._askers) == native.ASKERS
        assert dm(native.ASKERS + 49).conversation in streams._askers

    run_virtual(main())


def test_growing_answers_are_known_of_the_last_ones_and_not_for_ever() -> None:
    async def main() -> None:
        seen = Growing(VirtualClock())
        for number in range(growing.KNOWN + 50):
            seen.note(dm(number), UNFINISHED)
        assert len(seen._seen) == growing.KNOWN
        assert [seen.newest(f"D{n}") for n in (49, 50)] == [None, "50.000000"]
        await asyncio.sleep(growing.GROWING_SECONDS)
        assert seen.newest("D50") is None

    run_virtual(main())


def test_statuses_of_sessions_are_known_of_the_last_ones() -> None:
    """Also where Slack refuses each of them."""

    async def main() -> None:
        desk = DirectSlack(SlackCore(lambda: 1_700_000_000.0), VirtualClock())
        await desk.start()
        calls = desk._open()
        shown, refused = Sessions(calls, VirtualClock()), Sessions(calls, VirtualClock())
        for number in range(sessions.KNOWN + 50):
            shown.show(dm(number), "processing")
        assert len(shown._wanted) == sessions.KNOWN
        await shown.close()

        async def no(*_: Any, **__: Any) -> None:
            raise PlatformRefused("unknown_method")

        refused._calls = SimpleNamespace(call=no)  # type: ignore[assignment]
        for number in range(sessions.KNOWN + 50):
            refused.show(dm(number), "active")
            await asyncio.sleep(0.001)
        assert 0 < len(refused._refused) <= sessions.KNOWN
        assert not refused._wanted

    run_virtual(main())


async def test_response_urls_are_kept_of_so_many_conversations() -> None:
    """One that is forgotten is answered by an ephemeral post."""
    fake, store = FakeSlack(tiers=False), Store()
    await fake.start()
    async with running(fake, "socket", store) as desk:
        desk._responses |= {f"slack:T1/C{n}": "https://spent.example" for n in range(RESPONSES)}
        await fake.command("U1", "C1", "/ask", "where is my order?")
        (asked,) = store.messages
        for text in ("Here.", "And here."):
            await desk.send(asked.place, frame(text), guard=free, reply_to=asked.reply_to)
        assert desk._responses == {asked.place.conversation: asked.reply_to}
    assert [one.markdown for one in fake.core.whispers] == ["Here.", "And here."]
    await fake.close()


async def test_a_flood_of_verdicts_is_stored_whole_and_thanked_for_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of it piles up in memory while Slack answers slowly."""
    fake, store, answered = FakeSlack(tiers=False), Store(), asyncio.Event()
    await fake.start()

    async def slow(*_: Any, **__: Any) -> None:
        await answered.wait()

    async with running(fake, "socket", store) as desk:
        thread = thread_place(me_of(desk), "C1", fake.say("U1", "C1", "hi"))
        good = ((Button(label="Good", action="/feedback up 1"),),)
        await desk.send(thread, Frame(content=RichText(text="?"), buttons=good), guard=free)
        [shown] = fake.core.shown("C1")
        assert desk._events is not None
        monkeypatch.setattr(desk._events._calls, "courtesy", slow)
        for _ in range(THANKS_MAX + 20):
            await fake.press("U1", shown, "Good")
        await fake.settled()
        assert [said.text for said in store.messages] == ["/feedback up 1"] * (THANKS_MAX + 20)
        assert len(desk._events._thanks) == THANKS_MAX
        answered.set()
    await fake.close()


async def test_chats_without_drafts_are_known_of_the_last_ones() -> None:
    """One that is forgotten costs a call, and goes on by edits like any other."""
    telegram = FakeTelegram(flood=False)
    ada = telegram.private()
    ada.refuses_drafts = True
    async with serve(telegram) as root:
        config = TelegramConfig(token=Secret(telegram.token), api_root=root, streaming="drafts")
        desk = TelegramAdapter(config, VirtualClock(), random=Random(1))
        board = desk._drafts
        assert board is not None
        board._refused |= {f"{n}" for n in range(REFUSED_MAX)}
        place = Place(platform="telegram", account=desk.account, channel=str(ada.id), private=True)
        with pytest.raises(PlatformRefused):
            await desk.draft(place, AnswerId(1), 0, UNFINISHED, guard=free)
        assert board._refused == {place.channel}
        assert desk.limits(place).drafts is None
        await desk.close()
