"""What `kb explain` shows is what an answer would be given: the same search, passages and terms."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from bot.config import DeskConfig
from bot.engine.knowledge_text import explained
from bot.engine.prompts import PASSAGE_MAX, data
from bot.i18n import LOCALES, catalogue, say
from bot.knowledge import base as knowledge_base
from bot.knowledge.cases import load_cases
from bot.knowledge.confidence import EVERY
from bot.knowledge.explain import Explanation
from bot.knowledge.rank import groups
from bot.types import Begin
from tests.fakes.scripted import ScriptedModel
from tests.flow.shop import SHOP
from tests.flow.spoken import Spoken, spoken
from tests.flow.test_knowledge_shop import SAMPLES

_GIVEN = re.compile(r'<kb id="(\d+)" title="([^"]*)">\n(.*?)\n</kb>', re.DOTALL)
LONG = "how do I clean the lamp, the shade, the cable, the switch, the glass, the bulb and the foot"


def given(prompt: str) -> list[tuple[str, str]]:
    """The passages in a prompt, each with its title, as they are numbered."""
    found = _GIVEN.findall(prompt)
    assert [int(number) for number, _, _ in found] == list(range(1, len(found) + 1))
    return [(title, body) for _, title, body in found]


def shown(laid: Explanation, locale: str) -> list[tuple[str, str]]:
    """The passages that the explanation lists without a word about their length."""
    lines = [line for line in explained(laid, locale).splitlines() if re.match(r"\d+\. ", line)]
    assert len(lines) == len(laid.found) == len(laid.passages)
    left_out = say(locale, "kb.no_room")
    return [
        (data(one.title).replace('"', "'"), data(one.body)[:PASSAGE_MAX])
        for line, one in zip(lines, laid.passages, strict=True)
        if not line.endswith(left_out)
    ]


async def held(desk: Spoken, model: ScriptedModel, question: str, user: str) -> str:
    """Ask; whether it was answered with stored words, by the model, or not at all: as explained."""
    before = len(model.requests)
    reply = await desk.say(question, user)
    begun = reply.events[0]
    assert isinstance(begun, Begin)
    laid = await desk.desk.knowledge.explain(question, locale=begun.locale)
    routes = {"direct": "direct", "grounded": "grounded", "abstain": "abstained"}
    assert reply.done.route == routes[laid.decision], question
    if laid.decision == "grounded":
        prompt = model.requests[before].turns[-1].content
        assert given(prompt) == shown(laid, begun.locale), question
    else:
        assert len(model.requests) == before
    if laid.decision == "direct":
        assert reply.text.startswith(laid.passages[0].body)
    return laid.decision


@pytest.mark.soak
async def test_the_prompt_holds_just_the_passages_that_an_explanation_shows() -> None:
    """Over the questions of the sample shop, and where not all that was found has room."""
    model = ScriptedModel(*(["Yes [1]."] for _ in range(400)))
    here = DeskConfig(name="Lumen", answers="strict")
    async with spoken(model=model, desk=here) as desk:
        await desk.desk.knowledge.import_folder(SHOP)
        asked = [case.text for case in load_cases(SAMPLES / "shop-eval.jsonl")]
        rows = await desk.desk.knowledge.questions()
        asked += [row.text[: 2 * len(row.text) // 3] for row in rows[::3]]
        seen = [await held(desk, model, text, f"u{n}") for n, text in enumerate([*asked, LONG])]
        assert len(seen) > 100
        assert set(seen) == {"direct", "grounded", "abstain"}
        assert seen.count("grounded") > 30
        for number in range(6):
            answer = f"Wipe the marble plinth {number} " + "with a soft and dry cloth " * 90
            entries = desk.desk.knowledge.entries
            await entries.add(f"How do I wipe plinth {number} of marble?", answer, by="t")
        assert await held(desk, model, "wipe marble plinth edges now", "long") == "grounded"
        [prompt] = [request.turns[-1].content for request in model.requests[-1:]]
        assert 1 <= len(given(prompt)) < 6


async def test_terms_are_told_as_sent_that_an_index_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Questions and chunks have counts of their own, so each index is asked for other terms."""
    sent: set[str] = set()

    def noted(frequencies: Mapping[str, int], rows: int) -> list[tuple[str, ...]]:
        made = groups(frequencies, rows)
        sent.update(*made)
        return made

    monkeypatch.setattr(knowledge_base, "groups", noted)
    async with spoken() as desk:
        knowledge = desk.desk.knowledge
        await knowledge.import_folder(SHOP)
        asked = [case.text for case in load_cases(SAMPLES / "shop-eval.jsonl")]
        asked += [f"{asked[0]} {LONG} {asked[7]} {asked[30]}", "zzz", ""]
        left_out = 0
        for question in asked:
            sent.clear()
            laid = await knowledge.explain(question, locale="en")
            assert {term.term for term in laid.terms if term.sent} == sent, question
            left_out += sum(bool(term.rows and not term.sent) for term in laid.terms)
        assert left_out


@pytest.mark.parametrize("locale", LOCALES)
async def test_the_signs_of_a_search_have_names_in_the_readers_language(locale: str) -> None:
    async with spoken() as desk:
        await desk.desk.knowledge.import_folder(SHOP)
        laid = await desk.desk.knowledge.explain("怎么清洁台灯", locale="zh")
        line = explained(laid, locale).split("\n\n")[1].splitlines()[0]
        for name, number in laid.signs:
            assert say(locale, f"kb.sign_{name}", found=f"{number:.2f}") in line
        if locale == "zh":
            assert not re.search("[A-Za-z]", line)
    known = {key.removeprefix("kb.sign_") for key in catalogue(locale) if "kb.sign_" in key}
    assert known == set(EVERY)
