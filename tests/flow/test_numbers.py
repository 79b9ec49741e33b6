"""The desk's numbers through the real engine and stores: in chat, privately, as a file, daily."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.clock import SystemClock
from bot.config import DeskConfig
from bot.desk import build_engine, numbers
from bot.i18n import say
from bot.types import (
    Done,
    File,
    Forward,
    IncomingMessage,
    Lease,
    LedgerRow,
    MemoryId,
    PersonId,
    Place,
    Say,
    Sender,
    Settlement,
)
from storage.driver import sqlite
from tests.contract.stores import HandClock
from tests.fakes.scripted import ScriptedModel
from tests.fakes.telegram.core import FakeTelegram
from tests.flow.running import running, until
from tests.flow.spoken import ADMIN, ANN, BOB, GROUP, STAFF_ROOM, Spoken, desk_over, spoken
from tests.flow.test_desk import bot_says

BERLIN = ZoneInfo("Europe/Berlin")
MORNING = DeskConfig(name="Lumen", answers="strict", timezone="Europe/Berlin", digest="09:00")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


@asynccontextmanager
async def desk_at(when: str, config: DeskConfig = MORNING) -> AsyncIterator[Spoken]:
    clock = HandClock()
    clock.ms = at(when)
    async with spoken(desk=config, clock=clock) as desk:
        yield desk


@pytest.fixture
def drawing() -> None:
    """Its pictures are drawn."""


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """All others do without: each picture is a process of some seconds."""
    if "drawing" not in request.fixturenames:
        monkeypatch.setattr("bot.stats.picture.can_draw", lambda: False)


# --- /stats --------------------------------------------------------------------------------------


async def test_the_statistics_of_a_recorded_day_equal_a_hand_count() -> None:
    """Two who ask, what nobody knew, a thumb up and two down, and what an admin asks itself."""
    async with desk_at("2026-03-18T10:00") as desk:
        for user, name, question in (
            (ANN, "Ann", "How do I grow roses?"),
            (BOB, "Bob", "How do I grow roses"),
            (BOB, "Bob", "Do you sell submarines?"),
        ):
            await desk.say(question, user, name=name)
            await due(desk)
        # 2 and 4 are the notices to staff that Ann and Bob are waiting.
        for user, name, verdict in (
            (ANN, "Ann", "up 1"),
            (BOB, "Bob", "down 3"),
            (BOB, "Bob", "down 5"),
        ):
            await desk.say(f"/feedback {verdict}", user, name=name)
        text = (await desk.say("/stats", ADMIN, name="Root")).text
    lines = text.splitlines()
    assert "Requests: 6" in lines
    assert "Succeeded: 6 · 100%" in lines
    assert "Not known · 3 · 50.0%" in lines
    assert "Command · 3 · 50.0%" in lines
    assert "Found good: 33.3% of 3 verdicts" in lines
    assert "Busiest: 10:00 (6)" in lines
    unanswered = lines.index("Most asked without an answer")
    assert lines[unanswered + 1] in ("How do I grow roses? · 2", "How do I grow roses · 2")
    assert lines[unanswered + 2] == "Do you sell submarines? · 1"
    askers = lines.index("Who asked most")
    assert lines[askers + 1 : askers + 3] == ["Bob (#2) · 4", "Ann (#1) · 2"]


def _answer_of(settlement: Settlement) -> LedgerRow:
    assert settlement.ledger is not None
    return settlement.ledger


@pytest.mark.usefixtures("drawing")
async def test_the_text_comes_first_and_then_the_picture() -> None:
    """The picture has its heading drawn in it; the heading is not said a second time beside it."""
    async with spoken() as desk:
        await desk.say("/help")
        said = [e for e in (await desk.say("/stats", ADMIN)).events if isinstance(e, Say | File)]
    assert isinstance(said[0], Say)
    assert isinstance(said[1], File)
    assert said[1].name == "stats.png"
    assert said[1].content.startswith(b"\x89PNG")
    assert said[1].caption == ""


async def test_as_a_file_in_private() -> None:
    async with spoken() as desk:
        await desk.say("/help")
        reply = await desk.say("/stats csv 7d", ADMIN)
    assert reply.file.name.endswith(".csv")
    assert reply.file.content.decode("utf-8-sig").startswith("part,from,requests,")
    assert not reply.text


@pytest.mark.soak
@pytest.mark.usefixtures("drawing")
async def test_in_a_group_they_go_to_the_one_who_asked_alone() -> None:
    """Whole: text and picture, or the file; and that they were sent is no request of anybody's."""
    async with spoken() as desk:
        await desk.say("/start", ADMIN)
        await desk.say("/start", ANN)
        for word in ("", " csv"):
            reply = await desk.say(f"/stats{word}", ADMIN, channel=GROUP)
            assert reply.notices == ["stats.sent"]
            [forward] = reply.settlement.forwards
            assert forward.place.channel == ADMIN
            assert forward.place.private
            assert not any(isinstance(event, Say | File) for event in reply.events)
            [lease] = await desk.stores.inbox.lease("me", 8)
            events = [event async for event in desk.engine.handle(lease)]
            await _settle(desk, lease)
            files = [event.name for event in events if isinstance(event, File)]
            texts = [event.text for event in events if isinstance(event, Say)]
            if word:
                assert files[0].endswith(".csv")
                assert not texts
            else:
                assert files == ["stats.png"]
                assert "Requests: 3" in texts[0]
            assert isinstance(events[-1], Done)
            assert events[-1].route == "relay"


