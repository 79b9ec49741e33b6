"""The word /kb in a chat, and that carrying a change out twice is as good as once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import bot
from bot.config import DeskConfig
from bot.engine.commands import Call
from bot.engine.drafting import Drafting
from bot.engine.knowledge_words import CHINESE, KnowledgeWords
from bot.engine.route import Decline, route
from bot.i18n import say
from bot.types import (
    Attachment,
    Audit,
    Begin,
    Done,
    IncomingMessage,
    MemoryId,
    ModelDone,
    Person,
    PersonId,
    Place,
    ReplyEvent,
    Role,
    Say,
    Sender,
)
from tests.contract.stores import HandClock
from tests.fakes.scripted import ScriptedModel
from tests.flow.spoken import ADMIN, ANN, GROUP, Spoken, spoken

SHOP = Path(bot.__file__).parent / "samples" / "shop"
PLACE = Place(platform="telegram", account="1", channel=ADMIN, private=True)
FAQ = "question,answer\nDo you engrave lamps?,Yes; two lines for $9.\n"


def call(argument: str, *files: Attachment) -> Call:
    person = Person(id=PersonId(7), role=Role.ADMIN)
    return Call(
        argument=argument,
        person=person,
        role=Role.ADMIN,
        place=PLACE,
        locale="en",
        memory=MemoryId("person:7"),
        attachments=files,
    )


async def told(words: KnowledgeWords, asked: Call) -> list[ReplyEvent]:
    return [event async for event in words.command().run(asked)]


async def live(desk: Spoken) -> int:
    """The number of the live generation."""
    return next((one.id for one in await desk.desk.knowledge.entries.generations() if one.live), 0)


async def test_kb_is_for_admins_only_and_listed_for_them_only() -> None:
    async with spoken() as desk:
        refused = await desk.say("/kb add Is it? | Yes.", ANN)
        assert refused.notices == ["command.not_allowed"]
        assert await desk.desk.knowledge.entries.all() == []
        assert "/kb" in (await desk.say("/help", ADMIN)).text
        assert "/kb" not in (await desk.say("/help", ANN)).text


async def test_each_word_has_a_chinese_one_that_does_the_same() -> None:
    async with spoken() as desk:
        added = await desk.say("/kb 添加 有停车位吗？｜有，免费。", ADMIN)
        [entry] = await desk.desk.knowledge.entries.all()
        assert Audit(action="kb add", detail=entry.uid) in added.settlement.changes
        for word in CHINESE:
            assert word in say("zh", "kb.usage")
        assert entry.uid in (await desk.say("/kb 列表 停车", ADMIN)).text
        await desk.say(f"/kb 修改 {entry.uid} | 没有了。", ADMIN)
        assert "没有了。" in (await desk.say(f"/kb 查看 {entry.uid}", ADMIN)).text
        await desk.say(f"/kb 删除 {entry.uid}", ADMIN)
        assert await desk.desk.knowledge.entries.all() == []


async def test_an_entry_from_adding_to_removing() -> None:
    async with spoken() as desk:
        added = await desk.say("/kb add Do you engrave lamps? | Yes; two lines.", ADMIN)
        [entry] = await desk.desk.knowledge.entries.all()
        assert entry.uid in added.text
        assert Audit(action="kb add", detail=entry.uid) in added.settlement.changes
        answer = await desk.say("do you engrave lamps", ANN)
        assert answer.text.startswith("Yes; two lines.")
        await desk.say(f"/kb edit {entry.uid} | No longer.", ADMIN)
        shown = (await desk.say(f"/kb show {entry.uid}", ADMIN)).text
        assert "No longer." in shown
        assert "changed" in shown
        assert entry.uid in (await desk.say("/kb list engrave", ADMIN)).text
        assert "No longer." in (await desk.say("/kb search engraved lamps", ADMIN)).text
        await desk.say(f"/kb remove {entry.uid}", ADMIN)
        assert await desk.desk.knowledge.entries.all() == []


@pytest.mark.parametrize(
    "said", ["/kb", "/kb what", "/kb add no bar", "/kb add | x", "/kb show", "/kb search"]
)
async def test_what_cannot_be_understood_shows_the_usage_and_changes_nothing(said: str) -> None:
    async with spoken() as desk:
        assert say("en", "kb.usage") in (await desk.say(said, ADMIN)).text
        assert await live(desk) == 0


async def test_every_change_carried_out_twice_is_as_good_as_once() -> None:
    async with spoken() as desk:
        await desk.desk.knowledge.import_folder(SHOP)
        before = await live(desk)
        for said in (
            "/kb add Do you engrave? | Yes.",
            "/kb edit return.en | Send it back.",
            "/kb remove refund.en",
            f"/kb rollback {before + 2}",
        ):
            first = (await desk.say(said, ADMIN)).text
            state = await live(desk)
            assert (await desk.say(said, ADMIN)).text == first
            assert await live(desk) == state
        uids = {one.uid for one in await desk.desk.knowledge.entries.all()}
        assert "refund.en" in uids


async def test_rollback_without_a_number_only_shows_where_one_can_go() -> None:
    async with spoken() as desk:
        await desk.say("/kb add Is it? | Yes.", ADMIN)
        await desk.say("/kb add Was it? | No.", ADMIN)
        state = await live(desk)
        text = (await desk.say("/kb rollback", ADMIN)).text
        assert f"{state} *" in text
        assert await live(desk) == state
        assert "not kept" in (await desk.say("/kb rollback 999", ADMIN)).text
        assert "not kept" in (await desk.say("/kb rollback " + "9" * 5000, ADMIN)).text


async def test_who_changed_what_is_told_in_the_readers_language() -> None:
    """The ids in what is said are Latin; the words beside them tell the language."""
    async with spoken() as desk:
        added = await desk.say("/kb 添加 有停车位吗？| 有，免费。", ADMIN)
        [entry] = await desk.desk.knowledge.entries.all()
        uid = entry.uid
        assert added.text == f"已添加：{uid}\n"
        assert (await desk.say("/kb 添加 有停车位吗 | 没有。", ADMIN)).text == f"已修改：{uid}\n"
        assert (await desk.say(f"/kb edit {uid} | 没了", ADMIN)).text == f"已修改：{uid}\n"
        lines = (await desk.say(f"/kb 历史 {uid}", ADMIN)).text.splitlines()
        assert [line.split(" · ")[2] for line in lines] == [f"修改 {uid}"] * 2 + [f"新增 {uid}"]
        begun = (await desk.say(f"/kb 历史 {uid}", ADMIN)).events[0]
        assert isinstance(begun, Begin)
        assert begun.locale == "zh"
        assert (await desk.say("/kb 历史 没有", ADMIN)).text == "还没有任何修改。\n"
        await desk.say(f"/kb remove {uid}", ADMIN)
        assert f"removed {uid}" in (await desk.say("/kb history", ADMIN)).text
        assert f" · #1 · 删除 {uid}" in (await desk.say("/kb 回退", ADMIN)).text


async def test_changes_are_told_in_the_desks_time() -> None:
    clock = HandClock()
    here = DeskConfig(answers="strict", timezone="Asia/Shanghai")
    async with spoken(desk=here, clock=clock) as desk:
        await desk.say("/kb add Do you engrave? | Yes.", ADMIN)
        at = datetime.fromtimestamp(clock.now() / 1000, ZoneInfo("Asia/Shanghai"))
        [entry] = await desk.desk.knowledge.entries.all()
        for word in ("history", f"show {entry.uid}", "rollback"):
            assert f"{at:%Y-%m-%d %H:%M}" in (await desk.say(f"/kb {word}", ADMIN)).text


async def test_the_faqs_are_given_as_a_file_in_private_only() -> None:
    async with spoken() as desk:
        await desk.say("/kb add Do you engrave? | Yes.", ADMIN)
        reply = await desk.say("/kb export", ADMIN)
        assert reply.file.name == "faq.jsonl"
        assert json.loads(reply.file.content)["answer"] == "Yes."
        shown = await desk.say("/kb export", ADMIN, channel=GROUP)
        assert shown.notices == ["access.in_private"]


async def test_who_runs_the_desk_is_told_how_a_file_is_taken_in() -> None:
    """Others are not; and nobody's file is taken in without a word."""
    file = Attachment(kind="document", id="good", name="a.csv")
    who = Sender(user="1")
    message = IncomingMessage(
        key="k", place=PLACE, sender=who, text="", said_at=1, position=1, attachments=(file,)
    )
    for role, key in (
        (Role.ADMIN, "decline.attachment_of_admin"),
        (Role.STAFF, "decline.attachment"),
        (Role.CUSTOMER, "decline.attachment"),
    ):
        assert route([message], role, {"kb"}) == Decline(key=key)


