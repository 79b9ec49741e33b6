"""Dialogues over the sample shop: what leans on the exchange before is found and said whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.config import DeskConfig
from bot.engine.answer import Answerer
from bot.engine.handoff import Handoff
from bot.engine.leaning import REWRITE_SECONDS, Leaning, Question, last_exchange
from bot.errors import ModelUnavailable
from bot.i18n import say
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.followup import leans
from bot.model.cached import Cached
from bot.ports import Model
from bot.types import (
    ChatRequest,
    Citation,
    Done,
    Earlier,
    Findings,
    MemoryId,
    ModelDone,
    ModelEvent,
    ModelText,
    Passage,
    Person,
    PersonId,
    Place,
    Replace,
    Turn,
    Usage,
)
from storage.passages import PassageStore
from tests.fakes.loop import run_virtual
from tests.fakes.scripted import FixedHistory, FixedKnowledge, NoTickets, ScriptedModel
from tests.flow.shop import shop_database
from tests.flow.spoken import ANN, spoken

DIALOGUES = Path(__file__).parent.parent / "data" / "follow-ups.jsonl"
PLACE = Place(platform="telegram", account="1", channel="42", private=True)
EN = ("What can you do for me?", "I can help with:\n1. Returns\n2. Delivery cost\n3. Refunds")
ZH = ("你能帮我做什么", "我可以帮您：\n1. 怎么退货\n2. 运费多少钱\n3. 开发票")
FURNITURE = ("多久能收到货？", "灯具 3 到 5 个工作日送达。")


@pytest.fixture
async def shop() -> AsyncIterator[KnowledgeBase]:
    database = await shop_database()
    yield KnowledgeBase(PassageStore(database), SystemClock())
    await database.close()


def asked(text: str, locale: str) -> Question:
    return Question(
        text=text,
        locale=locale,
        person=Person(id=PersonId(1)),
        place=PLACE,
        memory=MemoryId("person:1"),
        end_user="e",
    )


def history(*said: str) -> FixedHistory:
    """Turns in order: person, desk, person and so on."""
    roles = ("user", "assistant")
    turns = [Turn(role=roles[i % 2], text=text, said_at=i) for i, text in enumerate(said)]  # type: ignore[arg-type]  # alternating
    return FixedHistory(*turns)


def answerer(knowledge: KnowledgeBase, past: FixedHistory, model: Model, speaks: bool) -> Answerer:
    desk = DeskConfig(contact="Call 123.")
    return Answerer(
        desk,
        knowledge,
        past,
        model,
        Handoff(desk, NoTickets(), None),
        speaks=speaks,
        estimate=len,
        context_tokens=8000,
    )


async def told(
    shop: KnowledgeBase,
    past: FixedHistory,
    text: str,
    locale: str,
    *scripts: list[str | ModelEvent],
) -> tuple[Done, ScriptedModel]:
    """The end of the answer, and the model that was asked or not."""
    model = ScriptedModel(*scripts)
    desk = answerer(shop, past, model, speaks=bool(scripts))
    events = [event async for event in desk.answer(asked(text, locale))]
    assert isinstance(events[-1], Done)
    return events[-1], model


def titles(done: Done) -> list[str]:
    return [one.title for one in done.citations if isinstance(one, Citation)]


@pytest.mark.parametrize(
    ("before", "text", "locale", "answered_by"),
    [
        (EN, "what about the second one", "en", "How much does delivery cost?"),
        (EN, "and the last?", "en", "When will I get my refund?"),
        (ZH, "那第二个呢", "zh", "运费多少钱？"),
        (ZH, "最后一个呢", "zh", "可以开发票吗？"),
        (FURNITURE, "那家具呢", "zh", "多久能收到货？"),
    ],
)
async def test_a_follow_up_is_answered_directly_without_a_model(
    shop: KnowledgeBase, before: tuple[str, str], text: str, locale: str, answered_by: str
) -> None:
    done, model = await told(shop, history(*before), text, locale)
    assert (done.route, model.requests) == ("direct", [])
    assert titles(done) == [answered_by]


NOTHING_EN = ("Do you sell rocket engines?", say("en", "answer.not_in_kb"))
NOTHING_ZH = ("你们卖火箭发动机吗", say("zh", "answer.not_in_kb"))
PROSE_EN = ("How do I return an item?", "Within 30 days, in My orders.")
PROSE_ZH = ("怎么退货？", "30 天内，在“我的订单”里。")


@pytest.mark.parametrize(
    ("before", "text", "locale"),
    [
        (NOTHING_EN, "what about the second one", "en"),
        (NOTHING_EN, "how much does the second one cost?", "en"),
        (NOTHING_EN, "2", "en"),
        (NOTHING_ZH, "那第二个呢", "zh"),
        (NOTHING_ZH, "第三个多少钱", "zh"),
        (PROSE_EN, "and the last one?", "en"),
        (PROSE_ZH, "那第二个呢", "zh"),
        (EN, "what about the fifth one", "en"),
        ((), "最后一个呢", "zh"),
        ((), "the second one please", "en"),
    ],
)
async def test_an_ordinal_that_points_at_nothing_is_asked_about_and_nothing_is_quoted(
    shop: KnowledgeBase, before: tuple[str, ...], text: str, locale: str
) -> None:
    """It is no gap, opens no ticket, and is not remembered as something that was talked about."""
    desk = answerer(shop, history(*before), ScriptedModel(), speaks=False)
    events = [event async for event in desk.answer(asked(text, locale))]
    assert [event.text for event in events if isinstance(event, Replace)] == [
        say(locale, "answer.which")
    ]
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.route, done.changes, done.citations, done.remember) == ("asked", (), (), False)


async def test_who_is_asked_which_one_was_meant_stays_in_the_exchange() -> None:
    """In a shared thread what they answer needs no mention: silence would follow the question."""
    async with spoken() as desk:
        which = await desk.say(
            "what about the second one", platform="slack", channel="C1", thread="9.1"
        )
        assert which.text == say("en", "answer.which")
        thread = Place(platform="slack", account="1", channel="C1", thread="9.1")
        assert await desk.stores.threads.party(thread) == {ANN}


async def test_a_model_may_know_which_one_was_meant(shop: KnowledgeBase) -> None:
    past = history("What do you do?", "Returns, and delivery to Canada.")
    second = "what about the second one"
    done, model = await told(shop, past, second, "en", ["How much does delivery cost?"])
    assert (done.route, len(model.requests)) == ("direct", 1)
    assert titles(done) == ["How much does delivery cost?"]
    done, model = await told(shop, past, second, "en", ["xyzzy?"], ["Which?"])
    assert (done.route, len(model.requests)) == ("open", 2)
    done, _ = await told(shop, past, second, "en", ["xyzzy?"], ["NOT_IN_KB"])
    assert (done.route, done.changes) == ("asked", ())


async def test_one_after_the_other_of_a_list_may_be_asked_about(shop: KnowledgeBase) -> None:
    past = history(*EN, "and the first one?", "Within 30 days.")
    done, _ = await told(shop, past, "and the second one?", "en")
    assert titles(done) == ["How much does delivery cost?"]
    past = history(*ZH, "第一个呢", "30 天内。")
    done, _ = await told(shop, past, "那第二个呢", "zh")
    assert titles(done) == ["运费多少钱？"]
    past = history(*EN, "Do you ship lamps?", "Yes.")
    done, _ = await told(shop, past, "and the second one?", "en")
    assert done.route == "asked"


async def test_the_prompt_asks_the_whole_question(shop: KnowledgeBase) -> None:
    _, model = await told(shop, history(*EN), "the first", "en", ["As told [1]."])
    assert model.requests[0].question == "Returns"
    assert "Returns" in model.requests[0].turns[-1].content


async def test_a_model_words_what_the_free_search_cannot_find_and_its_cost_is_counted(
    shop: KnowledgeBase,
) -> None:
    paid = ModelDone(usage=Usage(prompt=90, completion=9), model="glm")
    script: list[str | ModelEvent] = ["退款多久", "到账", paid]
    past = history("你好", "您好。")
    done, model = await told(shop, past, "为什么呢", "zh", script, ["五个工作日 [1]。"])
    assert "<message>为什么呢</message>" in model.requests[0].turns[0].content
    assert "<customer>你好</customer>" in model.requests[0].turns[0].content
    assert done.route in {"direct", "grounded"}
    assert titles(done)[0] == "退款多久到账？"
    assert done.usage.total >= 99


async def test_an_answer_that_is_tried_again_pays_for_its_wording_once() -> None:
    """It is kept by the turn and the memory: nobody else's words are ever reused."""
    found = FixedKnowledge(Findings(passages=(_PASSAGE,)))
    wording: list[str | ModelEvent] = ["Why are lamps dear?", ModelDone(usage=Usage(prompt=90))]
    model = ScriptedModel(wording, wording, wording)
    leaning = Leaning(found, history(*EN), Cached(model, SystemClock()))
    first = await leaning.find(asked("why", "en"), may_speak=True)
    again = await leaning.find(asked("why", "en"), may_speak=True)
    assert (first.usage.total, again.usage.total) == (90, 0)
    other = replace(asked("why", "en"), memory=MemoryId("person:2"))
    await leaning.find(other, may_speak=True)
    later = Leaning(found, history(*EN, *FURNITURE), Cached(model, SystemClock()))
    await later.find(asked("why", "en"), may_speak=True)
    assert len(model.requests) == 3