@pytest.mark.soak
@pytest.mark.usefixtures("drawing")
async def test_on_telegram_the_picture_is_a_photo_also_for_who_asked_in_a_group(
    tmp_path: Path,
) -> None:
    """Over the wire, drawn by the real process; the group sees a sentence only."""
    telegram = FakeTelegram()
    root, group = telegram.private(9001, "Root"), telegram.group()
    async with running(tmp_path / "desk.db", telegram=telegram, speaks=False, pace="off"):
        telegram.say(root, "/help")
        await until(lambda: bot_says(telegram, root.id))
        telegram.say(root, "/stats")
        await until(lambda: _photos(telegram, root.id) == 1, 30)
        asker = telegram.person(9001, "Root")
        telegram.say(group, f"/stats@{telegram.bot['username']} 7d", user=asker)
        await until(lambda: _photos(telegram, root.id) == 2, 30)
    assert _photos(telegram, group.id) == 0
    assert bot_says(telegram, group.id) == [say("en", "stats.sent")]
    assert telegram.files["stats.png"].startswith(b"\x89PNG")
    assert telegram.violations == []


def _photos(telegram: FakeTelegram, chat: int) -> int:
    """Photos that were taken by the server; a refused one would come as a document."""
    asked = [str(said["chat_id"]) for method, said in telegram.calls if method == "sendPhoto"]
    assert not [method for method, _ in telegram.calls if method == "sendDocument"]
    return asked.count(str(chat))


async def test_in_a_group_whoever_cannot_be_written_to_is_told_what_to_do() -> None:
    async with spoken() as desk:
        reply = await desk.say("/stats", ADMIN, channel=GROUP)
        assert reply.notices == ["stats.write_me"]
        assert not reply.settlement.forwards


@pytest.mark.parametrize("word", ["yesterday", "csv never", "9999-01-01..9999-02-01", "2026-1-1.."])
async def test_an_absurd_range_is_refused_in_words_and_audited(word: str) -> None:
    async with spoken() as desk:
        reply = await desk.say(f"/stats {word}", ADMIN)
        assert reply.done.outcome == "declined"
        assert reply.notices[0].startswith("stats.")
        [entry] = await desk.stores.audits.last(9)
        assert entry.action == "stats refused"
        assert entry.detail.endswith(word)


async def test_a_hostile_question_marks_up_nothing() -> None:
    async with spoken() as desk:
        await desk.say("# [free](http://evil.example) **money** `x` @everyone <!here>?", ANN)
        await due(desk)
        text = (await desk.say("/stats", ADMIN)).text
    line = next(line for line in text.splitlines() if "free" in line)
    assert not set(line) & set("#[]*`@<>")
    assert "://" not in line


