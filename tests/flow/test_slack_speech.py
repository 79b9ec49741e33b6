"""What leaves for Slack, on the wire: paced, guarded, translated, and read back when in doubt."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp.client_proto import ResponseHandler

from adapters.slack.adapter import SlackAdapter
from adapters.slack.normalise import whisper_place
from bot.config import Secret, SlackConfig
from bot.errors import (
    ConfigError,
    LeaseLost,
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformLocked,
    PlatformUnavailable,
)
from bot.ports import Deletes, FindsPosts, HasRoutes, TakesFiles
from bot.types import Button, MessageRef, Place
from tests.contract.stores import HandClock
from tests.fakes.slack import BOT_TOKEN, FakeSlack
from tests.flow.slack_desk import (
    QuickClock,
    adapter_for,
    count,
    frame,
    free,
    me_of,
    question_thread,
    speaking,
    until,
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    """A Slack with two people; calls are not metered, since the clock hurries."""
    slack = FakeSlack(tiers=False)
    await slack.start()
    slack.core.users = {"U1": {"real_name": "Ann", "locale": "en-US"}, "U2": {"real_name": "Bo"}}
    yield slack
    await slack.close()


@pytest.fixture
async def desk(fake: FakeSlack) -> AsyncIterator[SlackAdapter]:
    async with speaking(fake) as adapter:
        yield adapter


NASTY = (
    "<!channel> <!here> <@U1> <#C1> <!subteam^S1|@staff> <https://evil.example|click> "
    "<mailto:a@b.c> ![pixel](https://evil.example/p.png) `<!everyone>` @channel"
)


async def test_a_post_shows_its_text_and_an_edit_replaces_it_with_its_buttons(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    place = question_thread(fake, desk)
    rows = ((Button(label="L" * 90, action="stop:1"),),)
    ref = await desk.send(place, frame("Looking it up…", buttons=rows), guard=free)
    await desk.edit(ref, frame("Seven days."), guard=free)
    (shown,) = fake.core.shown("C1", thread=place.thread)
    assert [text for _, text in shown.history] == ["Looking it up…", "Seven days."]
    assert shown.ts == ref.id
    assert shown.buttons() == {}
    sent = fake.core.calls[-2].args
    assert sent["unfurl_links"] is False
    assert sent["unfurl_media"] is False
    assert not {"link_names", "parse"} & sent.keys()


async def test_no_text_can_ping_anybody_or_open_a_link(fake: FakeSlack, desk: SlackAdapter) -> None:
    """Posted, edited, whispered or beside a file: zero pings, zero autolinks, zero pictures."""
    place = question_thread(fake, desk)
    whisper = whisper_place(me_of(desk), "C1", "U1")
    for cut in range(0, len(NASTY), 7):
        ref = await desk.send(place, frame(NASTY[:cut] or "…"), guard=free)
        await desk.edit(ref, frame(NASTY[cut:]), guard=free)
    await desk.send(whisper, frame(NASTY), guard=free)
    await desk.send_file(place, "a.txt", b"x", caption=NASTY, guard=free)
    assert fake.core.pings == []
    assert fake.core.links == []


async def test_the_notification_text_is_never_cut_by_an_update(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """An update's `text` loses all bytes after 4,000; ours holds a short summary only."""
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("…"), guard=free)
    text = "数据" * 1500
    await desk.edit(ref, frame(text), guard=free)
    assert fake.core.cut == []
    assert fake.core.shown("C1", thread=place.thread)[0].markdown == text


def upload(desk: SlackAdapter, ref: MessageRef) -> Awaitable[object]:
    return desk.send_file(ref.place, "a.txt", b"content", caption="", guard=free)


def connections(desk: SlackAdapter) -> list[ResponseHandler]:
    """Those that are kept for the next call."""
    assert desk._session
    assert desk._session.connector
    return [kept for pool in desk._session.connector._conns.values() for kept, _ in pool]


OPERATIONS: dict[str, Callable[[SlackAdapter, MessageRef], Awaitable[object]]] = {
    "chat.postMessage": lambda desk, ref: desk.send(ref.place, frame("x"), guard=free),
    "chat.update": lambda desk, ref: desk.edit(ref, frame("y"), guard=free),
    "chat.delete": lambda desk, ref: desk.delete(ref, guard=free),
    "conversations.replies": lambda desk, ref: desk.find(ref.place, "m"),
    "conversations.history": lambda desk, ref: desk.find(
        Place(platform="slack", account=desk.account, channel="C1"), "m"
    ),
    "files.getUploadURLExternal": upload,
    "files.completeUploadExternal": upload,
    "chat.postEphemeral": lambda desk, ref: desk.send(
        whisper_place(me_of(desk), "C1", "U1"), frame("x"), guard=free
    ),
}


