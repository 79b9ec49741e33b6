"""Delivery asks for abilities: the same replies where a place can do less, or counts otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from adapters.slack.render import TEXT_MAX, measure
from bot.errors import LeaseLost, PlatformBusy, PlatformError, PlatformUnavailable
from bot.i18n import say
from bot.ports import Intake
from bot.reply.deliver import Deliverer
from bot.reply.hold import Hold
from bot.reply.screen import REQUEST_SECONDS
from bot.types import (
    Done,
    File,
    Grounds,
    IncomingMessage,
    Limits,
    Notice,
    Place,
    Sender,
    Settlement,
    Text,
)
from storage.stores import Stores, stores
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.screen import RichScreen, Screen
from tests.flow.answers import answer, fits
from tests.flow.test_deliver import script, typed

PLACE = Place(platform="screen", account="1", channel="5")
SLACK = Limits(text_max=TEXT_MAX, measure=measure, interval=3.0, spans_max=300)
TEXT = "One sentence of the answer. " * 20


class Bench:
    """A store with one question in it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.stores: Stores = stores(InlineDatabase.open(), self.clock)

    async def asked(self) -> None:
        message = IncomingMessage(
            key="k1", place=PLACE, sender=Sender(user="u"), text="q", said_at=1, position=1
        )
        await self.stores.inbox.put([Intake(raw="{}", delivery="d1", message=message)])

    async def held(self, owner: str = "one") -> Hold:
        (lease,) = await self.stores.inbox.lease(owner)
        return Hold(lease, self.stores.inbox, self.clock)

    async def told(self, screen: Screen, play: Any, hold: Hold) -> Settlement | None:
        return await Deliverer(self.stores.inbox, self.clock).deliver(
            hold, screen, play(hold.lease)
        )


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


async def answered(screen: Screen, play: Any) -> Settlement:
    bench = Bench()
    await bench.asked()
    settlement = await bench.told(screen, play, await bench.held())
    assert settlement is not None
    return settlement


def test_without_edits_one_post_at_the_end() -> None:
    """Nothing is shown before; nothing is edited, not even after a crash."""

    async def main() -> None:
        limits = Limits(text_max=300, edits=False, placeholder=False)
        screen = Screen(VirtualClock(), limits)
        await answered(screen, script(Grounds(route="open"), *typed(TEXT, 2.0), Done(route="open")))
        assert screen.calls == ["send", "send"]
        assert fits(screen.texts(), TEXT) == ""

    virtual(main())


def test_without_edits_a_part_that_stands_is_not_posted_again() -> None:
    """The answer is durable and its parts are anchored: finish sends only what is missing."""

    async def main() -> None:
        limits = Limits(text_max=300, edits=False, placeholder=False)
        screen, bench = Screen(VirtualClock(), limits), Bench()
        screen.faults[2] = lambda: PlatformUnavailable("down", sent=True)
        await bench.asked()
        hold = await bench.held()
        with pytest.raises(PlatformUnavailable):
            await bench.told(screen, script(Text(delta=TEXT), Done(route="open")), hold)
        await bench.stores.inbox.rest(hold.lease, until=bench.clock.now(), error="down")
        again = await bench.held()
        settlement = await Deliverer(bench.stores.inbox, bench.clock).finish(again, screen)
        assert settlement.outcome == "answered"
        assert fits(screen.texts(), TEXT) == ""

    virtual(main())


def test_without_placeholders_text_goes_straight() -> None:
    """The first thing seen is text."""

    async def main() -> None:
        screen = Screen(VirtualClock(), Limits(text_max=4000, placeholder=False, interval=0.5))
        await answered(screen, script(Grounds(route="open"), *typed(TEXT, 3.0), Done(route="open")))
        (history,) = screen.shown.values()
        assert all(TEXT.startswith(text) for text in history)
        assert len(history) > 2
        assert screen.texts() == [TEXT.strip()]

    virtual(main())


def test_files_where_there_are_none_are_a_sentence() -> None:
    """And a file where there are."""

    async def main() -> None:
        play = script(File(name="a.csv", content=b"x"), Done(route="command", remember=False))
        poor, rich = (
            Screen(VirtualClock(), Limits(text_max=99)),
            RichScreen(VirtualClock(), Limits(text_max=99)),
        )
        await answered(poor, play)
        await answered(rich, play)
        assert poor.texts() == [say("zh", "answer.no_files")]
        assert rich.files == {"a.csv": b"x"}

    virtual(main())


def test_a_picture_is_shown_where_one_can_be_and_a_file_elsewhere() -> None:
    """By what the platform can do; where not even files can be posted it is a sentence."""

    class Post(Screen):
        """Takes files, shows no pictures."""

        send_file = RichScreen.send_file
        _keep = RichScreen._keep

        def __init__(self, clock: VirtualClock, limits: Limits) -> None:
            super().__init__(clock, limits)
            self.files: dict[str, bytes] = {}

    async def main() -> None:
        file = File(name="a.png", content=b"x", kind="picture")
        play = script(file, Done(route="command", remember=False))
        for kind, calls in ((RichScreen, ["picture"]), (Post, ["file"]), (Screen, ["send"])):
            screen = kind(VirtualClock(), Limits(text_max=99))
            await answered(screen, play)
            assert screen.calls == calls

    virtual(main())


def test_notices_and_files_of_an_earlier_attempt_are_not_sent_again() -> None:
    """A crash between the notices and the settlement."""

    async def main() -> None:
        play = script(
            Notice(key="answer.end"),
            File(name="a", content=b"x"),
            Done(route="command", remember=False),
        )
        screen, bench = RichScreen(VirtualClock(), Limits(text_max=99)), Bench()
        await bench.asked()
        await bench.told(screen, play, await bench.held())
        await bench.stores.inbox.take_over("two")
        await bench.told(screen, play, await bench.held("two"))
        assert screen.calls == ["send", "file"]

    virtual(main())