async def test_a_wording_that_finds_nothing_leaves_the_persons_own_words(
    shop: KnowledgeBase,
) -> None:
    past = history("Tell me a joke", "No.")
    done, model = await told(shop, past, "hmm why", "en", ["Why no joke?"], ["Because."])
    assert (done.route, model.requests[1].question) == ("open", "hmm why")


async def test_a_whole_question_costs_no_rewriting(shop: KnowledgeBase) -> None:
    question = "Who won the football world cup in the year two thousand and eighteen in Russia"
    _, model = await told(shop, history(*EN), question, "en", ["France."])
    assert [one.question for one in model.requests] == [question]


async def test_what_leans_is_found_with_what_was_said_and_what_stands_alone_is_not_dragged_back(
    shop: KnowledgeBase,
) -> None:
    """Bounds both ways over the project's dialogues; a change of subject is shown nothing."""
    asked = [json.loads(line) for line in DIALOGUES.read_text("utf-8").splitlines()]
    met = []
    for one in asked:
        earlier = Earlier(question=one["before"], answer="…")
        found = await shop.follow(one["text"], earlier, locale=one["locale"])
        findings, first = found.findings, next(iter(found.findings.passages), None)
        if one["leans"]:
            wanted = set(one["rel"])
            right = first is not None and bool(wanted & {first.entry, first.source})
            assert right or leans(one["text"], one["before"]), one
            if wanted:
                met.append(findings.in_scope and right)
        else:
            shown = findings.direct or (findings.in_scope and findings.quotable)
            assert (found.question, shown) == (one["text"], False), one
    assert sum(met) / len(met) >= 0.80, met