# --- the digest -------------------------------------------------------------------------------


async def due(desk: Spoken, channel: str = STAFF_ROOM) -> list[str]:
    """What is said in this one place."""
    said = await due_in(desk)
    assert {place for place, _ in said} <= {channel}
    return [text for _, text in said]


async def due_in(desk: Spoken) -> list[tuple[str, str]]:
    """What the worker would do with what is due: timers settle with their forward, relays speak."""
    said: list[tuple[str, str]] = []
    while leases := await desk.stores.inbox.lease("me", 8):
        for lease in leases:
            message = lease.messages[0].message
            if message.origin == "timer":
                assert message.forward is not None
                await _settle(desk, lease, message.forward)
                continue
            events = [event async for event in desk.engine.handle(lease)]
            said += [(lease.place.channel, e.text) for e in events if isinstance(e, Say)]
            assert isinstance(events[-1], Done)
            assert events[-1].route == "relay"
            await _settle(desk, lease)
    return said


async def _settle(desk: Spoken, lease: Lease, *forwards: Forward) -> None:
    settlement = Settlement(
        outcome="answered", memory=MemoryId(""), person=PersonId(0), forwards=forwards
    )
    await desk.stores.inbox.settle(lease, settlement)


async def test_it_comes_each_morning_over_the_change_of_clocks_and_tells_of_the_day_before() -> (
    None
):
    async with desk_at("2026-03-27T18:00") as desk:
        await numbers(desk.desk).arm()
        await numbers(desk.desk).arm()  # as a restart does
        await desk.say("Do you sell submarines?", ANN)
        assert len(await due(desk)) == 1  # the notice of it
        for day in ("2026-03-28", "2026-03-29", "2026-03-30"):
            desk.clock.ms = at(f"{day}T08:59")
            await numbers(desk.desk).arm()
            assert await due(desk) == []
            desk.clock.ms = at(f"{day}T09:00")
            [text] = await due(desk)
            before = int(day[-2:]) - 1
            assert text.startswith(f"Daily digest · 2026-03-{before} ")
            assert ("submarines" in text) == (before == 27)


async def test_its_words_are_those_of_the_moment_it_is_written() -> None:
    """Armed before anything was asked; told of what was asked since."""
    async with desk_at("2026-03-17T07:00") as desk:
        await numbers(desk.desk).arm()
        desk.clock.ms = at("2026-03-17T09:00")
        await due(desk)
        desk.clock.ms = at("2026-03-17T15:00")
        for _ in range(3):
            await desk.say("/help", ANN)
        desk.clock.ms = at("2026-03-18T09:00")
        [text] = await due(desk)
        assert "Requests: 3" in text


async def test_turned_off_since_it_was_armed_it_is_silent_and_not_armed_again() -> None:
    clock = HandClock()
    clock.ms = at("2026-03-17T07:00")
    async with spoken(desk=MORNING, clock=clock) as desk:
        await numbers(desk.desk).arm()
        async with spoken(desk=DeskConfig(timezone="Europe/Berlin"), clock=clock) as other:
            desk.engine = other.engine
            clock.ms = at("2026-03-17T09:00")
            assert await due(desk) == []
        clock.ms = at("2026-03-19T09:00")
        assert await due(desk) == []


async def test_another_time_or_zone_in_the_settings_bites_at_the_next_start() -> None:
    """The one that waits from before finds itself unwanted; the new one comes, once a day."""
    moved = replace(MORNING, digest="07:30", timezone="Asia/Kolkata")
    async with desk_at("2026-03-17T12:00") as desk:
        await numbers(desk.desk).arm()
        config = replace(desk.desk.config, desk=moved)
        changed = desk_over(desk.stores, config, desk.model, desk.clock)
        desk.engine, _ = await build_engine(changed)
        await numbers(changed).arm()
        said = []
        for hour in range(48):
            desk.clock.ms = at("2026-03-17T13:00") + hour * 3_600_000
            said += [(hour, text.splitlines()[0]) for text in await due(desk)]
    # 07:30 in Kolkata is 03:00 in Berlin in winter.
    assert said == [
        (14, "Daily digest · 2026-03-17 Tue · Asia/Kolkata"),
        (38, "Daily digest · 2026-03-18 Wed · Asia/Kolkata"),
    ]


