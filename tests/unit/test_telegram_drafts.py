"""Drafts on Telegram: their numbers, their pace, their refusals."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.normalise import Me, draft_id, drafted, normalise
from bot.config import Secret, TelegramConfig
from bot.errors import LeaseLost, NotWelcome, PlatformBusy, PlatformLocked, PlatformRefused
from bot.ports import ShowsDrafts
from bot.types import AnswerId, Frame, Place, RichText, Signal
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.direct import DirectRequest

ANSWER = AnswerId(7)


def allow() -> None:
    """A guard that always lets go."""


def place(channel: int = 1001, thread: str | None = None) -> Place:
    return Place(
        platform="telegram",
        account="4242",
        channel=str(channel),
        thread=thread,
        private=channel > 0,
    )


def frame(text: str) -> Frame:
    return Frame(content=RichText(text=text), final=False)


def stage(*, streaming: str = "drafts") -> tuple[FakeTelegram, TelegramAdapter]:
    fake = FakeTelegram(clock=VirtualClock())
    fake.private()
    config = TelegramConfig(token=Secret(fake.token), streaming=streaming)
    request = DirectRequest(fake)
    return fake, TelegramAdapter(config, fake.clock, random=Random(1), request=request)


# --- numbers -------------------------------------------------------------------------------------


@given(
    st.integers(1, 2**31 - 1), st.integers(0, 50), st.none() | st.integers(1, 2**31 - 1).map(str)
)
def test_the_number_of_a_draft_names_answer_and_topic(
    answer: int, part: int, thread: str | None
) -> None:
    """It is never 0, fits into 64 bits, and the next part has another one."""
    number = draft_id(AnswerId(answer), part, thread)
    assert 0 < number < 2**63
    assert drafted(number) == (AnswerId(answer), thread)
    assert number != draft_id(AnswerId(answer), part + 1, thread)


@pytest.mark.parametrize("write", [int, str])
@pytest.mark.parametrize("thread", [None, "77"])
def test_the_stop_button_of_a_draft_names_its_answer(
    write: type[int | str], thread: str | None
) -> None:
    """Documented as a number, written as text; the topic is in the number."""
    stopped = {
        "chat": {"id": 1001, "type": "private", "first_name": "Ada"},
        "draft_id": write(draft_id(ANSWER, 1, thread)),
    }
    update = Update.de_json({"update_id": 1, "stopped_message_generation": stopped}, None)
    found = normalise(update, raw="{}", me=Me(id=4242, username="desk_bot"), now=0)
    expected = Signal(kind="stop", conversation=place(thread=thread).conversation, answer=ANSWER)
    assert (found.signal, found.message) == (expected, None)


def test_a_stop_without_a_number_is_a_dead_row() -> None:
    """Kept with its error, and confirmed."""

    async def main() -> None:
        _, adapter = stage()
        raw = b'{"update_id": 5, "stopped_message_generation": {"chat": {"id": 1}}}'
        assert adapter.intake(raw).error.startswith("KeyError")

    run_virtual(main())


# --- where and how often -------------------------------------------------------------------------


def test_only_private_chats_have_drafts_and_only_where_it_is_set() -> None:
    """The ability is the adapter's; whether it is used the limits of a place tell."""
    _, adapter = stage()
    assert isinstance(adapter, ShowsDrafts)
    assert adapter.limits(place()).drafts is not None
    assert adapter.limits(place(-1001)).drafts is None
    assert stage(streaming="edits")[1].limits(place()).drafts is None


def test_drafts_as_often_as_the_pace_allows_provoke_no_refusal() -> None:
    """For ten minutes, in two topics of one chat at once; and messages keep their own pace."""

    async def main() -> None:
        fake, adapter = stage()
        fake.chats[1001].topics |= {7}

        async def eager(thread: str | None) -> None:
            for number in count():
                where = place(thread=thread)
                wait = adapter.draft_ready(where) - fake.clock.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                    continue
                await adapter.draft(where, ANSWER, 0, frame(f"word {number}"), guard=allow)

        tasks = [asyncio.create_task(eager(thread)) for thread in (None, "7")]
        await asyncio.sleep(600.0)
        before = fake.clock.monotonic()
        final = Frame(content=RichText(text="done"))
        await adapter.send(place(), final, guard=allow)
        assert fake.clock.monotonic() - before < 0.2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert fake.draft_flood is not None
        assert fake.draft_flood.refusals == 0
        assert sum(len(d.history) for d in fake.drafts[1001]) > 400

    run_virtual(main())


def test_drafts_and_messages_are_banned_apart_but_a_banned_chat_has_no_drafts() -> None:
    """A refused draft delays no message; a refused message stops the drafts of that chat."""

    async def main() -> None:
        fake, adapter = stage()
        assert fake.flood is not None
        assert fake.draft_flood is not None
        now = fake.clock.monotonic
        fake.draft_flood.ban(1001, now(), 100.0)
        with pytest.raises(PlatformBusy):
            await adapter.draft(place(), ANSWER, 0, frame("a"), guard=allow)
        assert adapter.draft_ready(place()) > now() + 90.0
        assert adapter.ready(place(), final=True) <= now()
        await asyncio.sleep(300.0)
        fake.flood.ban(1001, now(), 100.0)
        with pytest.raises(PlatformBusy):
            await adapter.send(place(), frame("a"), guard=allow)
        assert adapter.draft_ready(place()) > now() + 90.0
        assert adapter.draft_ready(place(2002)) <= now()

    run_virtual(main())


# --- what may go wrong ---------------------------------------------------------------------------


def test_a_refused_token_is_not_taken_for_a_missing_method() -> None:
    """The library gives both the same name."""

    async def main() -> None:
        fake, adapter = stage()
        fake.token = "4242:another"
        with pytest.raises(PlatformLocked):
            await adapter.draft(place(), ANSWER, 0, frame("a"), guard=allow)
        assert adapter.limits(place()).drafts is not None

    run_virtual(main())


def test_what_is_wrong_with_one_draft_says_nothing_about_the_next() -> None:
    """Only that there are no drafts, here or at all, is remembered."""

    async def main() -> None:
        fake, adapter = stage()
        with pytest.raises(PlatformRefused):
            await adapter.draft(place(), ANSWER, 0, frame("a" * 4097), guard=allow)
        fake.chats[1001].blocked = True
        with pytest.raises(NotWelcome):
            await adapter.draft(place(), ANSWER, 0, frame("a"), guard=allow)
        assert adapter.limits(place()).drafts is not None

    run_virtual(main())


def test_a_lapsed_lease_lets_no_draft_out() -> None:
    """As with every call."""

    def lapsed() -> None:
        raise LeaseLost

    async def main() -> None:
        fake, adapter = stage()
        with pytest.raises(LeaseLost):
            await adapter.draft(place(), ANSWER, 0, frame("a"), guard=lapsed)
        assert fake.calls == []

    run_virtual(main())
