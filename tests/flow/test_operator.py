"""An operator beside a running desk: the doctor's questions on the wire, and letters revived."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from adapters.slack.manifest import SCOPES
from adapters.telegram.adapter import TelegramAdapter
from bot.clock import SystemClock
from bot.config import (
    Config,
    KnowledgeConfig,
    Loaded,
    ModelConfig,
    Secret,
    SlackConfig,
    TelegramConfig,
)
from bot.control import socket_path
from bot.doctor import Finding, examine, exit_status
from bot.errors import UserError
from bot.ports import Intake
from bot.probes import probes
from bot.types import (
    Anchor,
    Frame,
    IncomingMessage,
    MemoryId,
    MessageRef,
    PersonId,
    Place,
    RichText,
    Sender,
    Settlement,
)
from bot.upkeep import backup, forget, letters, person, requeue
from storage import open_stores
from tests.fakes.glm import KEY, FakeGlm, says, status
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, FakeSlack
from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.http import serve
from tests.flow.running import ROOT, running, until


@pytest.fixture
async def glm() -> AsyncIterator[FakeGlm]:
    async with FakeGlm() as fake:
        yield fake


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    fake = FakeSlack()
    await fake.start()
    yield fake
    await fake.close()


def model(glm: FakeGlm, name: str = "glm-4.7-flash", key: str = KEY) -> ModelConfig:
    return ModelConfig(name=name, base_url=glm.url, api_key=Secret(key))


async def examined(config: Config, *, charts: bool = False) -> dict[str, list[Finding]]:
    """The findings by part; a look at the machine's fonts takes seconds, once is enough."""
    loaded = Loaded(config=config)
    asked = probes(loaded)
    found: dict[str, list[Finding]] = {}
    for one in await examine(loaded, asked if charts else replace(asked, charts=None)):
        found.setdefault(one.name, []).append(one)
    return found


def keys(findings: list[Finding]) -> list[str]:
    return [one.found for one in findings]


async def test_a_desk_that_is_well_is_found_well(
    tmp_path: Path, glm: FakeGlm, slack: FakeSlack
) -> None:
    """Every part is really asked, and nothing is changed by asking."""
    slack.core.scopes = ",".join(SCOPES)
    telegram = FakeTelegram()
    glm.script.append(says("p"))
    async with serve(telegram) as root:
        config = Config(
            telegram=TelegramConfig(token=Secret(telegram.token), api_root=root),
            slack=SlackConfig(
                bot_token=Secret(BOT_TOKEN), app_token=Secret(APP_TOKEN), api_root=slack.api_root
            ),
            models=(model(glm),),
            knowledge=KnowledgeConfig(folder=str(ROOT / "bot" / "samples" / "shop")),
            admins=frozenset({"telegram:1"}),
            database=str(tmp_path / "desk.db"),
        )
        found = await examined(config, charts=True)
    assert {one.state for findings in found.values() for one in findings} == {"ok"}
    assert set(found) == {
        *("config", "clock", "database", "telegram", "slack", "model", "knowledge", "charts")
    }
    assert [method for method, _ in telegram.calls] == ["getMe", "getWebhookInfo"]
    assert [call.method for call in slack.core.calls] == ["auth.test"]
    assert len(glm.calls) == 1
    assert list_of(tmp_path) == []