async def test_twins_and_conflicts_are_told_to_who_adds_them() -> None:
    async with spoken() as desk:
        await desk.say("/kb add Do you engrave table lamps? | Yes.", ADMIN)
        text = (await desk.say("/kb add Do you engrave table lamp? | No.", ADMIN)).text
        assert "answer differently" in text


async def test_eval_asks_the_shop_about_itself_and_explain_lays_a_search_open() -> None:
    async with spoken() as desk:
        assert "second wording" in (await desk.say("/kb eval", ADMIN)).text
        await desk.desk.knowledge.import_folder(SHOP)
        text = (await desk.say("/kb eval", ADMIN)).text
        assert "R@1" in text
        assert "ECE" in text
        recall = float(text.split("R@10 ")[1].split()[0])
        assert 0.6 <= recall < 1.0
        laid = (await desk.say("/kb explain when will my parcel come", ADMIN)).text
        assert "delivery-time.en" in laid
        assert "parcel" in laid


async def test_gaps_are_gathered_with_a_draft_where_a_model_is() -> None:
    draft = 'Here: ```json\n{"question": "Do you engrave?", "aliases": [], "answer": "[?]"}\n```'
    async with spoken() as desk:
        for _ in range(2):
            await desk.say("Do you engrave lamps with names?", ANN)
        [plain, _] = await told(KnowledgeWords(desk.desk.knowledge, desk.clock), call("gaps"))
        assert isinstance(plain, Say)
        assert plain.text.splitlines()[1] == "2 × Do you engrave lamps with names?"
        drafting = Drafting(desk.desk.knowledge, ScriptedModel([draft]))
        words = KnowledgeWords(desk.desk.knowledge, desk.clock, drafting=drafting)
        events = await told(words, call("gaps"))
        assert isinstance(events[0], Say)
        assert "`/kb add Do you engrave? | [?]`" in events[0].text
        clusters = await desk.desk.knowledge.gaps(0)
        endless = '{"question": "q", "answer": "a", "more": ' + "[" * 100_000 + "]" * 100_000 + "}"
        for text, end in (
            ("no json", ModelDone()),
            (endless, ModelDone()),
            (draft, ModelDone(excerpt=True)),
        ):
            drafting = Drafting(desk.desk.knowledge, ScriptedModel([text, end]))
            assert await drafting.drafts(clusters) == {}


