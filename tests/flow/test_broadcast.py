"""A text to everybody: shown before, confirmed once, and whatever happens to nobody twice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.fakes.loop import run_virtual
from tests.fakes.telegram.core import Fault
from tests.flow.everybody import FIRST, TEXT, Stage, dies, swept
from tests.flow.spoken import ADMIN, ANN, BOB, spoken
from tests.flow.virtual_desk import Killer, fake

USERS = range(FIRST, FIRST + 5)


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


async def test_a_broadcast_is_shown_first_and_goes_out_once_with_its_author_s_code_only() -> None:
    async with spoken() as desk:
        for user in (ANN, BOB, ADMIN):
            await desk.say("hello", user)
        preview = await desk.say(f"/broadcast {TEXT}", ADMIN)
        assert TEXT in preview.text
        assert "go to: 3." in preview.text
        found = re.search(r"send (\d{6})", preview.text)
        assert found
        confirm = f"/broadcast send {found[1]}"
        assert (await desk.say(confirm, ADMIN, platform="slack")).notices == [
            "access.broadcast_code"
        ]
        assert (await desk.say(confirm, ADMIN)).notices == ["access.broadcast_started"]
        assert (await desk.say(confirm, ADMIN)).notices == ["access.broadcast_code"]
        progress = await desk.stores.broadcasts.progress()
        assert progress is not None
        # The administrator of Slack has spoken meanwhile, and is somebody else.
        assert (progress.waiting, progress.whole) == (4, True)
        actions = [entry.action for entry in await desk.stores.audits.last(9)]
        assert actions == [
            "broadcast refused",
            "broadcast started",
            "broadcast refused",
            "broadcast drafted",
        ]


async def test_a_code_is_too_old_after_a_quarter_of_an_hour() -> None:
    async with spoken() as desk:
        await desk.say("hello", ADMIN)
        found = re.search(r"send (\d{6})", (await desk.say("/broadcast x", ADMIN)).text)
        assert found
        desk.clock.pass_(16 * 60)
        late = await desk.say(f"/broadcast send {found[1]}", ADMIN)
        assert late.notices == ["access.broadcast_code"]


async def test_nobody_who_is_kept_out_or_only_spoke_in_a_group_is_written_to() -> None:
    async with spoken() as desk:
        await desk.say("hello", ANN)
        await desk.say("hello", BOB)
        await desk.say("hello", "7003", channel="-5")
        await desk.say(f"/ban {BOB}", ADMIN)
        assert "go to: 2." in (await desk.say("/broadcast x", ADMIN)).text


async def test_rows_fall_due_one_after_the_other_so_that_answers_are_not_kept_waiting() -> None:
    """Fifteen a second: a question asked meanwhile is at the head of what is due."""
    async with spoken() as desk:
        for user in range(7100, 7160):
            await desk.say("/start", str(user))
        found = re.search(r"send (\d{6})", (await desk.say("/broadcast x", ADMIN)).text)
        assert found
        await desk.say(f"/broadcast send {found[1]}", ADMIN)
        desk.clock.pass_(1)
        assert 15 <= (await desk.stores.inbox.depth()).waiting <= 16
        desk.clock.pass_(4)
        assert (await desk.stores.inbox.depth()).waiting == 61


def test_everybody_gets_it_once_when_nothing_goes_wrong() -> None:
    async def main() -> None:
        stage = Stage(fake())
        code = await stage.prepared()
        async with stage.serving() as desk:
            stage.telegram.say(stage.owner, f"/broadcast send {code}")
            await desk.quiet()
        assert stage.got() == [1] * len(stage.chats)
        progress = await stage.progress()
        assert (progress.delivered, progress.unknown, progress.failed) == (6, 0, 0)
        assert not stage.telegram.violations

    virtual(main())


@pytest.mark.parametrize("fault", ["lose", "refuse", "late 502"])
def test_a_send_of_unknown_outcome_is_named_and_not_repeated(fault: Fault) -> None:
    """Bytes left and no answer came: it may stand there, so it is not sent again."""

    async def main() -> None:
        stage = Stage(fake())
        code = await stage.prepared()
        async with stage.serving() as desk:
            await stage.begun(code)
            stage.telegram.method_faults["sendMessage"] = [fault, fault]
            await desk.quiet()
            stage.telegram.say(stage.owner, "/broadcast status")
            await desk.quiet()
        assert max(stage.got()) == 1
        progress = await stage.progress()
        assert progress.delivered + progress.unknown == 6
        assert progress.unknown == 2
        [status] = [text for text in stage.telegram.screen(stage.owner) if "2 unknown" in text]
        for person, name in progress.unknowns:
            assert f"{name} (#{person})" in status

    virtual(main())


@pytest.mark.parametrize("fault", ["unsent", "429"])
def test_a_send_that_surely_did_not_arrive_is_made_again(fault: Fault) -> None:
    async def main() -> None:
        stage = Stage(fake())
        code = await stage.prepared()
        async with stage.serving() as desk:
            await stage.begun(code)
            stage.telegram.method_faults["sendMessage"] = [fault]
            await desk.quiet()
            await asyncio.sleep(120)
            await desk.quiet()
        assert stage.got() == [1] * len(stage.chats)
        assert (await stage.progress()).unknown == 0

    virtual(main())


async def _killed_at(point: int) -> bool:
    """Confirm, die at this point, serve again; False when there was no such point any more."""
    stage, killer = Stage(fake()), Killer(point)
    code = await stage.prepared()
    async with stage.serving(killer) as desk:
        stage.telegram.say(stage.owner, f"/broadcast send {code}")
        died = await dies(desk, killer)
    async with stage.serving() as desk:
        await desk.quiet()
        await asyncio.sleep(60)
        await desk.quiet()
    got, progress = stage.got(), await stage.progress()
    await stage.database.close()
    assert max(got) <= 1, f"killed at {point}: twice"
    assert progress.whole, f"killed at {point}: not resumed"
    assert progress.delivered + progress.unknown == 6, f"killed at {point}: {progress}"
    # At most two are between their mark and their answer: rows fall due 66 ms apart.
    assert progress.unknown <= 2 * died, f"killed at {point}: {progress}"
    unknown = {name for _, name in progress.unknowns}
    missed = {f"User {user}" for user, count in zip(USERS, got, strict=True) if not count}
    assert missed <= unknown, f"killed at {point}: {missed} got nothing and nobody knows"
    return died


@pytest.mark.soak
def test_killed_at_any_point_it_goes_on_reaches_nobody_twice_and_names_the_unknown() -> None:
    """Every port call of a whole broadcast in turn: before and after each write and each send."""
    assert swept(_killed_at) >= 50
