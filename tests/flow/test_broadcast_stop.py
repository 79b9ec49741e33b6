"""A broadcast that is stopped reaches nobody further, come what may, and tells how far it came."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from bot.errors import LeaseLost, StorageBusy
from bot.i18n import say
from bot.ports import Progress
from bot.types import Anchor, Lease, MemoryId, MessageRef, PersonId, Settlement
from storage import open_stores
from storage.broadcasts import SLICE, SqlBroadcasts, _slice
from storage.database import Database, Work
from tests.contract.stores import HandClock
from tests.fakes.loop import run_virtual
from tests.flow.everybody import TEXT, Stage, dies, swept
from tests.flow.spoken import ADMIN, ANN, Spoken, spoken
from tests.flow.virtual_desk import Killer, fake

PEOPLE = 60

T = TypeVar("T")


async def started(desk: Spoken, people: int = PEOPLE, text: str = TEXT) -> None:
    """On its way to so many beside the administrator."""
    for user in (*map(str, range(7100, 7100 + people)), ADMIN):
        await desk.say("/start", user)
    await begun(desk, text)


async def begun(desk: Spoken, text: str = TEXT) -> None:
    """Once more, to the same people."""
    found = re.search(r"send (\d{6})", (await desk.say(f"/broadcast {text}", ADMIN)).text)
    assert found
    await desk.say(f"/broadcast send {found[1]}", ADMIN)


def done() -> Settlement:
    return Settlement(outcome="answered", memory=MemoryId(""), person=PersonId(0))


def mark(lease: Lease) -> Anchor:
    """What stands beside a message that is being sent once."""
    ref = MessageRef(place=lease.place, id="")
    return Anchor(part=1000, ref=ref, kind="notice", frozen=True, shown="x")


async def sent(desk: Spoken, seconds: float) -> int:
    """Serve what falls due; how many got it."""
    desk.clock.pass_(seconds)
    inbox, count = desk.stores.inbox, 0
    while leases := await inbox.lease("me", 50):
        for lease in leases:
            assert lease.messages[0].message.text == TEXT
            await inbox.settle(lease, done())
            count += 1
    return count


async def progress(desk: Spoken, number: int = 0) -> Progress:
    found = await desk.stores.broadcasts.progress(number)
    assert found is not None
    return found


async def test_it_says_how_many_got_it_and_how_many_did_not_and_nobody_gets_it_later() -> None:
    async with spoken() as desk:
        await started(desk)
        got = await sent(desk, 1.0)
        assert 10 < got < PEOPLE
        reply = await desk.say("/broadcast stop", ADMIN)
        numbers = {"number": 1, "delivered": got, "unsent": PEOPLE + 1 - got}
        told = say("en", "access.broadcast_stopped", **numbers, failed=0, unknown=0)
        assert reply.text == told + "\n"
        assert await sent(desk, 24 * 3600) == 0
        assert (await desk.say("/broadcast status", ADMIN)).text == told + "\n"
        assert (await desk.say("/broadcast stop", ADMIN)).text == told + "\n"
        assert "stopped a text to everybody 1" in (await desk.say("/audit 2", ADMIN)).text
        assert (await desk.stores.inbox.depth()).waiting == 0


async def test_what_was_stopped_stays_stopped_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "desk.db")
    async with spoken(path) as desk:
        await started(desk)
        [held] = await desk.stores.inbox.lease("me")
        await desk.say("/broadcast stop", ADMIN)
    clock = HandClock()
    clock.pass_(24 * 3600)
    stores = await open_stores(path, clock)
    try:
        await stores.inbox.take_over("next")
        assert await stores.inbox.lease("next", 99) == []
        found = await stores.broadcasts.progress()
        assert found is not None
        assert (found.unsent, found.waiting, found.delivered) == (PEOPLE + 1, 0, 0)
        with pytest.raises(LeaseLost):
            await stores.inbox.anchor(held, mark(held))
    finally:
        await stores.close()


async def test_who_was_not_in_line_yet_gets_nothing_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped between two slices of people, as after a crash there."""
    people = SLICE + 20
    async with spoken() as desk:

        async def nothing(*_: object, **__: object) -> int:
            return 0

        monkeypatch.setattr("storage.inbox.spread", nothing)
        await started(desk, people)
        monkeypatch.undo()

        await desk.stores.database.write(lambda tx: _slice(tx, now=desk.clock.now()))
        assert (await progress(desk)).waiting == SLICE
        reply = await desk.say("/broadcast stop", ADMIN)
        assert f"{people + 1} not sent" in reply.text
        await desk.stores.inbox.take_over("next")
        assert await sent(desk, 24 * 3600) == 0
        assert (await progress(desk)).whole


