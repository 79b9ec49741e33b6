"""An answer that broke off: the rest on request, as a new answer, once, for whoever may read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bot.config import AccessConfig, DeskConfig
from bot.errors import ModelError, ReplyCut
from bot.i18n import say
from bot.types import (
    AnswerId,
    Done,
    Grounds,
    Lease,
    MemoryId,
    ModelDone,
    ModelEvent,
    Place,
    ReplyEvent,
    Retract,
    Text,
)
from tests.fakes.glm import Behaviour, FakeGlm, frame, raw, says, sse
from tests.fakes.loop import run_virtual
from tests.fakes.scripted import ScriptedModel
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import Chat, Shown
from tests.flow import slack_desk
from tests.flow.running import Running, running, until
from tests.flow.slack_service import says as stands
from tests.flow.slack_service import served
from tests.flow.spoken import ANN, BOB, GROUP, Spoken, spoken
from tests.flow.virtual_desk import begin, fake, virtual_desk

GO_ON, CUT = say("en", "answer.go_on"), say("en", "answer.cut")
HEAD = "The lamp has a cable of two metres, a switch on its foot, and"
REST = " a bulb of nine watts. That is all there is to it."
AGAIN = HEAD[-30:] + REST
"""As models do: the last words once more."""


def dropped(*words: str) -> Behaviour:
    """A stream that breaks after these words."""
    return raw(*(sse(frame(word), done=False) for word in words), end="drop", delay=0.05)


def asked(glm: FakeGlm) -> list[tuple[str, str]]:
    """Who says what in the last prompt, without its rules."""
    return [(turn["role"], turn["content"]) for turn in glm.calls[-1].body["messages"][1:]]


# --- Telegram, over the wire ----------------------------------------------------------------------


def buttons(shown: Shown) -> list[str]:
    return [button["text"] for button in shown.buttons]


async def broken_off(run: Running, chat: Chat, text: str = "Tell me about the lamp") -> Shown:
    """A model that is cut twice; the answer with its button."""
    run.glm.script += [dropped(HEAD[:30], HEAD[30:]), dropped(HEAD[:20])]
    run.telegram.say(chat, text)
    await until(lambda: GO_ON in [b for m in run.telegram.standing(chat) for b in buttons(m)], 30)
    return run.telegram.standing(chat)[-1]


async def test_an_answer_cut_twice_is_gone_on_with_by_a_press(tmp_path: Path) -> None:
    """The longer text stands, marked; the rest is a message of its own that repeats nothing."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        chat = run.telegram.private()
        run.glm.script.append(says("Good day to you."))
        run.telegram.say(chat, "Good day, I have some questions")
        await until(lambda: "Good day to you." in run.telegram.screen(chat))
        first = await broken_off(run, chat)
        assert first.text == f"{HEAD}\n\n{CUT}"
        run.glm.script.append(says(AGAIN[:9], AGAIN[9:]))
        run.telegram.press(chat, first.id, GO_ON)
        await until(lambda: REST.strip() in run.telegram.screen(chat))
        assert run.telegram.screen(chat)[1:] == [f"{HEAD}\n\n{CUT}", REST.strip()]
        said = asked(run.glm)
        assert [role for role, _ in said] == ["user", "assistant", "user", "assistant", "user"]
        assert [text for _, text in said[2:4]] == ["Tell me about the lamp", HEAD]
        assert run.telegram.violations == []


