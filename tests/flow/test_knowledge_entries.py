"""What operators do with single entries, and what they are told about a search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

import bot
from bot.clock import SystemClock
from bot.engine.knowledge_text import explained
from bot.errors import KnowledgeError, UserError
from bot.i18n import LOCALES, catalogue, say
from bot.knowledge import confidence
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.cases import load_cases
from bot.knowledge.loaders import load
from bot.knowledge.terms import language
from bot.types import Earlier
from storage.passages import PassageStore
from tests.fakes.inline_database import InlineDatabase
from tests.flow.office import office

SHOP = Path(bot.__file__).parent / "samples" / "shop"


@pytest.fixture
async def kb() -> AsyncIterator[KnowledgeBase]:
    database = InlineDatabase.open()
    yield KnowledgeBase(PassageStore(database), SystemClock())
    await database.close()


async def answer(kb: KnowledgeBase, question: str) -> str | None:
    found = await kb.search(question, locale="en")
    return found.passages[0].answer if found.direct else None


async def test_an_added_entry_is_found_at_once_and_known_by_who_added_it(kb: KnowledgeBase) -> None:
    report = await kb.entries.add("Sell curtains?", "No.", by="telegram:1", aliases=["curtains?"])
    assert report.added == 1
    assert await answer(kb, "curtains") == "No."
    (change,) = await kb.entries.history()
    assert (change.by, change.action) == ("telegram:1", "added")


async def test_adding_the_same_question_again_replaces_its_answer(kb: KnowledgeBase) -> None:
    await kb.entries.add("Do you sell curtains?", "No.", by="a")
    report = await kb.entries.add("do you sell CURTAINS", "Yes.", by="b")
    assert report.changed == 1
    assert await answer(kb, "Do you sell curtains?") == "Yes."


async def test_a_new_entry_that_contradicts_another_is_reported(kb: KnowledgeBase) -> None:
    await kb.import_folder(SHOP)
    report = await kb.entries.add("How do I return an item?", "You cannot.", by="a")
    assert [(twin.first, twin.conflict) for twin in report.twins] == [("return.en", True)]


async def test_an_edit_keeps_what_is_not_given_and_no_file_undoes_it(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    file = tmp_path / "faq.csv"
    file.write_text("id,question,alias,answer,url\na,Red one?,crimson,1,https://a.example\n")
    await kb.import_folder(tmp_path)
    await kb.entries.edit("a", answer="2", by="me")
    view = await kb.entries.show("a")
    assert (view.title, view.aliases, view.answer, view.url) == (
        "Red one?",
        ("crimson",),
        "2",
        "https://a.example",
    )
    file.write_text("id,question,alias,answer,url\na,Red one?,crimson,3,https://a.example\n")
    report = await kb.import_folder(tmp_path)
    assert report.kept == ("a",)
    assert await answer(kb, "crimson") == "2"


async def test_a_removed_entry_is_gone_and_rollback_brings_it_back(kb: KnowledgeBase) -> None:
    await kb.entries.add("Do you sell curtains?", "No.", by="a")
    (entry,) = await kb.entries.all("curtains")
    await kb.entries.remove(entry.uid, by="a")
    assert await answer(kb, "Do you sell curtains?") is None
    await kb.entries.rollback(by="b")
    assert await answer(kb, "Do you sell curtains?") == "No."
    assert [known.live for known in await kb.entries.generations()] == [True, False, False]


async def test_rollback_undoes_an_import_and_the_next_import_does_it_again(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("question,answer\nRed one?,1\n")
    await kb.import_folder(tmp_path)
    (tmp_path / "a.csv").write_text("question,answer\nRed one?,2\n")
    await kb.import_folder(tmp_path)
    await kb.entries.rollback(by="me")
    assert await answer(kb, "red one") == "1"
    assert (await kb.import_folder(tmp_path)).changed == 1
    assert await answer(kb, "red one") == "2"


async def test_there_must_be_something_to_go_back_to(kb: KnowledgeBase) -> None:
    with pytest.raises(KnowledgeError, match="no earlier generation"):
        await kb.entries.rollback(by="me")
    with pytest.raises(KnowledgeError, match="generation 99 is not kept"):
        await kb.entries.rollback(99, by="me")


async def test_mistakes_are_told_to_the_person(kb: KnowledgeBase) -> None:
    await kb.import_folder(SHOP)
    guide = next(entry for entry in await kb.entries.all("product-care.en") if entry.kind == "doc")
    for key, call in (
        ("kb.no_entry", kb.entries.remove("nothing", by="a")),
        ("kb.not_an_faq", kb.entries.edit(guide.uid, answer="x", by="a")),
        ("kb.empty", kb.entries.add("?", "x", by="a")),
        ("kb.too_long", kb.entries.add("Q", "x" * 30_000, by="a")),
    ):
        with pytest.raises(UserError) as caught:
            await call
        assert caught.value.key == key


async def test_an_export_imports_into_the_same_entries(kb: KnowledgeBase) -> None:
    await kb.import_folder(SHOP)
    text = await kb.entries.export()
    again = {draft.uid: draft for draft in load("export.jsonl", text.encode()).drafts}
    known = {e.uid: e for e in await kb.entries.all() if e.answer is not None}
    assert {(u, d.title, d.answer, d.hash) for u, d in again.items()} == {
        (u, e.title, e.answer, e.hash) for u, e in known.items()
    }


async def test_explain_shows_terms_candidates_and_decision(kb: KnowledgeBase) -> None:
    await kb.import_folder(SHOP)
    told = await kb.explain("shipping fee", locale="en")
    assert told.decision == "direct"
    assert told.found[0].exact
    told = await kb.explain("how do I grill a steak", locale="en")
    assert told.decision == "abstain"
    assert next(term for term in told.terms if term.term == "steak").rows == 0
    assert sum(term.share for term in told.terms) == pytest.approx(1.0)


async def test_the_page_that_explains_says_the_same_words() -> None:
    async with office() as here:
        await here.login()
        await here.desk.desk.knowledge.entries.add("Do you rent lamps?", "No.", by="t")
        page = (await here.get("/knowledge/ask?q=where%20are%20lamps%20repaired")).text
        assert say("en", "kb.direct_not") in page
        assert say("en", "kb.lack_sure", found="", needed="").partition(":")[0] in page
        page = (await here.get("/knowledge/ask?q=do%20you%20rent%20lamps")).text
        assert say("en", "kb.asked_exactly") in page


MISSES = Path(__file__).parent.parent / "data" / "near-misses.jsonl"
OTHERS = (
    "怎么退货",
    "LM-310 高度",
    "how are you",
    "你好吗",
    "xyzzy",
    "free",
    "delivery and returns",
)


async def test_explaining_tells_what_speaks_against_giving_an_answer_just_where_it_is_not_given(
    kb: KnowledgeBase,
) -> None:
    """The reasons and the judgement are two readings of one search; they never contradict."""
    await kb.import_folder(SHOP)
    await kb.entries.add("Is it gratis?", "Yes.", by="t", aliases=["Free?"])
    await kb.entries.add("Does it cost a thing?", "No.", by="t", aliases=["free"])
    asked = [case.text for case in load_cases(MISSES)] + list(OTHERS)
    asked += [row.text[: 2 * len(row.text) // 3] for row in await kb.questions()]
    met: set[str] = set()
    for question in asked:
        found = await kb.search(question, locale=language(question))
        laid = await kb.explain(question, locale=language(question))
        assert (not laid.not_direct) == found.direct, question
        quoted = found.direct or (found.in_scope and found.quotable and bool(found.passages))
        assert (not laid.not_quoted) == quoted, question
        met |= {lack.key for lack in (*laid.not_direct, *laid.not_quoted)}
    never = msgspec.structs.replace(confidence.DEFAULT, direct_from=2.0)
    await kb._passages.calibrate(confidence.encode(never))
    laid = await kb.explain("how long does shipping take", locale="en")
    met |= {lack.key for lack in laid.not_direct}
    assert met == {key for key in catalogue("en") if key.startswith("kb.lack_")}


@pytest.mark.parametrize("locale", LOCALES)
async def test_an_explanation_says_in_words_what_is_done_and_why(
    kb: KnowledgeBase, locale: str
) -> None:
    await kb.import_folder(SHOP)
    laid = explained(await kb.explain("how much does the elevator hold", locale="en"), locale)
    lines = laid.split("\n\n")[0].splitlines()
    assert lines[0] == say(locale, "kb.decided_model_only")
    assert lines[2] == say(locale, "kb.direct_not")
    assert say(locale, "kb.lack_sure", found="0.11", needed="0.30") in lines[-1]
    laid = explained(await kb.explain("shipping fee", locale="en"), locale)
    assert laid.startswith(
        f"{say(locale, 'kb.decided_direct')}\n{say(locale, 'kb.asked_exactly')}\n\n"
    )


@pytest.mark.parametrize(
    ("before", "said", "now", "entry"),
    [
        (
            "Is the LM-310 floor lamp dimmable?",
            "Yes, with the knob.",
            "and how tall is it?",
            "lm310-height.en",
        ),
        ("LM-310 落地灯可以调光吗？", "可以。", "那它有多高", "lm310-height.zh"),
        (
            "How can I pay?",
            "- credit card\n- gift card\n- Alipay",
            "tell me more about the second one",
            "gift-card.en",
        ),
        ("有什么优惠", "1. 学生优惠\n2. 礼品卡", "那第二个呢", "gift-card.zh"),
    ],
)
async def test_a_follow_up_finds_what_it_leans_on(
    kb: KnowledgeBase, before: str, said: str, now: str, entry: str
) -> None:
    await kb.import_folder(SHOP)
    locale = entry[-2:]
    found = await kb.follow(now, Earlier(question=before, answer=said), locale=locale)
    assert found.findings.passages[0].entry == entry
    assert found.findings.in_scope


async def test_a_change_of_subject_is_not_dragged_back(kb: KnowledgeBase) -> None:
    await kb.import_folder(SHOP)
    found = await kb.follow(
        "How can I pay?", Earlier(question="How tall is the LM-310?"), locale="en"
    )
    assert found.findings.passages[0].entry == "pay.en"