@pytest.mark.parametrize(
    ("before", "text", "locale"),
    [
        ("How do I return an item?", "and for shoes?", "en"),
        ("怎么退货？", "那鞋子呢", "zh"),
        ("运费多少钱？", "那天气呢", "zh"),
        ("How long does delivery take?", "What time is it in Sydney?", "en"),
    ],
)
async def test_the_old_answer_is_not_given_once_more_to_what_it_says_nothing_about(
    shop: KnowledgeBase, before: str, text: str, locale: str
) -> None:
    """A model may read it in the light of both; without one nobody is told."""
    found = await shop.follow(text, Earlier(question=before, answer="…"), locale=locale)
    assert not found.findings.direct
    assert not (found.findings.in_scope and found.findings.quotable)


class _Never:
    """A model that says nothing for an hour."""

    name = "never"

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.closed = False

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        try:
            if self.broken:
                raise ModelUnavailable
            await asyncio.sleep(3600)
            yield ModelText(delta=request.question)
        finally:
            self.closed = True

    def health(self) -> tuple[()]:
        return ()

    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(("broken", "seconds"), [(False, REWRITE_SECONDS), (True, 0.0)])
def test_a_slow_or_broken_model_costs_two_seconds_at_most_and_nothing_else(
    *, broken: bool, seconds: float
) -> None:
    model = _Never(broken=broken)
    nothing = FixedKnowledge(Findings(passages=(_PASSAGE,)))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        leaning = Leaning(nothing, history(*EN), model)
        meant = await leaning.find(asked("why", "en"), may_speak=True)
        assert (meant.question, meant.findings) == ("why", nothing.findings)
        assert loop.time() - begun == pytest.approx(seconds)
        assert model.closed

    run_virtual(main())


_PASSAGE = Passage(id=1, entry="r", kind="faq", title="Returns", text="q", source="faq.csv")


@pytest.mark.parametrize("flaw", [ModelDone(finish="cut"), ModelDone(excerpt=True)])
async def test_half_a_wording_is_not_searched_for(flaw: ModelDone) -> None:
    found = FixedKnowledge(Findings(passages=(_PASSAGE,)))
    leaning = Leaning(found, history(*EN), ScriptedModel(["Why are", replace(flaw)]))
    meant = await leaning.find(asked("why", "en"), may_speak=True)
    assert meant.question == "why"


def test_the_last_exchange_is_the_newest_answer_and_its_question() -> None:
    turns = history("a", "b", "c", "d", "still waiting").turns
    assert (last_exchange(turns).question, last_exchange(turns).answer) == ("c", "d")
    assert last_exchange(turns[:1]).answer == ""
