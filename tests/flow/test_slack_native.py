"""Answers as Slack's own streams, on the wire: one message and one text, whatever fails."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.normalise import thread_place
from adapters.slack.stream import Stream
from bot.errors import MessageGone, PlatformBusy, PlatformUnavailable
from bot.types import Button, MessageRef, Place
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.core import Shown, SlackCore
from tests.fakes.slack.direct import DirectSlack
from tests.flow.slack_desk import Store, adapter_for, count, frame, free, me_of, running, speaking

START, APPEND, STOP = "chat.startStream", "chat.appendStream", "chat.stopStream"
UPDATE, POST = "chat.update", "chat.postMessage"
FAULTS = pytest.mark.parametrize("fault", ["lost", "500", "garbage", "network"])
REFUSED = (
    *("channel_type_not_supported", "unknown_method", "missing_scope", "team_not_found"),
    *("missing_recipient_user_id", "missing_recipient_team_id", "not_allowed_token_type"),
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    """A Slack that hears nothing from us but calls, and does not meter them."""
    slack = FakeSlack(tiers=False, retries=())
    await slack.start()
    slack.target = "http://127.0.0.1:9/"
    yield slack
    await slack.close()


@pytest.fixture
async def desk(fake: FakeSlack) -> AsyncIterator[SlackAdapter]:
    async with speaking(fake) as adapter:
        yield adapter


def thread(fake: FakeSlack, desk: SlackAdapter, channel: str = "D1") -> Place:
    """A thread that a person began."""
    return thread_place(me_of(desk), channel, fake.say("U1", channel, "hi"))


def asked(desk: SlackAdapter, place: Place) -> None:
    """The adapter has seen who asked there."""
    assert desk._native
    desk._native.asked(place, "U1")


async def begun(desk: SlackAdapter, place: Place) -> MessageRef:
    """A message in which text is going to grow."""
    return await desk.send(place, frame("Looking it up…", grows=True), guard=free)


async def said(fake: FakeSlack, desk: SlackAdapter, text: str) -> tuple[Place, MessageRef]:
    """A stream in which this was appended."""
    place = thread(fake, desk)
    ref = await begun(desk, place)
    await grow(desk, ref, text)
    return place, ref


async def grow(desk: SlackAdapter, ref: MessageRef, text: str) -> None:
    await desk.edit(ref, frame(text, final=False), guard=free)


def only(fake: FakeSlack, place: Place) -> Shown:
    """The one message of ours in a thread."""
    (message,) = fake.core.shown(place.channel, thread=place.thread)
    assert not fake.core.pings + fake.core.links + fake.core.cut
    return message


def methods(fake: FakeSlack) -> list[str]:
    """What was called by name, without the rest."""
    kept = (START, APPEND, STOP, UPDATE, POST)
    return [call.method for call in fake.core.calls if call.method in kept]


async def test_an_answer_grows_by_appends_and_ends_with_its_buttons(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """Begun without text, for the one who asked; no edit, since what was appended is the text."""
    place = thread(fake, desk, "C1")
    asked(desk, place)
    rows = ((Button(label="Good", action="feedback:1"),),)
    ref = await begun(desk, place)
    await grow(desk, ref, "Seven working")
    await grow(desk, ref, "Seven working days from <@U1>")
    await desk.edit(ref, frame("Seven working days from <@U1> & you.", buttons=rows), guard=free)
    message = only(fake, place)
    assert message.ts == ref.id
    assert message.markdown == "Seven working days from &lt;@U1> & you."
    assert list(message.buttons()) == ["Good"]
    assert not fake.core.streams.live(message)
    assert methods(fake) == [START, APPEND, APPEND, STOP]
    started = next(call.args for call in fake.core.calls if call.method == START)
    assert started == {
        "channel": "C1",
        "thread_ts": place.thread,
        "recipient_user_id": "U1",
        "recipient_team_id": desk.account,
    }


async def test_progress_and_text_that_may_yet_change_are_no_calls(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    place = thread(fake, desk)
    ref = await begun(desk, place)
    await desk.edit(ref, frame("Reading…", final=False, grows=True), guard=free)
    await grow(desk, ref, "S")
    assert methods(fake) == [START]


async def test_a_full_message_ends_while_the_answer_goes_on_in_the_next(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    place = thread(fake, desk)
    above, below = await begun(desk, place), await begun(desk, place)
    await grow(desk, above, "The first part")
    await desk.edit(above, frame("The first part.", final=False, full=True), guard=free)
    await grow(desk, below, "The second")
    first, second = fake.core.shown("D1", thread=place.thread)
    assert (first.markdown, fake.core.streams.live(first)) == ("The first part.", False)
    assert (second.markdown, fake.core.streams.live(second)) == ("The secon", True)


async def test_in_a_channel_it_must_be_known_who_asked(fake: FakeSlack) -> None:
    """Learnt from what comes in; a desk that was started again posts and edits."""
    store = Store()
    async with running(fake, "http", store) as desk:
        fake.say("U1", "C1", f"<@{me_of(desk).user}> hi")
        await fake.settled()
        place = store.messages[0].place
        await begun(desk, place)
    fresh = adapter_for(fake, "http")
    await fresh.start()
    await begun(fresh, place)
    await begun(fresh, thread(fake, fresh))
    await fresh.close()
    assert methods(fake) == [START, POST, START]


@pytest.mark.parametrize("error", REFUSED)
async def test_where_streams_are_refused_answers_are_posted_and_nobody_asks_for_an_hour(
    fake: FakeSlack, desk: SlackAdapter, error: str
) -> None:
    """Refused in channels, they may still do in direct messages."""
    fake.core.streams.refuse[START].append(error)
    for channel in ("C1", "C1", "D1"):
        place = thread(fake, desk, channel)
        asked(desk, place)
        ref = await begun(desk, place)
        await grow(desk, ref, "half of it")
        await desk.edit(ref, frame("half of it."), guard=free)
        assert only(fake, place).markdown == "half of it."
    posted = [POST, UPDATE, UPDATE]
    assert methods(fake) == [START, *posted, *posted, START, APPEND, STOP]
    desk._native._refused["T0DESKC"] -= 3600  # type: ignore[union-attr]
    place = thread(fake, desk, "C1")
    asked(desk, place)
    await begun(desk, place)
    assert methods(fake)[-1] == START


@pytest.mark.parametrize(("streaming", "channels"), [("direct", "D1"), ("edits", "")])
async def test_the_owner_can_have_fewer_streams_or_none(
    fake: FakeSlack, desk: SlackAdapter, streaming: str, channels: str
) -> None:
    assert desk._native
    desk._native._mode = streaming
    for channel in ("C1", "D1"):
        place = thread(fake, desk, channel)
        asked(desk, place)
        await begun(desk, place)
        assert (methods(fake)[-1] == START) == (channel in channels)


async def test_when_starts_are_used_up_an_answer_is_posted_at_once(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """Four in a row of some twenty a minute, one of them kept; nobody waits, nothing is refused."""
    for _ in range(5):
        await begun(desk, thread(fake, desk))
    assert methods(fake) == [START, START, START, POST, POST]
    assert desk.throttled == 0


async def test_where_ends_must_queue_the_text_goes_ahead(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """Its buttons come with the end."""
    place = thread(fake, desk)
    ref = await begun(desk, place)
    assert desk._native
    assert desk._calls
    fake.core.streams.refuse[STOP].extend(["message_not_in_streaming_state"] * 4)
    for _ in range(4):
        await desk._native.end(ref, free)
    assert not desk._calls.free(STOP, final=True)
    desk._native._streams["D1", ref.id] = Stream(place.conversation, desk._clock.monotonic())
    await desk.edit(ref, frame("All of it."), guard=free)
    assert methods(fake)[-2:] == [APPEND, STOP]
    assert only(fake, place).markdown == "All of it."


async def test_a_text_that_turns_out_otherwise_is_edited_in_the_same_message(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """And from then on edits go on; there is no second message and no second end."""
    place, ref = await said(fake, desk, "Seven working days")
    await grow(desk, ref, "Eight working days, I think")
    assert only(fake, place).markdown == "Eight working days, I think"
    await desk.edit(ref, frame("Eight days."), guard=free)
    assert only(fake, place).markdown == "Eight days."
    assert methods(fake) == [START, APPEND, STOP, UPDATE, UPDATE]


@pytest.mark.parametrize("error", ["message_not_in_streaming_state", "msg_too_long"])
@pytest.mark.parametrize("method", [APPEND, STOP])
async def test_a_stream_that_takes_no_more_goes_on_by_edits(
    fake: FakeSlack, desk: SlackAdapter, error: str, method: str
) -> None:
    """Ended by Slack after five minutes, or too long for it: the text is whole all the same."""
    place, ref = await said(fake, desk, "Seven ")
    fake.core.streams.refuse[method].append(error)
    await grow(desk, ref, "Seven working")
    await desk.edit(ref, frame("Seven working days."), guard=free)
    assert only(fake, place).markdown == "Seven working days."
    assert not fake.core.streams.live(only(fake, place))


@FAULTS
async def test_an_append_of_unknown_outcome_is_not_repeated(
    fake: FakeSlack, desk: SlackAdapter, fault: str
) -> None:
    """It may have arrived, and would stand twice: the stream is ended and the message edited."""
    place = thread(fake, desk)
    ref = await begun(desk, place)
    fake.faults[APPEND] = fault
    with pytest.raises(PlatformUnavailable):
        await grow(desk, ref, "Seven working days")
    await grow(desk, ref, "Seven working days or")
    assert only(fake, place).markdown == "Seven working days or"
    await desk.edit(ref, frame("Seven working days or eight."), guard=free)
    assert only(fake, place).markdown == "Seven working days or eight."
    assert methods(fake) == [START, APPEND, STOP, UPDATE, UPDATE]


@FAULTS
async def test_an_end_of_unknown_outcome_is_made_sure_of_by_an_edit(
    fake: FakeSlack, desk: SlackAdapter, fault: str
) -> None:
    place, ref = await said(fake, desk, "Seven working days")
    fake.faults[STOP] = fault
    await desk.edit(ref, frame("Seven working days."), guard=free)
    message = only(fake, place)
    assert message.markdown == "Seven working days."
    assert not fake.core.streams.live(message)
    assert UPDATE in methods(fake)


@FAULTS
async def test_an_end_without_text_is_repeated_until_the_message_can_be_edited(
    fake: FakeSlack, desk: SlackAdapter, fault: str
) -> None:
    """The text turned out otherwise, and the first call to end the stream fails."""
    place, ref = await said(fake, desk, "Seven working days")
    fake.faults[STOP] = fault
    await desk.edit(ref, frame("Eight days."), guard=free)
    assert only(fake, place).markdown == "Eight days."
    assert methods(fake)[:4] == [START, APPEND, STOP, STOP]


@FAULTS
async def test_a_start_of_unknown_outcome_leaves_one_empty_message_at_most(
    fake: FakeSlack, desk: SlackAdapter, fault: str
) -> None:
    """It is not repeated: the answer is posted, and a post can be read back."""
    place = thread(fake, desk)
    fake.faults[START] = fault
    ref = await begun(desk, place)
    await desk.edit(ref, frame("Seven days."), guard=free)
    texts = [message.markdown for message in fake.core.shown("D1", thread=place.thread)]
    assert texts == (["", "Seven days."] if fault == "lost" else ["Seven days."])
    assert methods(fake) == [START, POST, UPDATE]


async def test_a_conflict_with_a_call_under_way_is_no_end(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """The frame is dropped and the next one brings it along; an end is tried again."""
    place = thread(fake, desk)
    ref = await begun(desk, place)
    fake.core.streams.refuse[APPEND].append("streaming_state_conflict")
    with pytest.raises(PlatformUnavailable) as failed:
        await grow(desk, ref, "Seven working")
    assert not failed.value.sent
    await grow(desk, ref, "Seven working days")
    fake.core.streams.refuse[STOP].append("streaming_state_conflict")
    await desk.edit(ref, frame("Seven working days."), guard=free)
    assert only(fake, place).markdown == "Seven working days."
    assert methods(fake) == [START, APPEND, APPEND, STOP, STOP]


async def test_an_append_does_not_wait_for_retry_after(fake: FakeSlack, desk: SlackAdapter) -> None:
    place = thread(fake, desk)
    ref = await begun(desk, place)
    fake.faults[APPEND] = "429"
    with pytest.raises(PlatformBusy):
        await grow(desk, ref, "Seven working")
    now = desk._clock.monotonic()
    assert desk.ready(place, final=False) > now
    assert count(fake, APPEND) == 1
    await desk.edit(ref, frame("Seven working days."), guard=free)
    assert only(fake, place).markdown == "Seven working days."
    assert UPDATE not in methods(fake)


async def test_after_a_crash_a_message_that_is_a_stream_yet_is_ended_and_edited(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    """Its successor only knows the message; the same for one that is to be deleted."""
    first, second = thread(fake, desk), thread(fake, desk)
    refs = [await begun(desk, place) for place in (first, second)]
    await grow(desk, refs[0], "Seven working")
    fresh = adapter_for(fake, "http")
    await fresh.start()
    await fresh.edit(refs[0], frame("Seven working days."), guard=free)
    await fresh.delete(refs[1], guard=free)
    await fresh.close()
    assert only(fake, first).markdown == "Seven working days."
    assert fake.core.shown("D1", thread=second.thread) == []
    assert fake.core.streams.open() == []


async def test_a_stream_whose_message_was_deleted_is_told_of(
    fake: FakeSlack, desk: SlackAdapter
) -> None:
    place = thread(fake, desk)
    ref = await begun(desk, place)
    only(fake, place).deleted = True
    with pytest.raises(MessageGone):
        await grow(desk, ref, "Seven working")


async def test_who_stops_a_stream_stops_the_answer(fake: FakeSlack) -> None:
    """The same signal as from our own button, once; nothing more is shown but the end of it, in
    the same message.
    """
    store = Store()
    async with running(fake, "http", store) as desk:
        fake.say("U1", "D1", "hi")
        await fake.settled()
        place = store.messages[0].place
        ref = await begun(desk, place)
        await grow(desk, ref, "Seven working")
        assert fake.core.streams.halt("D1", str(place.thread)) == [ref.id]
        await grow(desk, ref, "Seven working days")
        await grow(desk, ref, "Seven working days or eight")
        assert only(fake, place).markdown == "Seven workin"
        await desk.edit(ref, frame("Seven working\n\n(stopped)"), guard=free)
    (signal,) = store.signals
    assert (signal.kind, signal.conversation) == ("stop", place.conversation)
    assert (signal.position or 0) > store.messages[0].position
    assert only(fake, place).markdown == "Seven working\n\n(stopped)"
    assert methods(fake) == [START, APPEND, APPEND, UPDATE]


@pytest.mark.parametrize(
    ("seconds", "calls"),
    [
        (200.0, [START, APPEND, APPEND, STOP]),
        (250.0, [START, APPEND, STOP, UPDATE, UPDATE]),
        (400.0, [START, APPEND, STOP, UPDATE, UPDATE]),
    ],
)
def test_a_stream_is_left_before_slack_ends_it(seconds: float, calls: list[str]) -> None:
    """On virtual time: the model was silent for so long. Late or not, the text is whole."""

    async def main() -> None:
        clock = VirtualClock()
        core = SlackCore(lambda: 1_700_000_000 + clock.monotonic())
        core.messages["D1", "1.0"] = Shown(channel="D1", ts="1.0", user="U1")
        slow = DirectSlack(core, clock)
        await slow.start()
        place = thread_place(me_of(slow), "D1", "1.0")
        ref = await begun(slow, place)
        await grow(slow, ref, "Seven working")
        await clock.sleep(seconds)
        await grow(slow, ref, "Seven working days")
        await slow.edit(ref, frame("Seven working days."), guard=free)
        (message,) = core.shown("D1", thread="1.0")
        assert message.markdown == "Seven working days."
        kept = (START, APPEND, STOP, UPDATE, POST)
        assert [call.method for call in core.calls if call.method in kept] == calls
        await slow.close()

    run_virtual(main())