@pytest.mark.parametrize("method", sorted(OPERATIONS))
async def test_a_429_on_any_method_is_waited_out(
    fake: FakeSlack, desk: SlackAdapter, method: str
) -> None:
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("…"), guard=free)
    before = count(fake, method)
    fake.faults[method] = "429"
    await OPERATIONS[method](desk, ref)
    assert count(fake, method) == before + 2
    assert desk.throttled == 1


async def test_a_429_at_the_start_is_waited_out(fake: FakeSlack) -> None:
    fake.faults["auth.test"] = "429"
    adapter = adapter_for(fake, "http")
    await adapter.start()
    assert adapter.account == "T0DESK"
    assert "chat:write" in (await adapter.identity()).scopes
    await adapter.close()


@pytest.fixture
def by_hand(desk: SlackAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes by for who sleeps only: no budget grows because the machine is busy."""
    hand = HandClock()
    monkeypatch.setattr(desk._clock, "monotonic", hand.monotonic)
    monkeypatch.setattr(desk._clock, "sleep", hand.sleep)


@pytest.mark.usefixtures("by_hand")
async def test_a_frame_of_a_growing_answer_does_not_wait_for_retry_after(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """And from then on `ready` tells when the next one may go, later for a non-final."""
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("…"), guard=free)
    fake.faults["chat.update"] = "429"
    with pytest.raises(PlatformBusy) as busy:
        await desk.edit(ref, frame("half", final=False), guard=free)
    assert busy.value.retry_after == 1
    now = desk._clock.monotonic()
    assert now < desk.ready(place, final=True) <= desk.ready(place, final=False)
    with pytest.raises(PlatformBusy):
        await desk.edit(ref, frame("half more", final=False), guard=free)
    assert count(fake, "chat.update") == 1


@pytest.mark.usefixtures("by_hand")
async def test_a_crowd_of_frames_does_not_queue_and_a_final_passes_it(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """The workspace's budget is shared; two of its burst are kept for finals."""
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("…"), guard=free)
    begun = desk._clock.monotonic()
    frames = (desk.edit(ref, frame(str(n), final=False), guard=free) for n in range(10))
    ends = await asyncio.gather(*frames, return_exceptions=True)
    assert [type(end) for end in ends] == [bool] * 3 + [PlatformBusy] * 7
    assert desk.ready(place, final=True) <= desk._clock.monotonic()
    assert desk.ready(place, final=False) > begun
    await desk.edit(ref, frame("whole"), guard=free)
    assert count(fake, "chat.update") == 4
    assert desk.throttled == 0


async def test_a_lost_answer_to_a_post_is_found_by_its_mark(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """The post took effect: one message on screen, and we know its ref."""
    place = question_thread(fake, desk)
    fake.faults["chat.postMessage"] = "lost"
    ref = await desk.send(place, frame("once"), guard=free)
    (shown,) = fake.core.shown("C1", thread=place.thread)
    assert shown.ts == ref.id


async def test_a_mark_of_the_caller_is_found_later(fake: FakeSlack, desk: SlackAdapter) -> None:
    """So a restarted process can read back what an older one posted, in a thread or outside."""
    for place in (
        question_thread(fake, desk),
        Place(platform="slack", account=desk.account, channel="C1"),
    ):
        ref = await desk.send(place, frame("x"), guard=free, mark="answer-7")
        assert await desk.find(place, "answer-7") == ref
        assert await desk.find(place, "answer-8") is None


@pytest.mark.parametrize("fault", ["network", "500", "garbage"])
async def test_a_post_of_unknown_outcome_is_not_repeated(
    fake: FakeSlack, desk: SlackAdapter, fault: str
) -> None:
    """Not found by its mark, it may still arrive: the caller is told so."""
    place = question_thread(fake, desk)
    fake.faults["chat.postMessage"] = fault
    with pytest.raises(PlatformUnavailable) as failed:
        await desk.send(place, frame("x"), guard=free)
    assert failed.value.sent
    assert count(fake, "chat.postMessage") == 1


@pytest.mark.parametrize("fault", ["network", "lost", "500", "garbage"])
async def test_a_final_edit_is_repeated_until_it_is_there(
    fake: FakeSlack, desk: SlackAdapter, fault: str
) -> None:
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("…"), guard=free)
    fake.faults["chat.update"] = fault
    await desk.edit(ref, frame("whole"), guard=free)
    assert fake.core.shown("C1", thread=place.thread)[0].markdown == "whole"