@pytest.mark.parametrize("ended", [0, 1, 2, 5])
async def test_a_stop_that_is_broken_off_between_its_steps_goes_on(
    ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next start, or when the word is said again; nobody gets it meanwhile."""
    monkeypatch.setattr("storage.broadcasts.ENDED_AT_ONCE", 10)
    monkeypatch.setattr("storage.broadcasts.ENDING_MS", 0)
    async with spoken() as desk:
        await started(desk)
        broadcasts = SqlBroadcasts(Breaking(desk.stores.database, ended + 1))
        with pytest.raises(StorageBusy):
            await broadcasts.stop(1, at=desk.clock.now())
        found = await progress(desk)
        assert (found.stopped, found.unsent, found.waiting) == (True, PEOPLE + 1, 0)
        if ended == 1:
            told = await desk.say("/broadcast stop", ADMIN)
            assert f"{PEOPLE + 1} not sent" in told.text
        else:
            await desk.stores.inbox.take_over("next")
        assert await sent(desk, 24 * 3600) == 0
        assert (await progress(desk)).unsent == PEOPLE + 1
        assert await desk.stores.broadcasts.running() == []


class Breaking:
    """A database that takes so many more transactions."""

    def __init__(self, database: Database, writes: int) -> None:
        self._database, self._left = database, writes

    async def write(self, work: Work[T], /) -> T:
        if not self._left:
            raise StorageBusy
        self._left -= 1
        return await self._database.write(work)

    async def read(self, work: Work[T], /) -> T:
        return await self._database.read(work)

    async def close(self) -> None:
        """It is another's."""


async def test_who_is_leased_but_not_written_to_gets_nothing() -> None:
    """The mark that precedes each send is refused, so that nothing leaves."""
    async with spoken() as desk:
        await started(desk, 3)
        [lease] = await desk.stores.inbox.lease("me")
        await desk.say("/broadcast stop", ADMIN)
        with pytest.raises(LeaseLost):
            await desk.stores.inbox.anchor(lease, mark(lease))
        assert (await progress(desk)).unsent == 4
        other = await desk.say("hello", lease.place.channel)
        assert other.notices == ["courtesy.greeting"]


@pytest.mark.parametrize("fate", ["arrives", "unknown", "refused for now"])
async def test_what_is_on_its_way_is_told_apart_and_ends_as_it_ends(fate: str) -> None:
    """What the platform sent back is not sent again."""
    async with spoken() as desk:
        await started(desk, 3)
        inbox = desk.stores.inbox
        [lease] = await inbox.lease("me")
        await inbox.anchor(lease, mark(lease))
        reply = await desk.say("/broadcast stop", ADMIN)
        assert reply.notices == ["access.broadcast_stopping"]
        assert "3 not sent" in reply.text
        assert "1 more were on their way" in reply.text
        if fate == "refused for now":
            nowhere = Anchor(part=1000, ref=None, kind="notice", frozen=True, shown="x")
            await inbox.anchor(lease, nowhere)
            await inbox.rest(lease, until=desk.clock.now() + 1000, error="429", counts=False)
        else:
            there = MessageRef(place=lease.place, id="5" if fate == "arrives" else "")
            anchor = Anchor(part=1000, ref=there, kind="notice", frozen=True, shown="x")
            await inbox.anchor(lease, anchor)
            await inbox.settle(lease, done())
        assert await sent(desk, 24 * 3600) == 0
        found = await progress(desk)
        assert (found.sending, found.waiting, found.failed) == (0, 0, 0)
        assert (found.unsent, found.delivered, found.unknown) == {
            "arrives": (3, 1, 0),
            "unknown": (3, 0, 1),
            "refused for now": (4, 0, 0),
        }[fate]


async def test_a_letter_of_a_stopped_broadcast_cannot_be_sent_after_all() -> None:
    async with spoken() as desk:
        await started(desk, 3)
        inbox = desk.stores.inbox
        [lease] = await inbox.lease("me")
        await inbox.bury(lease, done(), error="refused")
        await desk.say("/broadcast stop", ADMIN)
        assert await inbox.requeue([lease.id]) == []
        assert await inbox.requeue() == []


async def test_of_several_the_number_says_which() -> None:
    async with spoken() as desk:
        await started(desk, 3)
        await begun(desk)
        which = await desk.say("/broadcast stop", ADMIN)
        assert which.notices == ["access.broadcast_which"]
        assert "1, 2" in which.text
        assert (await desk.say("/broadcast stop #1", ADMIN)).notices == ["access.broadcast_stopped"]
        assert (await progress(desk, 1)).unsent == 4
        assert (await progress(desk, 2)).waiting == 4
        assert "等待中 4" in (await desk.say("/broadcast 进度 2", ADMIN)).text
        assert (await desk.say("/broadcast 停止", ADMIN)).notices == ["access.broadcast_stopped"]
        assert (await progress(desk, 2)).unsent == 4


async def test_two_that_are_stopped_at_once_both_end_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far one stop came in the first says nothing about the second."""
    monkeypatch.setattr("storage.broadcasts.ENDED_AT_ONCE", 10)
    monkeypatch.setattr("storage.broadcasts.ENDING_MS", 0)
    async with spoken() as desk:
        await started(desk, 15)
        await begun(desk)
        broadcasts, now = desk.stores.broadcasts, desk.clock.now()
        await asyncio.gather(*(broadcasts.stop(one, at=now) for one in (1, 2)))
        assert await sent(desk, 24 * 3600) == 0
        assert [(await progress(desk, one)).unsent for one in (1, 2)] == [16, 16]


async def test_who_has_the_first_part_of_it_gets_the_rest() -> None:
    """Of a text in two messages, stopped while the second waits for the platform."""
    async with spoken() as desk:
        await started(desk, 3)
        inbox = desk.stores.inbox
        [lease] = await inbox.lease("me")
        there = MessageRef(place=lease.place, id="5")
        await inbox.anchor(lease, replace(mark(lease), ref=there))
        await inbox.anchor(lease, replace(mark(lease), part=1001))
        await desk.say("/broadcast stop", ADMIN)
        await inbox.anchor(lease, replace(mark(lease), part=1001, ref=None))
        await inbox.rest(lease, until=desk.clock.now() + 1000, error="429", counts=False)
        assert await sent(desk, 24 * 3600) == 1
        found = await progress(desk)
        assert (found.unsent, found.delivered) == (3, 1)


async def test_where_nothing_runs_it_says_so_and_the_word_begins_a_text_all_the_same() -> None:
    async with spoken() as desk:
        assert (await desk.say("/broadcast stop", ADMIN)).notices == ["access.broadcast_never"]
        await started(desk, 1)
        assert await sent(desk, 60) == 2
        assert (await desk.say("/broadcast stop", ADMIN)).notices == ["access.broadcast_over"]
        assert (await desk.say("/broadcast stop 7", ADMIN)).notices == ["access.broadcast_none"]
        assert (await desk.say("/broadcast stop 1", ANN)).notices == ["command.not_allowed"]
        text = await desk.say("/broadcast stop smoking today", ADMIN)
        assert text.notices == ["access.broadcast_preview"]
        audit = (await desk.say("/audit", ADMIN)).text
        assert "/broadcast refused · it is over · stop" in audit


# --- on a platform ------------------------------------------------------------------------------


async def _stopped(point: int = 0) -> bool:
    """Let it go, stop it in its midst, die at this point after that; False: there is no such."""
    stage, killer = Stage(fake(), 30), Killer(0)
    code = await stage.prepared()
    async with stage.serving(killer) as desk:
        await stage.begun(code)
        if point:
            killer.strike(point)
        stage.telegram.say(stage.owner, "/broadcast stop")
        died = await dies(desk, killer)
    known, got = await stage.progress(), stage.got()
    async with stage.serving() as desk:
        await desk.quiet()
        await asyncio.sleep(60)
        await desk.quiet()
    if known.stopped:
        assert stage.got() == got, f"killed at {point}: sent after it was stopped"
    found, got = await stage.progress(), stage.got()
    owner = "\n".join(stage.telegram.screen(stage.owner))
    assert found.stopped, f"killed at {point}: the stop was lost"
    assert max(got) <= 1, f"killed at {point}: twice"
    assert sum(got) < len(got), f"killed at {point}: nobody was spared"
    assert f"Broadcast {found.id} is stopped" in owner, f"killed at {point}: not said"
    assert found.sending == found.waiting == 0
    mine = stage.telegram.screen(stage.owner).count(TEXT) - 1  # its preview
    assert found.delivered <= sum(got) + mine <= found.delivered + found.unknown
    assert found.delivered + found.unknown + found.unsent == len(got) + 1
    assert not stage.telegram.violations
    await stage.database.close()
    return died


def test_on_a_platform_who_has_it_keeps_it_and_nobody_else_gets_it() -> None:
    assert not run_virtual(_stopped())


@pytest.mark.parametrize("point", [1, 3, 5, 8])
def test_a_stop_that_is_killed_in_its_midst_is_done_after_the_restart(point: int) -> None:
    assert run_virtual(_stopped(point))


@pytest.mark.soak
def test_killed_at_any_point_a_stop_holds() -> None:
    """Every write and every call from the word to its answer, and what else goes on meanwhile."""
    assert swept(_stopped) >= 20