def test_a_file_that_was_refused_for_now_comes_with_the_next_attempt() -> None:
    """One whose arrival is unknown does not come again."""

    async def main() -> None:
        play = script(File(name="a", content=b"x"), Done(route="command", remember=False))
        troubles = ((PlatformBusy, ["file", "file"]), (PlatformUnavailable, ["file"]))
        for trouble, files in troubles:
            screen, bench = RichScreen(VirtualClock(), Limits(text_max=99)), Bench()
            screen.faults[1] = trouble
            await bench.asked()
            with suppress(PlatformBusy):
                await bench.told(screen, play, await bench.held())
            await bench.stores.inbox.take_over("two")
            await bench.told(screen, play, await bench.held("two"))
            assert screen.calls == files

    virtual(main())


def test_a_shorter_answer_empties_what_it_does_not_need() -> None:
    """Where nothing can be deleted; where it can, it is."""

    async def main() -> None:
        for kind in (Screen, RichScreen):
            screen, bench = kind(VirtualClock(), Limits(text_max=300)), Bench()
            await bench.asked()
            first = asyncio.create_task(
                bench.told(
                    screen, script(Text(delta=TEXT), 60.0, Done(route="open")), await bench.held()
                )
            )
            await asyncio.sleep(10.0)
            assert len(screen.texts()) == 2
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await bench.stores.inbox.take_over("two")
            await bench.told(
                screen, script(Text(delta="Short."), Done(route="open")), await bench.held("two")
            )
            left = [say("zh", "answer.end")] if kind is Screen else []
            assert screen.texts() == ["Short.", *left]

    virtual(main())


def test_after_a_takeover_the_answer_is_shown_again_when_old_calls_are_over() -> None:
    """An earlier owner's frame that lands late does not stay."""

    async def main() -> None:
        screen, bench = RichScreen(VirtualClock(), Limits(text_max=4000)), Bench()
        await bench.asked()
        first = asyncio.create_task(
            bench.told(
                screen, script(Text(delta=TEXT), 600.0, Done(route="open")), await bench.held()
            )
        )
        await asyncio.sleep(5.0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.sleep(40.0)
        hold = await bench.held("two")
        assert hold.lease.taken_over
        keeper = asyncio.create_task(hold.keep())
        told = asyncio.create_task(
            bench.told(screen, script(Text(delta=TEXT), Done(route="open")), hold)
        )
        await asyncio.sleep(5.0)
        (ref,) = screen.frames
        screen.shown[ref].append("a stale frame")
        screen.frames[ref] = script_frame("a stale frame")
        began = bench.clock.monotonic()
        await told
        keeper.cancel()
        assert bench.clock.monotonic() - began > REQUEST_SECONDS - 6.0
        assert screen.texts() == [TEXT.strip()]

    virtual(main())


def script_frame(text: str) -> Any:
    """A frame that shows this text."""
    from bot.types import Frame, RichText

    return Frame(content=RichText(text=text))


def test_no_byte_leaves_after_the_lease_has_lapsed() -> None:
    """Nobody renews here: the guard stops the reply after 30 s."""

    async def main() -> None:
        screen = RichScreen(VirtualClock(), Limits(text_max=4000))
        bench = Bench()
        await bench.asked()
        with pytest.raises(LeaseLost):
            await bench.told(
                screen, script(*typed(TEXT, 60.0), Done(route="open")), await bench.held()
            )
        assert bench.clock.monotonic() < 40.0

    virtual(main())


@pytest.mark.soak
@pytest.mark.parametrize(
    "fault",
    [
        lambda: PlatformUnavailable("net", sent=False),
        lambda: PlatformUnavailable("net", sent=True),
        lambda: PlatformBusy(retry_after=2.0),
        lambda: PlatformBusy(retry_after=100.0),
    ],
)
def test_a_bare_fault_at_every_call_under_slack_limits(fault: Callable[[], PlatformError]) -> None:
    """The adapter retries nothing here: delivery or the next attempt makes it good, exactly."""

    async def main() -> None:
        source, plain = answer(Random(7), 9000)
        play = script(*typed(source, 20.0, size=24), Done(route="open"))
        for position in range(1, 30):
            screen, bench = RichScreen(VirtualClock(), SLACK), Bench()
            screen.faults[position] = fault
            await bench.asked()
            hold = await bench.held()
            keeper = asyncio.create_task(hold.keep())
            deliverer = Deliverer(bench.stores.inbox, bench.clock)
            try:
                await bench.told(screen, play, hold)
            except PlatformError:
                await bench.stores.inbox.rest(hold.lease, until=bench.clock.now(), error="x")
                again = await bench.held()
                assert again.lease.answer is not None
                await deliverer.finish(again, screen)
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
            assert fits(screen.texts(), plain) == "", position

    virtual(main())


@pytest.mark.parametrize("seed", range(8))
def test_random_answers_under_slack_limits(seed: int) -> None:
    """Up to 9,000 characters of zh, en, code, tables, emoji: exact, in bytes this time."""

    async def main() -> None:
        random = Random(seed)
        source, plain = answer(random, random.randint(800, 9000))
        screen = RichScreen(VirtualClock(), SLACK)
        await answered(screen, script(*typed(source, 20.0), Done(route="open")))
        assert fits(screen.texts(), plain) == ""
        assert all(measure(text) <= TEXT_MAX for text in screen.texts())

    virtual(main())
