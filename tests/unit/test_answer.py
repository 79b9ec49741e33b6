"""The answer station: what is said, what is cited, and when the desk says it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.config import DeskConfig
from bot.engine.answer import NOT_IN_KB, Answerer
from bot.engine.handoff import Handoff
from bot.engine.leaning import Question
from bot.errors import ModelError, ReplyRetracted, TooLong
from bot.i18n import say
from bot.types import (
    Done,
    Findings,
    Forward,
    Gap,
    Grounds,
    MemoryId,
    ModelDone,
    ModelEvent,
    ModelReset,
    OpenTicket,
    Passage,
    Person,
    PersonId,
    Place,
    Replace,
    ReplyEvent,
    Retract,
    Text,
    Turn,
)
from tests.fakes.scripted import FixedHistory, FixedKnowledge, NoTickets, ScriptedModel

PLACE = Place(platform="telegram", account="1", channel="42", private=True)
STAFF = Place(platform="telegram", account="1", channel="-100")
RETURNS = Passage(
    id=1, entry="r", kind="faq", title="Returns", text="q", answer="30 days.", source="faq.csv"
)
FOUND = Findings(passages=(RETURNS, RETURNS), in_scope=True, scope=0.9)
NOTHING = Findings(passages=(RETURNS,))


def question(text: str = "Can I send the lamp back?", locale: str = "en") -> Question:
    return Question(
        text=text,
        locale=locale,
        person=Person(id=PersonId(1), name="Ann"),
        place=PLACE,
        memory=MemoryId("person:1"),
        end_user="e",
    )


async def ask(
    model: ScriptedModel,
    findings: Findings,
    *,
    answers: str = "assist",
    speaks: bool = True,
    staff: Place | None = None,
    past: Sequence[Turn] = (),
    asked: Question | None = None,
) -> list[ReplyEvent]:
    desk = DeskConfig(answers=answers, contact="Call 123.")
    answerer = Answerer(
        desk,
        FixedKnowledge(findings),
        FixedHistory(*past),
        model,
        Handoff(desk, NoTickets(), staff),
        speaks=speaks,
        estimate=lambda text: len(text) // 4,
        context_tokens=4000,
    )
    return [event async for event in answerer.answer(asked or question())]


def shown(events: Sequence[ReplyEvent]) -> str:
    """What a reader sees at the end."""
    text = ""
    for event in events:
        match event:
            case Text(delta=delta):
                text += delta
            case Replace(text=new):
                text = new
            case Retract(key=key):
                text = say("en", key)
            case _:
                pass
    return text


def done(events: Sequence[ReplyEvent]) -> Done:
    """The last event."""
    assert isinstance(events[-1], Done)
    return events[-1]


async def test_a_certain_answer_is_given_verbatim_with_its_source_and_no_model_call() -> None:
    model = ScriptedModel()
    events = await ask(model, Findings(passages=(RETURNS,), in_scope=True, direct=True))
    assert shown(events) == "30 days.\n\nSource:\n[1] Returns — faq.csv"
    assert (done(events).route, model.requests) == ("direct", [])


async def test_a_grounded_answer_names_its_sources_and_invented_numbers_are_stripped() -> None:
    events = await ask(ScriptedModel(["You have 30 ", "days [1", "] or a year [9]."]), FOUND)
    assert shown(events) == "You have 30 days [1] or a year .\n\nSource:\n[1] Returns — faq.csv"
    assert [citation.number for citation in done(events).citations] == [1]
    assert isinstance(events[0], Grounds)


async def test_an_assisted_answer_without_a_citation_is_marked() -> None:
    events = await ask(ScriptedModel(["Surely."]), FOUND)
    assert shown(events) == "Surely.\n\n" + say("en", "answer.unverified")


@pytest.mark.parametrize("script", [[NOT_IN_KB], ["NOT_", "IN_KB."], [" NOT_IN_KB\n"]])
async def test_the_models_own_no_is_an_abstention_and_never_shows_its_word(
    script: list[str],
) -> None:
    events = await ask(ScriptedModel(script), FOUND)
    assert shown(events) == say("en", "answer.not_in_kb") + "\nCall 123."
    assert not any(isinstance(event, Text) for event in events)
    assert done(events).route == "abstained"
    assert any(isinstance(change, Gap) for change in done(events).changes)


async def test_text_that_only_begins_like_the_refusal_word_is_shown() -> None:
    events = await ask(ScriptedModel(["NOT", " bad [1]."]), FOUND)
    assert shown(events).startswith("NOT bad [1].")


async def test_a_strict_answer_shows_nothing_before_its_first_valid_citation() -> None:
    model = ScriptedModel(["You have ", "30 days", " [1]", ", always."])
    events = await ask(model, FOUND, answers="strict")
    texts = [event.delta for event in events if isinstance(event, Text)]
    assert texts[0] == "You have 30 days [1]"
    assert shown(events).startswith("You have 30 days [1], always.\n\nSource:")


@pytest.mark.parametrize("text", ["Forty days, trust me.", "Forty days [7].", "arr[0"])
async def test_a_strict_answer_without_a_valid_citation_is_an_abstention(text: str) -> None:
    events = await ask(ScriptedModel([text]), FOUND, answers="strict")
    assert not any(isinstance(event, Text) for event in events)
    assert done(events).route == "abstained"


async def test_out_of_scope_in_strict_asks_no_model() -> None:
    model = ScriptedModel()
    events = await ask(model, NOTHING, answers="strict")
    assert (done(events).route, model.requests) == ("abstained", [])


async def test_out_of_scope_in_assist_is_said_to_be_general_knowledge() -> None:
    model = ScriptedModel(["Paris is the capital of France."])
    asked = question("What is the capital of France, please?")
    events = await ask(model, NOTHING, asked=asked)
    assert shown(events).endswith(say("en", "answer.not_from_kb"))
    assert model.requests[0].passages == ()


async def test_out_of_scope_without_a_language_model_is_an_abstention() -> None:
    events = await ask(ScriptedModel(), NOTHING, speaks=False)
    assert done(events).route == "abstained"


async def test_an_abstention_opens_a_ticket_where_staff_are_configured() -> None:
    events = await ask(ScriptedModel(), NOTHING, answers="strict", staff=STAFF)
    forwards = [event for event in events if isinstance(event, Forward)]
    assert [forward.place for forward in forwards] == [STAFF]
    assert "Can I send the lamp back?" in forwards[0].text
    assert any(isinstance(change, OpenTicket) for change in done(events).changes)
    assert say("en", "answer.told_staff") in shown(events)


async def test_open_mode_chats_without_searching() -> None:
    events = await ask(ScriptedModel(["Hi [1] NOT_IN_KB"]), FOUND, answers="open")
    assert shown(events) == "Hi [1] NOT_IN_KB"
    assert done(events).route == "open"


async def test_a_stream_begun_anew_replaces_the_text_and_its_citations() -> None:
    model = ScriptedModel(["Old [2] ", ModelReset(), "New [1]."])
    events = await ask(model, FOUND)
    assert shown(events) == "New [1].\n\nSource:\n[1] Returns — faq.csv"


async def test_a_struck_answer_is_taken_back_and_not_remembered() -> None:
    events = await ask(ScriptedModel(["Bad things", ReplyRetracted()]), FOUND)
    assert shown(events) == say("en", "error.retracted")
    assert done(events).remember is False


async def test_a_prompt_that_is_too_long_is_asked_once_more_with_less_history() -> None:
    past = [
        Turn(role="user" if at % 2 == 0 else "assistant", text=f"t{at}", said_at=at)
        for at in range(8)
    ]
    model = ScriptedModel([TooLong()], ["Yes [1]."])
    events = await ask(model, FOUND, past=past)
    assert shown(events).startswith("Yes [1].")
    assert [len(request.turns) for request in model.requests] == [10, 6]


async def test_a_prompt_that_stays_too_long_is_an_error() -> None:
    with pytest.raises(TooLong):
        await ask(ScriptedModel([TooLong()], [TooLong()]), FOUND)


async def test_an_excerpt_is_routed_as_one_even_in_strict() -> None:
    model = ScriptedModel(["Excerpt: 30 days.", ModelDone(excerpt=True, model="excerpt")])
    events = await ask(model, FOUND, answers="strict")
    assert (shown(events), done(events).route) == ("Excerpt: 30 days.", "excerpt")


@pytest.mark.parametrize("answers", ["strict", "assist", "open"])
@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "closest I found in our knowledge base is “Returns”"), ("zh", "最接近的是《Returns》")],
)
async def test_a_desk_without_a_model_quotes_and_speaks_of_none_that_is_away(
    answers: str, locale: str, said: str
) -> None:
    """What stands in for a model that is down says so; here there is nothing to wait for."""
    model = ScriptedModel()
    asked = replace(question(), locale=locale)
    events = await ask(model, FOUND, answers=answers, speaks=False, asked=asked)
    assert said in shown(events)
    assert shown(events).endswith("\n\n30 days.")
    assert "right now" not in shown(events)
    assert (done(events).route, model.requests) == ("excerpt", [])


@pytest.mark.parametrize("answers", ["strict", "assist"])
async def test_with_every_provider_down_a_near_miss_is_not_quoted(
    answers: str,
) -> None:
    """A model was to read it; the excerpt in its place is held to what may be shown unread."""
    model = ScriptedModel(["Excerpt: 30 days.", ModelDone(excerpt=True, model="excerpt")])
    unsure = replace(FOUND, quotable=False)
    events = await ask(model, unsure, answers=answers)
    assert done(events).route == "abstained"
    assert "30 days" not in shown(events)


async def test_chinese_is_answered_in_chinese() -> None:
    events = await ask(ScriptedModel(), NOTHING, answers="strict", asked=question("x", "zh"))
    assert shown(events) == say("zh", "answer.not_in_kb") + "\nCall 123."


# --- the rest of an answer that broke off ---------------------------------------------------------


def rest_of(*pieces: str, past: Sequence[Turn] = ()) -> Question:
    return replace(question(), said=pieces, past=tuple(past))


@pytest.mark.parametrize("answers", ["assist", "strict"])
async def test_a_rest_is_grounded_like_the_first_part(answers: str) -> None:
    """The same passages and past; what stands cited them, so the rest need not. Asked for by turns
    that follow the prompt, and never from a cache.
    """
    before = [Turn(role="user", text="Hi there", said_at=0)]
    later = [Turn(role="user", text="Something else", said_at=9)]
    model = ScriptedModel(["30 days [1], and the", " box has to be whole."])
    events = await ask(
        model,
        Findings(passages=(RETURNS,), in_scope=True, direct=True),
        answers=answers,
        past=later,
        asked=rest_of("You have 30 days [1], and the", past=before),
    )
    assert shown(events) == " box has to be whole."
    [request] = model.requests
    assert (request.passages, request.cacheable) == ((RETURNS,), False)
    said = [(turn.role, turn.content) for turn in request.turns]
    assert said[1] == ("user", "Hi there")
    assert "Can I send the lamp back?" in said[-3][1]
    assert said[-2] == ("assistant", "You have 30 days [1], and the")
    assert not any("Something else" in text for _, text in said)


@pytest.mark.parametrize(
    ("script", "findings", "speaks"),
    [
        ([NOT_IN_KB], FOUND, True),
        (["30 days.", ModelDone(model="m", excerpt=True)], FOUND, True),
        ([], FOUND, False),
        ([], NOTHING, True),
    ],
)
async def test_where_there_is_nothing_to_go_on_with_it_says_so(
    script: list[str | ModelEvent | ModelError], findings: Findings, *, speaks: bool
) -> None:
    """No passages any more, none that answer, no model: no gap, no ticket, nothing remembered."""
    asked = rest_of("You have")
    events = await ask(
        ScriptedModel(script), findings, answers="strict", speaks=speaks, asked=asked, staff=STAFF
    )
    assert shown(events) == say("en", "continue.lost")
    assert (done(events).outcome, done(events).remember) == ("declined", False)
    assert done(events).changes == ()
