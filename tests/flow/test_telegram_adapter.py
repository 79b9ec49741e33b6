"""The Telegram adapter on the wire: the real library against the strict fake, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.presses import PRESSES_MAX
from bot.config import Secret, TelegramConfig
from bot.errors import (
    LeaseLost,
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformLocked,
    PlatformRefused,
    PlatformUnavailable,
)
from bot.ports import Intake
from bot.types import Button, Frame, MessageRef, Place, RichText, Span
from tests.fakes.store import Store
from tests.fakes.telegram import FakeTelegram, serve
from tests.fakes.telegram.core import Answer
from tests.fakes.telegram.world import Json
from tests.flow.telegram_wire import QuickClock, allow, desk, place, polling, say

# --- in ---


async def test_messages_come_in_order_and_are_confirmed_only_after_storing() -> None:
    """The fake forgets an update when the next poll has confirmed it, not before."""
    fake, store = FakeTelegram(), Store()
    ada = fake.private()
    fake.say(ada, "one")
    fake.say(ada, "two")
    async with desk(fake) as adapter, polling(adapter, store):
        assert await store.texts(2) == ["one", "two"]
        fake.say(ada, "three")
        assert await store.texts(3) == ["one", "two", "three"]
        assert fake.confirmed >= 2


async def test_what_could_not_be_stored_is_fetched_again() -> None:
    """Three failures of the database in a row lose nothing and confirm nothing."""
    fake, store = FakeTelegram(), Store(failures=3)
    fake.say(fake.private(), "precious")
    async with desk(fake) as adapter, polling(adapter, store):
        assert await store.texts(1) == ["precious"]
    assert fake.polls >= 4


async def test_a_kill_between_storing_and_confirming_brings_the_same_keys_again() -> None:
    """The next process is given the same update, and both dedupe keys are equal."""
    fake, before, after = FakeTelegram(), Store(), Store()
    fake.say(fake.private(), "once")
    async with desk(fake) as adapter:
        real = adapter.stored

        def killed(intakes: Sequence[Intake]) -> None:
            raise KeyboardInterrupt

        adapter.stored = killed  # type: ignore[method-assign]  # the moment after the commit
        with pytest.raises(KeyboardInterrupt):
            await adapter.run(before)
        adapter.stored = real  # type: ignore[method-assign]
        async with polling(adapter, after):
            await after.texts(1)
    first, again = before.intakes[0], after.intakes[0]
    assert first.delivery == again.delivery
    assert first.message is not None
    assert again.message is not None
    assert first.message.key == again.message.key


async def test_a_poison_update_harms_no_other() -> None:
    """Its neighbours in the batch come through; it is kept raw with its error, and confirmed."""
    fake, store = FakeTelegram(), Store()
    ada = fake.private()
    fake.say(ada, "before")
    fake.push("message", {"message_id": "x", "chat": 7})
    fake.push("callback_query", {"id": "q1", "from": ada.user, "data": "no chat_instance"})
    fake.say(ada, "after")
    async with desk(fake) as adapter, polling(adapter, store):
        assert await store.texts(4) == ["before", "", "", "after"]
        fake.say(ada, "next batch")
        await store.texts(5)
    assert [bool(found.error) for found in store.intakes] == [False, True, True, False, False]
    assert '"chat":7' in store.intakes[1].raw


async def test_a_second_poller_is_waited_out() -> None:
    """409 is no reason to die: when the other one is gone, messages come again."""
    fake, store = FakeTelegram(), Store()
    fake.method_faults["getUpdates"] = []
    async with desk(fake) as adapter, polling(adapter, store):
        fake.say(fake.private(), "hello")
        await store.texts(1)
        await fake.call(fake.token, "getUpdates", {"timeout": 0, "offset": 0})
        fake.say(fake.private(), "again")
        assert (await store.texts(2))[-1] == "again"


async def test_a_forgotten_webhook_is_removed() -> None:
    """Polling is configured, so a webhook from before must not keep the desk deaf."""
    fake, store = FakeTelegram(), Store()
    fake.webhook = "https://old.example"
    fake.say(fake.private(), "hello")
    async with desk(fake) as adapter, polling(adapter, store):
        assert await store.texts(1) == ["hello"]


async def test_a_refused_token_stops_the_adapter() -> None:
    """401 at the start ends run with PlatformLocked, without the token in its text."""
    fake = FakeTelegram()
    async with serve(fake) as root:
        config = TelegramConfig(token=Secret("4242:wrong-secret"), api_root=root)
        adapter = TelegramAdapter(config, QuickClock(), random=Random(1))
        with pytest.raises(PlatformLocked) as caught:
            await adapter.run(Store())
        assert "wrong-secret" not in repr(caught.value)
        await adapter.close()


async def test_intake_survives_every_kind_of_bad_network() -> None:
    """Refused, lost, 502, no JSON, 429: each poll fails once, nothing is lost or doubled."""
    fake, store = FakeTelegram(), Store()
    fake.method_faults["getMe"] = ["refuse", "502"]
    fake.method_faults["getUpdates"] = ["refuse", "lose", "502", "late 502", "html", "429"]
    fake.say(fake.private(), "through")
    async with desk(fake) as adapter, polling(adapter, store):
        assert await store.texts(1) == ["through"]


async def test_a_press_is_answered_after_it_was_stored() -> None:
    """The button stops spinning; the press comes in as a message of its own."""
    fake, store = FakeTelegram(), Store()
    ada = fake.private()
    async with desk(fake) as adapter:
        frame = Frame(
            content=RichText(text="?"), buttons=((Button(label="Good", action="fb:7:u"),),)
        )
        ref = await adapter.send(place(fake, ada.id), frame, guard=allow)
        press = fake.press(ada, int(ref.id), "Good")
        async with polling(adapter, store):
            assert await store.texts(1) == ["fb:7:u"]
            async with asyncio.timeout(5):
                await fake.presses[press].wait()
    assert store.intakes[0].message is not None
    assert store.intakes[0].message.alone


async def test_a_flood_of_presses_is_stored_whole_and_echoed_within_bounds() -> None:
    """Nothing of it piles up in memory while Telegram answers slowly."""
    fake, store = FakeTelegram(), Store()
    ada, most = fake.private(), PRESSES_MAX
    async with desk(fake) as adapter:
        buttons = ((Button(label="Good", action="fb:7:u"),),)
        frame = Frame(content=RichText(text="?"), buttons=buttons)
        ref = await adapter.send(place(fake, ada.id), frame, guard=allow)
        answered = asyncio.Event()
        make = adapter._calls.make

        async def slow(call: Any, operation: Any) -> Any:
            await answered.wait()
            return await make(call, operation)

        adapter._presses._calls = SimpleNamespace(make=slow)  # type: ignore[assignment]
        presses = [fake.press(ada, int(ref.id), "Good") for _ in range(most + 50)]
        async with polling(adapter, store):
            await store.texts(len(presses))
            assert len(adapter._presses._tasks) == most
            answered.set()
            async with asyncio.timeout(10):
                await fake.presses[presses[0]].wait()


async def test_privacy_mode_is_known_after_the_start() -> None:
    """The doctor can tell whether the bot sees a whole group."""
    fake = FakeTelegram()
    fake.reads_all = True
    async with desk(fake) as adapter:
        me = await adapter.identify()
    assert (me.username, me.reads_all) == ("desk_bot", True)


# --- out ---


async def test_send_edit_delete() -> None:
    """What is sent stands on the screen, an edit changes it, a delete takes it away, twice too."""
    fake = FakeTelegram(flood=False)
    ada = fake.private()
    async with desk(fake) as adapter:
        ref = await adapter.send(place(fake, ada.id), say("…"), guard=allow)
        await adapter.edit(ref, say("Seven days."), guard=allow)
        await adapter.edit(ref, say("Seven days."), guard=allow)
        assert fake.screen(ada) == ["Seven days."]
        await adapter.delete(ref, guard=allow)
        await adapter.delete(ref, guard=allow)
        assert fake.screen(ada) == []
        with pytest.raises(MessageGone):
            await adapter.edit(ref, say("late"), guard=allow)
    assert fake.violations == []


async def test_marks_and_buttons_arrive_as_meant() -> None:
    """Offsets are UTF-16 units; an edit without buttons takes them away."""
    fake = FakeTelegram()
    ada = fake.private()
    text = RichText(text="😀 加粗。后面", spans=(Span(start=2, end=5, kind="bold"),))
    buttons = ((Button(label="Stop", action="stop:7"),),)
    async with desk(fake) as adapter:
        ref = await adapter.send(
            place(fake, ada.id), Frame(content=text, buttons=buttons), guard=allow
        )
        shown = fake.standing(ada)[0]
        assert shown.now.entities == [{"type": "bold", "offset": 3, "length": 3}]
        assert [b["callback_data"] for b in shown.buttons] == ["stop:7"]
        await adapter.edit(ref, Frame(content=text), guard=allow)
        assert fake.standing(ada)[0].buttons == []
    assert fake.violations == []


async def test_refused_marks_cost_the_marks_and_not_the_answer() -> None:
    """A final whose entities the server calls wrong is shown as plain text."""
    fake = FakeTelegram()
    fake.refuses_entities = True
    ada = fake.private()
    text = RichText(text="bold", spans=(Span(start=0, end=4, kind="bold"),))
    async with desk(fake) as adapter:
        await adapter.send(place(fake, ada.id), Frame(content=text), guard=allow)
    assert fake.screen(ada) == ["bold"]


async def test_a_group_answer_quotes_its_question_in_its_topic() -> None:
    """Also when the question is deleted meanwhile; in a private chat nothing is quoted."""
    fake = FakeTelegram()
    group, ada = fake.group(topics=(5,)), fake.private()
    asked = fake.say(group, "@desk_bot help", thread=5)
    async with desk(fake) as adapter:
        topic = place(fake, group.id, "5")
        await adapter.send(topic, say("a"), guard=allow, reply_to=str(asked))
        await adapter.send(topic, say("b"), guard=allow, reply_to="99999")
        await adapter.send(place(fake, ada.id), say("c"), guard=allow, reply_to="1")
    first, second = fake.standing(group, thread=5)
    assert (first.reply_to, second.reply_to) == (asked, None)
    assert fake.standing(ada)[0].reply_to is None


async def test_an_edit_is_tried_again_until_it_stands() -> None:
    """Network errors, 502 and lost answers: an edit is idempotent, the text stands once."""
    fake = FakeTelegram()
    ada = fake.private()
    async with desk(fake) as adapter:
        ref = await adapter.send(place(fake, ada.id), say("…"), guard=allow)
        fake.method_faults["editMessageText"] = ["refuse", "lose", "502", "late 502"]
        await adapter.edit(ref, say("done"), guard=allow)
    assert fake.screen(ada) == ["done"]
    assert [v.text for v in fake.standing(ada)[0].history] == ["…", "done"]


async def test_a_frame_that_fails_is_reported_at_once() -> None:
    """A newer frame will come; only finals are worth retrying."""
    fake = FakeTelegram()
    ada = fake.private()
    async with desk(fake) as adapter:
        ref = await adapter.send(place(fake, ada.id), say("…"), guard=allow)
        fake.method_faults["editMessageText"] = ["502"]
        with pytest.raises(PlatformUnavailable):
            await adapter.edit(ref, say("frame", final=False), guard=allow)
    assert sum(1 for method, _ in fake.calls if method == "editMessageText") == 1


@pytest.mark.parametrize("fault", ["refuse", "lose", "502", "late 502", "html"])
async def test_a_send_of_unknown_outcome_is_never_repeated(fault: str) -> None:
    """It may stand on the screen already: the caller is told, and decides."""
    fake = FakeTelegram()
    ada = fake.private()
    fake.method_faults["sendMessage"] = [fault]  # type: ignore[list-item]  # a Fault
    async with desk(fake) as adapter:
        with pytest.raises(PlatformUnavailable) as caught:
            await adapter.send(place(fake, ada.id), say("x"), guard=allow)
    assert caught.value.sent
    assert sum(1 for method, _ in fake.calls if method == "sendMessage") == 1


class Numberless(FakeTelegram):
    """From the second message on it says of a message no more than that it was taken."""

    async def call(self, token: str, method: str, params: Json) -> Answer:
        answer = await super().call(token, method, params)
        if len([name for name, _ in self.calls if name.startswith("send")]) < 2:
            return answer
        return Answer(200, {"ok": True, "result": True})


async def test_a_message_is_never_given_the_number_of_the_one_before() -> None:
    """Its text would be written over that one: what has no number of its own has none."""
    fake = Numberless()
    ada = fake.private()
    async with desk(fake) as adapter:
        there = place(fake, ada.id)
        await adapter.send(there, say("a"), guard=allow)
        with pytest.raises(PlatformUnavailable) as caught:
            await adapter.send(there, say("b"), guard=allow)
        with pytest.raises(PlatformUnavailable):
            await adapter.send_file(there, "c.txt", b"c", caption="c", guard=allow)
    assert caught.value.sent


async def test_a_send_that_surely_did_not_leave_is_tried_again() -> None:
    """No connection was made, so nothing can stand twice; after five tries it is told so."""
    config = TelegramConfig(token=Secret("4242:t"), api_root="http://127.0.0.1:9", pace="off")
    clock = QuickClock()
    adapter = TelegramAdapter(config, clock, random=Random(1))
    there = Place(platform="telegram", account="4242", channel="7", private=True)
    with pytest.raises(PlatformUnavailable) as caught:
        await adapter.send(there, say("x"), guard=allow)
    await adapter.close()
    assert not caught.value.sent
    assert len(clock.rests) >= 4


async def test_the_guard_is_asked_before_every_attempt() -> None:
    """A lease that lapses between two tries stops the second one's bytes."""
    fake = FakeTelegram()
    ada = fake.private()
    asked = 0

    def lapses() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise LeaseLost

    async with desk(fake) as adapter:
        ref = await adapter.send(place(fake, ada.id), say("…"), guard=allow)
        fake.method_faults["editMessageText"] = ["refuse"]
        with pytest.raises(LeaseLost):
            await adapter.edit(ref, say("stale"), guard=lapses)
    assert fake.screen(ada) == ["…"]