async def test_another_staff_place_bites_at_the_next_start() -> None:
    """The old place hears no more of it."""
    async with desk_at("2026-03-17T12:00") as desk:
        await numbers(desk.desk).arm()
        elsewhere = Place(platform="telegram", account="1", channel="-900")
        config = replace(desk.desk.config, staff=elsewhere)
        changed = desk_over(desk.stores, config, desk.model, desk.clock)
        desk.engine, _ = await build_engine(changed)
        await numbers(changed).arm()
        desk.clock.ms = at("2026-03-18T09:00")
        for day in (17, 18):
            desk.clock.ms = at(f"2026-03-{day + 1}T09:00")
            [(place, text)] = await due_in(desk)
            assert place == "-900"
            assert f"2026-03-{day}" in text


async def test_an_admin_may_read_it_at_any_time_in_private() -> None:
    async with desk_at("2026-03-18T10:00") as desk:
        assert "2026-03-17 Tue" in (await desk.say("/digest", ADMIN)).text
        assert "2026-03-01 Sun" in (await desk.say("/digest 2026-03-01", ADMIN)).text
        assert (await desk.say("/digest soon", ADMIN)).notices == ["digest.bad_day"]
        assert (await desk.say("/digest", ADMIN, channel=GROUP)).notices == ["access.in_private"]
        assert (await desk.say("/digest", ANN)).notices == ["command.not_allowed"]


async def test_an_answer_from_the_cache_is_counted_as_such() -> None:
    from bot.types import ModelDone

    model = ScriptedModel(["Hello!", ModelDone(model="m", cached=True)])
    async with spoken(desk=DeskConfig(answers="open"), model=model) as desk:
        reply = await desk.say("Hi there, how are you?", ANN)
        assert _answer_of(reply.settlement).cached
        text = (await desk.say("/stats", ADMIN)).text
    assert "Answered from the desk's own cache: 1" in text


async def test_the_running_desk_arms_it_at_start_and_posts_it_where_staff_read(
    tmp_path: Path,
) -> None:
    """Through worker, adapter and wire; the timer of a day long past stands for one that is due."""
    telegram = FakeTelegram()
    room = telegram.group()
    staff = Place(platform="telegram", account=str(telegram.bot_id), channel=str(room.id))
    path = tmp_path / "desk.db"
    async with running(path, telegram=telegram, staff=staff, digest="09:00") as run:
        await until(lambda: _timers(path))
        [(body, ahead)] = _timers(path)
        assert "digest:" in body
        assert 0 < ahead <= 24 * 3_600_000
        past = IncomingMessage(
            key="digest:2020-01-02 09:00 UTC",
            place=replace(staff, platform="timer", channel="digest"),
            sender=Sender(user="frontdesk"),
            text="",
            said_at=0,
            position=0,
            origin="timer",
            forward=Forward(
                place=staff, text="2020-01-02 09:00 UTC", key="digest:2020-01-02 09:00 UTC"
            ),
        )
        await run.desk.stores.inbox.put_later(past, due_at=0)
        await until(lambda: any("2020-01-01" in text for text in bot_says(telegram, room.id)))
        assert bot_says(telegram, room.id) == [
            "Daily digest · 2020-01-01 Wed · UTC\n\nNo requests. The same day last week: 0."
        ]
        assert len(_timers(path)) == 1


def _timers(path: Path) -> list[tuple[str, int]]:
    """What waits to be due, and how long yet (ms)."""
    with closing(sqlite.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT body, due_at FROM inbox WHERE origin = 'timer' AND state = 0"
        ).fetchall()
    return [(body, due - SystemClock().now()) for body, due in rows]
