"""What people learn about their own data, take with them, and have deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.config import Config, DeskConfig, Loaded, ModelConfig, PrivacyConfig, Secret
from bot.desk import open_desk
from bot.i18n import say
from bot.types import ChatRequest, ChatTurn, ModelText
from tests.contract.test_erasure import in_the_files
from tests.fakes.glm import KEY, FakeGlm, says
from tests.fakes.scripted import ScriptedModel
from tests.flow.running import running, until
from tests.flow.spoken import ANN, BOB, GROUP, spoken
from tests.flow.test_desk import bot_says

OPEN = DeskConfig(answers="open")
SECRET = "my-cat-is-called-quark"


async def test_privacy_tells_what_is_kept_as_it_is_set_and_what_no_model_sees() -> None:
    kept = PrivacyConfig(history_days=11, done_days=12, dead_days=13, mask=frozenset({"card"}))
    async with spoken(privacy=kept) as desk:
        told = (await desk.say("/privacy")).text
        for days in ("11 days", "12 days", "13 days", say("en", "privacy.kind_card")):
            assert days in told


async def test_an_export_holds_all_of_one_person_and_nothing_of_another() -> None:
    model = ScriptedModel(["It purrs."], ["Indeed."], ["In a group."])
    async with spoken(desk=OPEN, model=model) as desk:
        await desk.say(SECRET, ANN, name="Ann")
        await desk.say("something of Bob's", BOB)
        await desk.say("said in a group", ANN, channel=GROUP, name="Ann")
        file = (await desk.say("/export", ANN, name="Ann")).file
        export = json.loads(file.content)
        assert file.name.endswith(".json")
        said = [turn["text"] for turn in export["conversation"]]
        assert said == [SECRET, "It purrs.", "said in a group", "In a group."]
        known = {"platform": "telegram", "account": "1", "user_id": ANN, "user_groups": ""}
        assert export["identities"] == [known]
        assert [one["text"] for one in export["messages"]][:1] == [SECRET]
        assert "Bob" not in file.content.decode()
        assert [one["route"] for one in export["answers"]] == ["open", "open"]


@pytest.mark.parametrize("word", ["/forget", "/forget please", "/forget no"])
async def test_nothing_is_forgotten_without_a_yes(word: str) -> None:
    async with spoken(desk=OPEN, model=ScriptedModel(["It purrs."])) as desk:
        await desk.say(SECRET)
        assert (await desk.say(word)).notices == ["privacy.forget_ask"]
        assert SECRET in (await desk.say("/export")).file.content.decode()


@pytest.mark.parametrize("yes", ["yes", "YES", "确认", "是"])
async def test_after_forget_the_words_are_in_no_file_and_a_ban_is_still_there(
    tmp_path: Path, yes: str
) -> None:
    """Being forgotten is no way around a block, nor around a quota."""
    path = tmp_path / "desk.db"
    async with spoken(str(path), desk=OPEN, model=ScriptedModel(["It purrs."], ["Who?"])) as desk:
        await desk.say(SECRET, name="Ann Quark")
        await desk.say(f"/quota {ANN} 7", "9001")
        assert in_the_files(path, SECRET)
        assert (await desk.say(f"/forget {yes}", name="Ann Quark")).notices == ["privacy.forgotten"]
        assert in_the_files(path, SECRET) == []
        assert in_the_files(path, "Ann Quark") == []
        found = await desk.stores.directory.by_identity("telegram", "1", ANN)
        assert found is not None
        assert found.quota == 7
    assert in_the_files(path, SECRET) == []


async def test_export_and_forget_over_telegram_from_question_to_clean_file(tmp_path: Path) -> None:
    """The real worker, delivery and adapter: a document arrives, and then nothing is left."""
    path = tmp_path / "desk.db"
    async with running(path, answers="open", knowledge=False, pace="off") as run:
        chat = run.telegram.private()
        run.telegram.say(chat, SECRET)
        await until(lambda: bot_says(run.telegram, chat.id) and run.service.idle)
        run.telegram.say(chat, "/export")
        await until(lambda: len(run.telegram.standing(chat)) == 2 and run.service.idle)
        run.telegram.say(chat, "/forget yes")
        gone = say("en", "privacy.forgotten")
        await until(lambda: gone in bot_says(run.telegram, chat.id) and run.service.idle)
        assert in_the_files(path, SECRET) == []
    assert in_the_files(path, SECRET) == []
    assert not run.telegram.violations


async def test_over_the_wire_no_personal_number_leaves_and_the_answer_names_them() -> None:
    """The desk's own chain of models with masking on, against the provider's side of the wire."""
    async with FakeGlm() as glm:
        glm.script.append(says("I wrote to [EMA", "IL_1] and rang [PHONE_1]."))
        config = Config(
            models=(ModelConfig(base_url=glm.url, api_key=Secret(KEY)),),
            privacy=PrivacyConfig(mask=frozenset({"email", "phone"})),
        )
        async with open_desk(Loaded(config=config), database=":memory:") as desk:
            asked = "我的邮箱是amy@example.com，电话13812345678，卡号4111111111111111"
            turns = (ChatTurn(role="user", content=asked),)
            events = desk.model.stream(ChatRequest(turns=turns, question=asked))
            said = "".join([one.delta async for one in events if isinstance(one, ModelText)])
        sent = str(glm.calls[-1].body)
    assert said == "I wrote to amy@example.com and rang 13812345678."
    assert "amy@" not in sent
    assert "13812345678" not in sent
    assert "4111111111111111" in sent, "cards are not in this policy"
