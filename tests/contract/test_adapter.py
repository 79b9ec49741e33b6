"""What every adapter must do, whichever platform it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.errors import LeaseLost, NotWelcome, PlatformBusy, PlatformUnavailable
from bot.ports import Deletes
from bot.types import Frame, RichText
from tests.contract.adapters import STAGES, Fault, Stage
from tests.fakes.store import Store


@pytest.fixture(params=sorted(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with STAGES[request.param]() as opened:
        yield opened


def needs(stage: Stage, fault: Fault) -> None:
    if fault not in stage.faults:
        pytest.skip(f"{stage.adapter.platform} has no such fault: {fault}")


def needs_edits(stage: Stage) -> None:
    """What came out of a pipe cannot be changed any more, and `limits` says so."""
    if not stage.adapter.limits(stage.here).edits:
        pytest.skip(f"{stage.adapter.platform} does not edit here")


def elsewhere(stage: Stage) -> list[str]:
    """What stands in the other conversation, if there is another."""
    return stage.screen(stage.there) if stage.there != stage.here else []


def allow() -> None:
    """A guard that always lets go."""


def lapsed() -> None:
    raise LeaseLost


def frame(text: str, *, final: bool = True) -> Frame:
    return Frame(content=RichText(text=text), final=final)


@asynccontextmanager
async def running(stage: Stage, store: Store) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.adapter.run(store))
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_message_comes_in_whole_and_directed(stage: Stage) -> None:
    """Text, place and account are as they were said; positions follow the order of saying."""
    store = Store()
    async with running(stage, store):
        await stage.say(stage.here, "first 你好")
        await stage.say(stage.here, "second")
        first, second = await store.said(2)
    assert (first.text, second.text) == ("first 你好", "second")
    assert first.place.conversation == stage.here.conversation
    assert first.place.account == stage.adapter.account
    assert first.directed
    assert first.key != second.key
    assert first.position < second.position


async def test_what_was_not_stored_is_delivered_again(stage: Stage) -> None:
    """An adapter acknowledges after the sink returned, never before."""
    needs(stage, "redeliver")
    store = Store(failures=1)
    async with running(stage, store):
        await stage.say(stage.here, "precious")
        assert [m.text for m in await store.said(1)] == ["precious"]


async def test_a_redelivery_has_the_same_keys(stage: Stage) -> None:
    """So the inbox can tell that it is the same."""
    needs(stage, "redeliver")
    store = Store()
    async with running(stage, store):
        await stage.say(stage.here, "twice")
        await store.said(1)
        await stage.cause("redeliver", stage.here)
        first, again = await store.said(2)
    assert first == again


async def test_what_is_sent_and_edited_stands_there_and_nowhere_else(stage: Stage) -> None:
    """The screen shows the newest text, once; another conversation shows nothing."""
    needs_edits(stage)
    ref = await stage.adapter.send(stage.here, frame("…"), guard=allow)
    await stage.adapter.edit(ref, frame("Seven days."), guard=allow)
    assert stage.screen(stage.here) == ["Seven days."]
    assert elsewhere(stage) == []


async def test_an_edit_to_the_same_text_is_a_success(stage: Stage) -> None:
    """It may be the repetition of one whose answer was lost."""
    needs_edits(stage)
    ref = await stage.adapter.send(stage.here, frame("same"), guard=allow)
    await stage.adapter.edit(ref, frame("same"), guard=allow)
    assert stage.screen(stage.here) == ["same"]


async def test_a_lapsed_lease_sends_no_byte(stage: Stage) -> None:
    """Neither a post nor an edit gets past the guard."""
    ref = await stage.adapter.send(stage.here, frame("old"), guard=allow)
    with pytest.raises(LeaseLost):
        await stage.adapter.edit(ref, frame("stale"), guard=lapsed)
    with pytest.raises(LeaseLost):
        await stage.adapter.send(stage.there, frame("stale"), guard=lapsed)
    assert stage.screen(stage.here) == ["old"]
    assert elsewhere(stage) == []


async def test_the_longest_text_fits(stage: Stage) -> None:
    """As long as `limits` allows, by the measure that it names, in any script."""
    limits = stage.adapter.limits(stage.here)
    size = min(limits.text_max, 40_000)
    text = "字" * (size // limits.measure("字"))
    await stage.adapter.send(stage.here, frame(text), guard=allow)
    assert stage.screen(stage.here) == [text]


async def test_a_lost_answer_to_a_send_is_told_and_not_repeated(stage: Stage) -> None:
    """It stands once; the caller learns that it may."""
    needs(stage, "lose send")
    await stage.cause("lose send", stage.here)
    with pytest.raises(PlatformUnavailable) as caught:
        await stage.adapter.send(stage.here, frame("once"), guard=allow)
    assert caught.value.sent
    assert stage.screen(stage.here) == ["once"]


async def test_a_lost_answer_to_a_final_edit_is_made_good(stage: Stage) -> None:
    """An edit is idempotent, so the adapter tries again by itself."""
    needs(stage, "lose edit")
    ref = await stage.adapter.send(stage.here, frame("…"), guard=allow)
    await stage.cause("lose edit", stage.here)
    await stage.adapter.edit(ref, frame("whole"), guard=allow)
    assert stage.screen(stage.here) == ["whole"]


async def test_a_ban_is_told_with_its_length_and_binds_one_place_only(stage: Stage) -> None:
    """`ready` knows of it too; the other conversation is served at once."""
    needs(stage, "ban")
    await stage.cause("ban", stage.here)
    clock = asyncio.get_running_loop().time
    for _ in range(2):
        with pytest.raises(PlatformBusy) as caught:
            await stage.adapter.send(stage.here, frame("x"), guard=allow)
        assert (caught.value.retry_after or 0) > 200
    started = clock()
    await stage.adapter.send(stage.there, frame("free"), guard=allow)
    assert clock() - started < 0.5
    assert stage.adapter.ready(stage.here, final=True) > stage.adapter.ready(
        stage.there, final=True
    )
    assert stage.screen(stage.here) == []


async def test_where_we_are_not_wanted_is_told_apart(stage: Stage) -> None:
    """Blocked: no retry will help."""
    needs(stage, "block")
    await stage.cause("block", stage.here)
    with pytest.raises(NotWelcome):
        await stage.adapter.send(stage.here, frame("x"), guard=allow)


async def test_deleting_twice_is_silent(stage: Stage) -> None:
    """Where deleting is possible at all."""
    if not isinstance(stage.adapter, Deletes):
        pytest.skip("no deleting here")
    needs_edits(stage)
    ref = await stage.adapter.send(stage.here, frame("orphan"), guard=allow)
    await stage.adapter.delete(ref, guard=allow)
    await stage.adapter.delete(ref, guard=allow)
    assert stage.screen(stage.here) == []


async def test_a_new_place_is_ready(stage: Stage) -> None:
    """Nothing was said there yet, so nothing holds a call back."""
    await asyncio.wait_for(
        stage.adapter.send(stage.there, frame("x", final=False), guard=allow), timeout=1
    )