async def test_where_nobody_listens_nothing_was_sent(fake: FakeSlack, desk: SlackAdapter) -> None:
    place = question_thread(fake, desk)
    await fake.close()
    await until(lambda: not any(kept.is_connected() for kept in connections(desk)))
    with pytest.raises(PlatformUnavailable) as failed:
        await desk.send(place, frame("x"), guard=free)
    assert not failed.value.sent


async def test_a_call_before_the_start_waits_until_we_know_who_we_are(fake: FakeSlack) -> None:
    """A desk that is started again finds work on disk before Slack has been asked."""
    fake.faults["auth.test"] = "500"
    adapter = adapter_for(fake, "http")
    place = Place(platform="slack", account="T0DESK", channel="C1")
    ref = await adapter.send(place, frame("x"), guard=free)
    assert fake.core.shown("C1")[0].ts == ref.id
    await adapter.close()


async def test_the_guard_stands_before_every_attempt(fake: FakeSlack, desk: SlackAdapter) -> None:
    """A lease that lapses during a wait stops the repeat."""
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("…"), guard=free)
    asked = 0

    def lapsing() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise LeaseLost

    fake.faults["chat.update"] = "500"
    with pytest.raises(LeaseLost):
        await desk.edit(ref, frame("late"), guard=lapsing)
    assert count(fake, "chat.update") == 1


async def test_errors_are_translated_by_what_can_be_done(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("x"), guard=free)
    await desk.delete(ref, guard=free)
    await desk.delete(ref, guard=free)
    with pytest.raises(MessageGone):
        await desk.edit(ref, frame("y"), guard=free)
    with pytest.raises(MessageGone):
        await desk.edit(MessageRef(place=place, id=place.thread or ""), frame("y"), guard=free)
    fake.core.outside.add("C1")
    with pytest.raises(NotWelcome):
        await desk.send(place, frame("x"), guard=free)


async def test_a_refused_token_stops_the_adapter(fake: FakeSlack) -> None:
    config = SlackConfig(
        bot_token=Secret("xoxb-wrong"), signing_secret=Secret("s"), api_root=fake.api_root
    )
    adapter = SlackAdapter(config, QuickClock(), random=random.Random(1))
    with pytest.raises(PlatformLocked) as locked:
        await adapter.start()
    assert "xoxb" not in str(locked.value)
    await adapter.close()


@pytest.mark.parametrize(
    "config",
    [
        SlackConfig(),
        SlackConfig(bot_token=Secret(BOT_TOKEN), mode="socket"),
        SlackConfig(bot_token=Secret(BOT_TOKEN), mode="http"),
        SlackConfig(bot_token=Secret(BOT_TOKEN)),
        SlackConfig(bot_token=Secret(BOT_TOKEN), app_token=Secret("x"), mode="rtm"),
    ],
)
def test_a_mode_without_its_secret_is_a_setting_to_mend(config: SlackConfig) -> None:
    with pytest.raises(ConfigError, match="SLACK_"):
        SlackAdapter(config, QuickClock(), random=random.Random(1))


async def test_a_file_is_shared_in_the_thread_and_a_whispered_one_in_private(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    place = question_thread(fake, desk)
    await desk.send_file(place, "a.csv", b"1,2", caption="as asked", guard=free)
    await desk.send_file(
        whisper_place(me_of(desk), "C1", "U1"), "b.csv", b"3,4", caption="", guard=free
    )
    (shared,) = fake.core.shown("C1", thread=place.thread)
    assert [fake.core.uploads[name] for name in shared.files] == [b"1,2"]
    (private,) = fake.core.shown("DU1")
    assert [fake.core.uploads[name] for name in private.files] == [b"3,4"]


async def test_one_connection_serves_many_calls(fake: FakeSlack, desk: SlackAdapter) -> None:
    """The SDK alone would open one for each."""
    place = question_thread(fake, desk)
    ref = await desk.send(place, frame("…"), guard=free)
    for number in range(5):
        await desk.edit(ref, frame(str(number)), guard=free)
    assert len(connections(desk)) == 1


def test_its_abilities() -> None:
    abilities = SlackAdapter
    for ability in (Deletes, TakesFiles, FindsPosts, HasRoutes):
        assert issubclass(abilities, ability)