async def test_pressed_again_it_is_not_answered_again(tmp_path: Path) -> None:
    """Twice in one go, and by another person: one rest, and a polite word to the others."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        group = run.telegram.group()
        first = await broken_off(run, group, "@desk_bot tell me about the lamp")
        calls = len(run.glm.calls)
        run.glm.script.append(says(REST))
        run.telegram.press(group, first.id, GO_ON, run.telegram.person(2, "Bob"))
        run.telegram.press(group, first.id, GO_ON, run.telegram.person(3, "Eve"))
        done = say("en", "continue.done")
        await until(lambda: done in run.telegram.screen(group))
        assert run.telegram.screen(group)[1:] == [REST.strip(), done]
        assert len(run.glm.calls) == calls + 1
        assert run.telegram.standing(group)[1].reply_to == first.id


async def test_a_rest_can_be_stopped_by_its_button(tmp_path: Path) -> None:
    """It grows like any answer, though a press began it."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        chat = run.telegram.private()
        first = await broken_off(run, chat)
        run.glm.script.append(says(*(f"word {n} " for n in range(400)), delay=0.05))
        run.telegram.press(chat, first.id, GO_ON)
        stop = say("en", "answer.stop")
        await until(lambda: "word 1" in run.telegram.screen(chat)[-1])
        assert buttons(run.telegram.standing(chat)[-1]) == [stop]
        run.telegram.press(chat, run.telegram.standing(chat)[-1].id, stop)
        mark = say("en", "answer.stopped")
        await until(lambda: run.telegram.screen(chat)[-1].endswith(mark))
        run.telegram.say(chat, "/continue")
        await until(lambda: run.telegram.screen(chat)[-1] == say("en", "continue.stopped"))


# --- Slack, over the wire -----------------------------------------------------------------------


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Two people; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann", "locale": "en-US"}, "U2": {"real_name": "Bo"}}
    yield fake
    await fake.close()


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_on_slack_too(slack: FakeSlack, tmp_path: Path, mode: str) -> None:
    async with FakeGlm() as glm, served(slack, mode, tmp_path, glm=glm):
        glm.script += [dropped(HEAD[:30], HEAD[30:]), dropped(HEAD[:20])]
        slack.say("U1", "D1", "Tell me about the lamp")
        await slack_desk.until(lambda: stands(slack, "D1", CUT))
        (first,) = slack.core.shown("D1")
        await slack_desk.until(lambda: GO_ON in first.buttons())
        glm.script.append(says(AGAIN))
        for user in ("U1", "U1"):
            await slack.press(user, first, GO_ON)
        await slack_desk.until(lambda: stands(slack, "D1", say("en", "continue.done")))
        texts = [shown.markdown for shown in slack.core.shown("D1")]
        assert len(texts) == 3
        assert REST.strip() in texts[1]
        assert HEAD[-30:] not in texts[1]


# --- on virtual time ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["cut", "stopped", "whole", "nothing"])
def test_a_rest_that_was_shown_counts_however_it_ended(end: str) -> None:
    """The first part is gone on with once; only where nothing of the rest came, it may be again."""

    async def play(lease: Lease) -> AsyncGenerator[ReplyEvent, None]:
        yield begin(lease)
        if lease.messages[0].message.text == "问":
            yield Text(delta="前半。")
            yield Done(route="open", finish="truncated")
            return
        yield Grounds(route="open", continues=AnswerId(1))
        if end != "nothing":
            yield Text(delta="后半的一些内容，够长了。")
        await asyncio.sleep(5.0)
        if end == "cut":
            raise ReplyCut
        if end == "nothing":
            yield Retract(key="error.retracted")
        yield Done(route="open", remember=end != "nothing")

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(play, telegram) as one:
            telegram.say(chat, "问")
            await one.quiet()
            telegram.say(chat, "续")
            await asyncio.sleep(3.0)
            if end == "stopped":
                telegram.say(chat, "/stop")
            await one.quiet()
            place = Place(platform="telegram", account="4242", channel="1001", private=True)
            memory = MemoryId(f"memory:{place.conversation}")
            store = one.stores.continuations
            first = await store.broken_off(AnswerId(1), place, memory, limit=9)
            assert first is not None
            assert first.continued == (end != "nothing")
            rest = await store.broken_off(AnswerId(2), place, memory, limit=9)
            whole = "前半。", "后半的一些内容，够长了。"
            assert (rest.pieces if rest else None) == (whole if end in ("cut", "stopped") else None)
            assert (rest is not None and rest.stopped) == (end == "stopped")

    run_virtual(main())