async def test_a_long_ban_is_told_and_not_called_into() -> None:
    """The caller learns when to come back; until then no call leaves for that chat alone."""
    fake = FakeTelegram()
    ada, bob = fake.private(1), fake.private(2)
    assert fake.flood is not None
    fake.flood.ban(ada.id, fake.clock.monotonic(), 300)
    async with desk(fake, pace="official") as adapter:
        for _ in range(3):
            with pytest.raises(PlatformBusy) as caught:
                await adapter.send(place(fake, ada.id), say("x"), guard=allow)
            assert caught.value.retry_after == pytest.approx(305, abs=2)
        await adapter.send(place(fake, bob.id), say("free"), guard=allow)
        assert adapter.ready(place(fake, ada.id), final=True) > fake.clock.monotonic() + 290
    assert fake.screen(bob) == ["free"]
    assert fake.flood.refusals == 1


async def test_blocked_unknown_and_wrong_are_told_apart() -> None:
    """Blocked or gone: not welcome. A wrong request: refused."""
    fake = FakeTelegram()
    ada = fake.private()
    ada.blocked = True
    async with desk(fake) as adapter:
        with pytest.raises(NotWelcome):
            await adapter.send(place(fake, ada.id), say("x"), guard=allow)
        with pytest.raises(NotWelcome):
            await adapter.send(place(fake, 404), say("x"), guard=allow)
        ada.blocked = False
        with pytest.raises(PlatformRefused):
            await adapter.send(place(fake, ada.id), say(" "), guard=allow)
        with pytest.raises(PlatformRefused):
            await adapter.send(place(fake, ada.id), say("x" * 4097), guard=allow)
        ref = MessageRef(place=place(fake, ada.id), id="12345")
        with pytest.raises(MessageGone):
            await adapter.edit(ref, say("x"), guard=allow)


async def test_a_group_that_became_a_supergroup_is_followed() -> None:
    """The send goes to its new id, and the reference names it; the old messages are gone."""
    fake = FakeTelegram()
    old, new = fake.group(-55), fake.group(-100055)
    async with desk(fake) as adapter:
        before = await adapter.send(place(fake, old.id), say("x"), guard=allow)
        old.moved_to = new.id
        ref = await adapter.send(place(fake, old.id), say("y"), guard=allow)
        assert ref.place.channel == "-100055"
        with pytest.raises(MessageGone):
            await adapter.edit(before, say("z"), guard=allow)
    assert fake.screen(new) == ["y"]


async def test_limits_are_in_utf16_units() -> None:
    """4,096 units fit exactly, whatever the characters."""
    fake = FakeTelegram()
    ada = fake.private()
    async with desk(fake) as adapter:
        limits = adapter.limits(place(fake, ada.id))
        full = "😀" * (limits.text_max // 2)
        assert limits.measure(full) == limits.text_max
        await adapter.send(place(fake, ada.id), say(full), guard=allow)
        assert adapter.limits(place(fake, -1)).interval == 3.0
    assert fake.screen(ada) == [full]
