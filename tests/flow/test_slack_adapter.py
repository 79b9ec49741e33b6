"""Slack on the wire: the real Bolt and SDK against the strict fake, over both transports."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.normalise import whisper_place
from bot.config import Secret, SlackConfig
from bot.types import Button
from tests.fakes.slack import APP_TOKEN, BOT, BOT_TOKEN, SIGNING_SECRET, FakeSlack, payloads
from tests.flow.slack_desk import (
    QuickClock,
    Store,
    adapter_for,
    count,
    frame,
    free,
    me_of,
    running,
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


@pytest.fixture(params=["http", "socket"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- coming in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["message mention", "mention message", "message", "mention"])
async def test_twins_in_any_order_are_one_directed_message(
    fake: FakeSlack, mode: str, order: str
) -> None:
    """Both twins carry one semantic key and two delivery keys, and each alone would suffice."""
    store = Store()
    async with running(fake, mode, store):
        ts = fake.say("U1", "C1", f"<@{BOT}> how do I &lt;reset&gt; it?", order=order)
        await fake.settled()
    said = store.messages
    assert len(said) == len(order.split())
    assert {m.key for m in said} == {f"slack:T0DESK:C1:{ts}"}
    assert len({m.delivery for m in said}) == len(said)
    assert all(m.directed and m.text == "how do I <reset> it?" for m in said)
    assert {(m.place.channel, m.place.thread, m.place.private) for m in said} == {("C1", ts, False)}
    assert said[0].sender.name == "Ann"
    assert said[0].sender.locale == "en-US"


async def test_an_event_that_was_not_stored_is_not_acknowledged_and_comes_again(
    fake: FakeSlack, mode: str
) -> None:
    """Redelivery bears the same keys, so the store can tell it from a new message."""
    store = Store()
    store.failures = 2
    fake.ack_seconds = 0.1
    async with running(fake, mode, store):
        fake.say("U1", "D1", "hello")
        await fake.settled()
    assert [d.status == 200 for d in fake.deliveries] == [False, False, True]
    assert len({d.delivery for d in fake.deliveries}) == 1
    (message,) = store.messages
    assert message.place.private
    assert message.delivery == f"slack:T0DESK:{fake.deliveries[0].delivery}"


async def test_the_same_event_twice_has_the_same_keys(fake: FakeSlack, mode: str) -> None:
    store = Store()
    async with running(fake, mode, store):
        event = payloads.message("D1", "im", "U1", "hello", "1700000000.000100")
        for _ in range(2):
            await fake.deliver(payloads.envelope(event, event_id="Ev1"))
    first, second = store.messages
    assert (first.key, first.delivery) == (second.key, second.delivery)
    assert first.position == 1_700_000_000_000_100_000
    assert first.said_at == 1_700_000_000_000


@pytest.mark.parametrize(
    ("secret", "age", "status"),
    [(SIGNING_SECRET, 0, 200), ("wrong", 0, 401), (SIGNING_SECRET, 400, 401)],
)
async def test_only_a_fresh_and_rightly_signed_request_is_heard(
    fake: FakeSlack, secret: str, age: int, status: int
) -> None:
    store = Store()
    async with running(fake, "http", store):
        event = payloads.envelope(payloads.message("D1", "im", "U1", "hello", "1700000000.1"))
        answered, _ = await fake.post(event, secret=secret, at=time.time() - age)
    assert answered == status
    assert len(store.messages) == (1 if status == 200 else 0)


async def test_without_a_signing_secret_http_is_closed(fake: FakeSlack) -> None:
    """An empty secret would be a key that everybody knows."""
    config = SlackConfig(
        bot_token=Secret(BOT_TOKEN), app_token=Secret(APP_TOKEN), api_root=fake.api_root
    )
    adapter = SlackAdapter(config, QuickClock(), random=random.Random(1))
    await adapter.start()
    assert (await adapter.handle_http(b"{}", {})).status == 404
    await adapter.close()


async def test_bytes_that_are_no_request_are_refused_and_harm_nothing(fake: FakeSlack) -> None:
    store = Store()
    async with running(fake, "http", store) as adapter:
        assert (await adapter.handle_http(b"\xff\xfe", {})).status == 400
        kind = {"content-type": "application/json"}
        assert (await adapter.handle_http(b"{no json", kind)).status in (400, 401)
    assert store.intakes == []


async def test_the_url_challenge_is_answered(fake: FakeSlack) -> None:
    async with running(fake, "http", Store()) as adapter:
        text = json.dumps({"type": "url_verification", "challenge": "c-123", "token": "t"})
        stamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": payloads.signature(SIGNING_SECRET, stamp, text),
        }
        reply = await adapter.handle_http(text.encode(), headers)
    assert reply.status == 200
    assert b"c-123" in reply.body


async def test_before_it_is_known_who_we_are_nothing_is_acknowledged(fake: FakeSlack) -> None:
    adapter = adapter_for(fake, "http")
    assert (await adapter.handle_http(b"{}", {})).status == 503
    await adapter.close()


async def test_what_cannot_be_understood_is_kept_with_its_error_and_acknowledged(
    fake: FakeSlack, mode: str
) -> None:
    store = Store()
    async with running(fake, mode, store):
        broken = payloads.envelope({"type": "message", "user": "U1", "channel": "D1", "ts": 5})
        assert await fake.deliver(broken) == 200
    (intake,) = store.intakes
    assert intake.error
    assert '"channel":"D1"' in intake.raw
    assert "verification-token" not in intake.raw


async def test_events_of_no_concern_are_acknowledged_and_not_stored(
    fake: FakeSlack, mode: str
) -> None:
    """Bots, ourselves, strangers of Slack Connect, other subtypes, unknown events: no 404."""
    store = Store()
    said = payloads.message("D1", "im", "U1", "x", "1700000000.1")
    async with running(fake, mode, store):
        for event in (
            {**said, "bot_id": "B9"},
            {**said, "user": BOT},
            {**said, "user_team": "T9OTHER"},
            {**said, "subtype": "channel_join"},
            {"type": "reaction_added", "user": "U1"},
            payloads.message("C1", "channel", "U1", "not to us", "1700000000.2"),
        ):
            assert await fake.deliver(payloads.envelope(event)) == 200
        assert await fake.deliver({"type": "view_submission", "user": {"id": "U1"}}) == 200
    assert store.intakes == []


async def test_edits_and_deletions_are_signals_and_an_unfurl_is_none(
    fake: FakeSlack, mode: str
) -> None:
    store = Store()
    async with running(fake, mode, store):
        ts = fake.say("U1", "D1", "old")
        await fake.settled()
        await fake.edit("D1", ts, "old")
        await fake.edit("D1", ts, "new &amp; better")
        await fake.erase("D1", ts)
    (message,) = store.messages
    edit, delete = store.signals
    assert (edit.kind, edit.text, edit.key) == ("edit", "new & better", message.key)
    assert (delete.kind, delete.key) == ("delete", message.key)
    assert edit.conversation == delete.conversation == message.place.conversation


async def test_follow_ups_need_no_mention_until_somebody_else_is_called(
    fake: FakeSlack, mode: str
) -> None:
    """Only of those in the exchange; what others say is kept as context; quiet is a command."""
    store = Store()
    async with running(fake, mode, store):
        root = fake.say("U1", "C1", f"<@{BOT}> first")
        await fake.settled()
        store.party = {"U1"}
        for user, text in (
            ("U1", "and then?"),
            ("U2", "me too"),
            ("U1", "<@U2> what do you think?"),
            ("U1", f"<@{BOT}> quiet"),
            ("U1", f"<@{BOT}> stats"),
        ):
            fake.say(user, "C1", text, thread=root, order="message")
            await fake.settled()
    told = [(m.text, m.directed, m.alone) for m in store.messages[2:]]
    assert told == [
        ("and then?", True, False),
        ("me too", False, False),
        ("@Bo what do you think?", False, False),
        ("/quiet", True, True),
        ("/stats", True, True),
    ]


async def test_called_into_a_thread_we_read_it_once(fake: FakeSlack, mode: str) -> None:
    """Both twins carry what was said before; the history is asked for a single time."""
    store = Store()
    async with running(fake, mode, store):
        root = fake.say("U2", "C1", "the printer is on fire")
        await fake.settled()
        fake.say("U1", "C1", f"<@{BOT}> help us", thread=root)
        await fake.settled()
    assert all("the printer is on fire" in (m.quoted or "") for m in store.messages)
    assert "help us" not in (store.messages[0].quoted or "")
    assert [call.method for call in fake.core.calls].count("conversations.replies") == 1


async def test_a_file_comes_with_its_message(fake: FakeSlack, mode: str) -> None:
    store = Store()
    files = [{"id": "F1", "name": "a.png", "mimetype": "image/png", "size": 3}]
    async with running(fake, mode, store):
        fake.say("U1", "D1", "look", subtype="file_share", files=files)
        await fake.settled()
    (attachment,) = store.messages[0].attachments
    assert (attachment.kind, attachment.id, attachment.size) == ("photo", "F1", 3)


async def test_a_slash_question_is_answered_to_one_person_only(fake: FakeSlack, mode: str) -> None:
    """By the response URL; once that is spent, by an ephemeral post. Never to the channel."""
    store = Store()
    async with running(fake, mode, store) as adapter:
        await fake.command("U1", "C1", "/ask", "where is my order?")
        (message,) = store.messages
        assert (message.text, message.alone) == ("where is my order?", True)
        assert message.place == whisper_place(me_of(adapter), "C1", "U1")
        assert not adapter.limits(message.place).edits
        for number in range(6):
            said = frame(f"part {number}")
            await adapter.send(message.place, said, guard=free, reply_to=message.reply_to)
    assert [w.markdown for w in fake.core.whispers] == [f"part {n}" for n in range(6)]
    assert {w.only_for for w in fake.core.whispers} == {"U1"}
    assert [c.method for c in fake.core.calls].count("chat.postEphemeral") == 1
    assert fake.core.shown("C1") == []


async def test_words_of_commands(fake: FakeSlack, mode: str) -> None:
    store = Store()
    async with running(fake, mode, store):
        await fake.command("U1", "C1", "/stats", "week")
        await fake.command("U1", "C1", "/frontdesk", "kb search refund")
        await fake.command("U1", "C1", "/frontdesk")
    assert [m.text for m in store.messages] == ["/stats week", "/kb search refund", "/help"]


async def test_a_press_is_a_stop_signal_or_a_command(fake: FakeSlack, mode: str) -> None:
    store = Store()
    rows = ((Button(label="Stop", action="stop:42"), Button(label="Good", action="good:42")),)
    async with running(fake, mode, store) as adapter:
        root = fake.say("U1", "C1", f"<@{BOT}> hi", order="mention")
        await fake.settled()
        place = store.messages[0].place
        await adapter.send(place, frame("answer", buttons=rows), guard=free)
        (posted,) = fake.core.shown("C1", thread=root)
        await fake.press("U1", posted, "Stop")
        await fake.press("U1", posted, "Good")
    (signal,) = store.signals
    assert (signal.kind, signal.answer, signal.conversation) == ("stop", 42, place.conversation)
    pressed = store.messages[-1]
    assert (pressed.text, pressed.alone, pressed.place) == ("/good 42", True, place)


async def test_a_socket_that_is_refreshed_comes_back(fake: FakeSlack) -> None:
    store = Store()
    async with running(fake, "socket", store):
        await fake.disconnect()
        await until(lambda: count(fake, "apps.connections.open") == 2 and len(fake.sockets) == 1)
        fake.say("U1", "D1", "after the refresh")
        await fake.settled()
    assert [m.text for m in store.messages] == ["after the refresh"]


@pytest.mark.parametrize("dark_seconds", [0.0, 1.0])
async def test_a_socket_that_is_cut_comes_back(fake: FakeSlack, dark_seconds: float) -> None:
    """By the SDK's own watch, or, when addresses were dead for long, as a new client of ours."""
    store = Store()
    async with running(fake, "socket", store, ping_seconds=0.2):
        fake.accept_sockets = dark_seconds == 0.0
        await fake.cut()
        await until(lambda: not fake.sockets)
        await asyncio.sleep(dark_seconds)
        fake.accept_sockets = True
        fake.say("U1", "D1", "still there?")
        await fake.settled()
    assert [m.text for m in store.messages] == ["still there?"]