async def fetch(place: Place, attachment: Attachment, /, *, most: int = 0) -> bytes:
    assert place == PLACE
    assert most > len(FAQ)
    return (FAQ if attachment.id == "good" else "\x00").encode()


@pytest.mark.parametrize("caption", ["import", "", "IMPORT "])
async def test_a_file_sent_by_an_admin_is_taken_in(caption: str) -> None:
    file = Attachment(kind="document", id="good", name="../engrave.csv")
    async with spoken() as desk:
        words = KnowledgeWords(desk.desk.knowledge, desk.clock, fetch=fetch)
        await told(words, call(caption, file))
        [entry] = await desk.desk.knowledge.entries.all()
        assert entry.source == "sent/engrave.csv"
        state = await live(desk)
        await told(words, call(caption, file))
        assert await live(desk) == state


async def test_a_file_that_cannot_be_read_says_why_and_changes_nothing() -> None:
    bad = Attachment(kind="document", id="bad", name="engrave.exe")
    large = replace(bad, name="huge.csv", size=1 << 40)
    async with spoken() as desk:
        words = KnowledgeWords(desk.desk.knowledge, desk.clock, fetch=fetch)
        [first, *_] = await told(words, call("import", bad))
        assert isinstance(first, Say)
        assert "engrave.exe" in first.text
        [said, done] = await told(words, call("import", large))
        assert isinstance(said, Say)
        assert "files over 20 MB are not read" in said.text
        assert isinstance(done, Done)
        assert done.changes == ()
        kinds = [type(event).__name__ for event in await told(words, call("import"))]
        assert kinds == ["Notice", "Done"]
        assert await live(desk) == 0