# --- spoken to, without a platform --------------------------------------------------------------


Script = list[str | ModelEvent | ModelError]


def half(text: str = HEAD) -> Script:
    return [text, ModelDone(model="m", finish="truncated")]


def talker(*scripts: Script) -> ScriptedModel:
    return ScriptedModel(*scripts)


def desk(model: ScriptedModel, answers: str = "open") -> AbstractAsyncContextManager[Spoken]:
    return spoken(
        model=model,
        desk=DeskConfig(answers=answers),
        access=AccessConfig(person_per_minute=0, chat_per_minute=0),
    )


async def test_the_word_alone_means_the_newest_answer_here() -> None:
    """Where there are no buttons; an answer that is whole has no rest."""
    model = talker(half(), [REST], ["Fine."])
    async with desk(model) as run:
        assert (await run.say("/continue")).notices == ["continue.none"]
        await run.say("tell me about the lamp")
        assert (await run.say("/continue")).text == REST
        assert (await run.say("/continue")).notices == ["continue.none"]
        await run.say("and thanks a lot for that")
        assert (await run.say("/continue")).notices == ["continue.none"]
        assert len(model.requests) == 3


async def test_a_rest_that_breaks_off_is_gone_on_with_from_its_own_end() -> None:
    """The model gets all pieces, the question once, and what was said before it."""
    model = talker(["Hello."], half("One, two"), half(", three"), [", four."])
    async with desk(model) as run:
        await run.say("hello there my friend")
        await run.say("count to four please")
        await run.say("/continue 2")
        assert (await run.say("/continue")).text == ", four."
    turns = [(turn.role, turn.content) for turn in model.requests[-1].turns[1:]]
    wish = turns[-1]
    assert turns == [
        *(("user", "hello there my friend"), ("assistant", "Hello.")),
        *(("user", "count to four please"), ("assistant", "One, two"), wish),
        *(("assistant", ", three"), wish),
    ]


@pytest.mark.parametrize("argument", ["9999", "0", "x", "1 2", "9" * 30, "-1"])
async def test_a_forged_number_is_answered_politely(argument: str) -> None:
    model = talker(half())
    async with desk(model) as run:
        await run.say("tell me about the lamp")
        assert (await run.say(f"/continue {argument}")).notices == ["continue.none"]


async def test_nobody_goes_on_with_what_was_said_to_another() -> None:
    """In private it is its asker's alone; in a group it is anybody's, but only there."""
    model = talker(half(), half(), [REST])
    async with desk(model) as run:
        await run.say("tell me about the lamp", ANN)
        assert (await run.say("/continue 1", BOB)).notices == ["continue.none"]
        assert (await run.say("/continue 1", ANN, channel=GROUP)).notices == ["continue.none"]
        await run.say("tell me about the lamp", ANN, channel=GROUP)
        assert (await run.say("/continue 4", ANN)).notices == ["continue.none"]
        assert (await run.say("/continue 4", BOB, channel=GROUP)).text == REST


async def test_a_skill_goes_on_with_its_own_rules_and_the_words_of_its_command() -> None:
    """What it was given beside them is gone, and then it says so."""
    model = talker(half("def f():"), ["    return 1"], half("It squares"))
    async with desk(model) as run:
        first = await run.say("/code python a function that returns one")
        assert first.done.finish == "truncated"
        rest = await run.say("/continue")
        assert rest.text == "    return 1"
        ours, before = model.requests[1].turns, model.requests[0].turns
        assert ours[: len(before)] == before
        assert (ours[-2].role, ours[-2].content) == ("assistant", "def f():")
        await run.say("/explain")
        assert (await run.say("x = y ** 2")).done.finish == "truncated"
        assert (await run.say("/continue")).notices == ["continue.lost"]