def list_of(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_staff_place_is_looked_at_where_it_is(tmp_path: Path, slack: FakeSlack) -> None:
    """A chat that exists is no proof: the bot must be in it, and in its topic."""
    telegram = FakeTelegram()
    room, shut = telegram.group(topics=(7,)), telegram.group(-200)
    shut.blocked = True
    slack.core.channels["C9"] = "channel"
    at = Place(platform="telegram", account=str(telegram.bot_id), channel=str(room.id))
    there = Place(platform="slack", account="T0DESK", channel="C9")
    async with serve(telegram) as root:
        config = Config(
            telegram=TelegramConfig(token=Secret(telegram.token), api_root=root),
            slack=SlackConfig(
                bot_token=Secret(BOT_TOKEN), app_token=Secret(APP_TOKEN), api_root=slack.api_root
            ),
            database=str(tmp_path / "desk.db"),
        )
        for staff, state, found, advice in (
            (at, "ok", "staff_ok", ""),
            (replace(at, thread="7"), "ok", "staff_ok", ""),
            (replace(at, thread="8"), "fail", "failed", "staff_refused"),
            (replace(at, channel=str(shut.id)), "fail", "failed", "staff_refused"),
            (replace(at, channel="-404"), "fail", "failed", "staff_refused"),
            (there, "ok", "staff_ok", ""),
            (replace(there, channel="C404"), "fail", "failed", "staff_refused"),
            (replace(there, thread="1.2"), "fail", "failed", "staff_refused"),
        ):
            [one] = (await examined(replace(config, staff=staff)))["staff"]
            assert (one.state, one.found, one.advice) == (state, found, advice), staff
    assert not [method for method, _ in telegram.calls if method == "sendMessage"]


async def test_what_is_wrong_is_found_part_by_part(
    tmp_path: Path, glm: FakeGlm, slack: FakeSlack
) -> None:
    """One part that fails hides no other; a model behind a good one is asked too."""
    telegram = FakeTelegram()
    telegram.webhook = "https://elsewhere.example/hook"
    glm.script.append(status(401, "bad key"))
    async with serve(telegram) as root:
        good = Config(
            telegram=TelegramConfig(token=Secret(telegram.token), api_root=root),
            slack=SlackConfig(
                bot_token=Secret(BOT_TOKEN), app_token=Secret(APP_TOKEN), api_root=slack.api_root
            ),
            models=(model(glm),),
            database=str(tmp_path / "desk.db"),
        )
        found = await examined(good)
        assert "webhook_foreign" in keys(found["telegram"])
        assert {"scope_missing"} < set(keys(found["slack"]))
        assert found["model"][0].advice == "model_refused"
        assert keys(found["knowledge"]) == ["knowledge_empty"]

        wrong = replace(good.telegram, token=Secret("4242:wrong"))
        dead = replace(model(glm), name="gone", base_url="http://127.0.0.1:9/v4")
        glm.script.append(says("p"))
        found = await examined(replace(good, telegram=wrong, models=(model(glm), dead)))
    assert found["telegram"][0].advice == "telegram_refused"
    assert {one.about: one.state for one in found["model"]} == {
        "glm-4.7-flash": "ok",
        "gone": "fail",
    }
    assert exit_status([one for findings in found.values() for one in findings]) == 1


async def test_nobody_who_tells_the_time_is_said(tmp_path: Path) -> None:
    gone = ModelConfig(name="gone", base_url="http://127.0.0.1:9/v4", api_key=Secret(KEY))
    found = await examined(Config(models=(gone,), database=str(tmp_path / "desk.db")))
    assert (found["clock"][0].state, found["clock"][0].advice) == ("fail", "clock_failed")


async def test_the_doctor_and_a_backup_work_beside_a_running_desk(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", speaks=False) as run:
        await listening(run.desk.config)
        found = await examined(run.desk.config)
        assert "database_running" in keys(found["database"])
        assert {one.state for one in found["database"] + found["knowledge"]} == {"ok"}
        made = await backup(run.desk.config, tmp_path / "copy.db")
        chat = run.telegram.private()
        run.telegram.say(chat, "How do I return an item?")
        await until(lambda: said(run.telegram, chat.id))
    copy = await open_stores(str(made), SystemClock(), read_only=True)
    assert await copy.passages.entries()
    await copy.close()


async def listening(config: Config) -> None:
    """Until the desk can be commanded."""
    await until(socket_path(config.database).exists)


def said(telegram: FakeTelegram, chat: int) -> list[str]:
    """What stands in a chat from the bot."""
    standing = telegram.standing(telegram.chats[chat])
    return [shown.text for shown in standing if shown.author == telegram.bot_id]


SORRY = "This did not work (reference abc)."


async def give_up(path: Path, telegram: FakeTelegram, root: str) -> MessageRef:
    """A question that was given up: dead in the inbox, an apology of ours in the chat."""
    chat = telegram.private()
    clock = SystemClock()
    settings = TelegramConfig(token=Secret(telegram.token), api_root=root)
    adapter = TelegramAdapter(settings, clock, random=Random(1))
    place = Place(platform="telegram", account=adapter.account, channel=str(chat.id), private=True)
    ref = await adapter.send(
        place, Frame(content=RichText(text=SORRY), final=True), guard=lambda: None
    )
    await adapter.close()
    desk = await open_stores(str(path), clock)
    question = IncomingMessage(
        key="m1",
        place=place,
        sender=Sender(user=str(chat.id), name="Ada"),
        text="How do I return an item?",
        said_at=clock.now(),
        position=1,
    )
    await desk.inbox.put([Intake(raw=json.dumps({}), delivery="d1", message=question)])
    [lease] = await desk.inbox.lease("earlier")
    await desk.inbox.anchor(lease, Anchor(part=0, ref=ref))
    gone = Settlement(outcome="undeliverable", memory=MemoryId("m"), person=PersonId(1))
    await desk.inbox.bury(lease, gone, error="abc: no")
    await desk.close()
    return ref


async def test_a_letter_put_back_is_answered_at_once_in_place_of_the_apology(
    tmp_path: Path,
) -> None:
    path, telegram = tmp_path / "desk.db", FakeTelegram()
    async with serve(telegram) as root:
        await give_up(path, telegram, root)
    assert said(telegram, 1001) == [SORRY]
    async with running(path, speaks=False, telegram=telegram) as run:
        config = run.desk.config
        await listening(config)
        assert [one.id for one in await letters(config, 10)] == [1]
        assert await requeue(config, None) == [1]
        await until(lambda: "Source" in said(telegram, 1001)[0], seconds=5)
        assert len(said(telegram, 1001)) == 1
        assert await letters(config, 10) == []
        assert await requeue(config, [1]) == []
    assert not telegram.violations


async def test_a_letter_put_back_while_no_desk_runs_waits_for_the_next(tmp_path: Path) -> None:
    path, telegram = tmp_path / "desk.db", FakeTelegram()
    async with serve(telegram) as root:
        await give_up(path, telegram, root)
    assert await requeue(Config(database=str(path)), [1]) == [1]
    async with running(path, speaks=False, telegram=telegram):
        await until(lambda: "Source" in said(telegram, 1001)[0], seconds=5)


async def test_a_backup_over_a_file_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "copy.db"
    await asyncio.to_thread(taken.write_text, "mine")
    with pytest.raises(UserError):
        await backup(Config(database=str(tmp_path / "desk.db")), taken)


async def test_somebody_is_erased_by_the_running_desk(tmp_path: Path) -> None:
    """Asked for on the command line: the desk that holds the file does it, and goes on serving."""
    path = tmp_path / "desk.db"
    async with running(path, speaks=False, pace="off") as run:
        ann = run.telegram.private(7, "Ann")
        run.telegram.say(ann, "Where does my zebra-crossing-4711 stay?")
        await until(lambda: run.telegram.screen(ann))
        await until(lambda: run.service.idle)
        assert b"zebra-crossing-4711" in bytes_of(path)
        config = run.desk.config
        found = await person(config, f"telegram:{run.telegram.bot_id}/7")
        await forget(config, found.id)
        assert b"zebra-crossing-4711" not in bytes_of(path)
        run.telegram.say(ann, "How do I return an item?")
        await until(lambda: "returns" in "".join(run.telegram.screen(ann)[-1:]))


def bytes_of(path: Path) -> bytes:
    """The database and its log."""
    files = [one for one in path.parent.glob(f"{path.name}*") if one.is_file()]
    return b"".join(one.read_bytes() for one in files)
