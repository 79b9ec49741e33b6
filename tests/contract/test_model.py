"""What every model promises, over the wire: the bare client and each layer wrapped around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import pytest

from bot.clock import SystemClock
from bot.config import Config, ModelConfig, Secret
from bot.errors import ContentBlocked, ModelError, ReplyRetracted
from bot.model import build_model
from bot.model.client import HttpModel
from bot.model.layers import Cached, Fallback, Metered, Paced, Retrying
from bot.ports import Model
from bot.types import ChatRequest, ChatTurn, ModelDone, ModelEvent, ModelText
from tests.fakes import glm as fake
from tests.fakes.glm import FakeGlm, expected_reply, frame, raw, sse

QUESTION = "退货需要多少天？ How many days?"
ASK = ChatRequest(
    turns=(ChatTurn(role="system", content="Be short."), ChatTurn(role="user", content=QUESTION)),
    question=QUESTION,
    conversation="c1",
    cacheable=True,
    end_user="0123456789abcdef",
)
CLOCK = SystemClock()


def bare(url: str) -> HttpModel:
    return HttpModel(ModelConfig(base_url=url, api_key=Secret(fake.KEY)), CLOCK)


def retrying(model: Model) -> Retrying:
    return Retrying(model, CLOCK, random=lambda: 0.0)


STACKS: dict[str, Callable[[str], Model]] = {
    "client": bare,
    "retrying": lambda url: retrying(bare(url)),
    "paced": lambda url: Paced(bare(url), CLOCK, most=4),
    "fallback": lambda url: Fallback([bare(url)], CLOCK),
    "cached": lambda url: Cached(bare(url), CLOCK),
    "metered": lambda url: Metered(bare(url), CLOCK),
    "all": lambda url: Metered(
        Cached(Fallback([retrying(Paced(bare(url), CLOCK, most=4))], CLOCK), CLOCK), CLOCK
    ),
    "built": lambda url: build_model(
        Config(models=(ModelConfig(base_url=url, api_key=Secret(fake.KEY)),)), CLOCK
    ),
}


@dataclass
class Pair:
    glm: FakeGlm
    model: Model


@pytest.fixture(params=STACKS)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    async with FakeGlm() as glm:
        model = STACKS[request.param](glm.url)
        yield Pair(glm, model)
        await model.close()


async def read(model: Model, request: ChatRequest = ASK) -> list[ModelEvent]:
    async with aclosing(model.stream(request)) as events:
        return [event async for event in events]


def text(events: list[ModelEvent]) -> str:
    return "".join(event.delta for event in events if isinstance(event, ModelText))


async def test_a_reply_is_its_text_and_then_exactly_one_done(pair: Pair) -> None:
    events = await read(pair.model)
    assert text(events) == expected_reply(QUESTION)
    assert [type(event) for event in events].count(ModelDone) == 1
    done = events[-1]
    assert isinstance(done, ModelDone)
    assert (done.finish, done.model, done.attempts) == ("whole", "glm-4.7-flash", 1)
    assert done.usage.prompt > 0
    assert not done.usage.estimated


async def test_it_has_the_name_of_its_model(pair: Pair) -> None:
    assert pair.model.name == "glm-4.7-flash"


async def test_the_request_says_what_was_asked_and_for_whom(pair: Pair) -> None:
    await read(pair.model, replace(ASK, max_tokens=77, temperature=0.9))
    body = pair.glm.calls[0].body
    assert body["messages"][-1] == {"role": "user", "content": QUESTION}
    assert (body["max_tokens"], body["temperature"]) == (77, 0.9)
    assert body["user_id"] == ASK.end_user
    assert body["thinking"] == {"type": "disabled"}


async def test_closing_the_stream_closes_the_connection(pair: Pair) -> None:
    pair.glm.script.append(fake.says(*["word "] * 200, delay=0.02))
    async with aclosing(pair.model.stream(ASK)) as events:
        async for event in events:
            if isinstance(event, ModelText):
                break
    async with asyncio.timeout(5):
        await pair.glm.calls[0].done.wait()
    assert pair.glm.calls[0].cancelled
    assert pair.glm.running == 0


async def test_cancelling_the_reader_closes_the_connection(pair: Pair) -> None:
    """While it waits for headers too."""
    for behaviour in (fake.hangs, raw(sse(frame("a"), done=False), end="hang")):
        pair.glm.script.append(behaviour)
        task = asyncio.create_task(read(pair.model))
        before = len(pair.glm.calls)
        async with asyncio.timeout(5):
            while len(pair.glm.calls) == before:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await pair.glm.calls[-1].done.wait()
        assert pair.glm.calls[-1].cancelled


async def test_a_refusal_is_one_of_ours(pair: Pair) -> None:
    pair.glm.script.append(fake.refuses("1301"))
    with pytest.raises(ContentBlocked):
        await read(pair.model)


async def test_shown_text_that_must_go_is_retracted(pair: Pair) -> None:
    pair.glm.script.append(
        raw(sse(frame("bad"), done=False), sse(frame(finish="sensitive")), delay=0.05)
    )
    with pytest.raises(ReplyRetracted):
        await read(pair.model)


async def test_it_serves_again_after_any_failure(pair: Pair) -> None:
    for behaviour in (fake.drops, fake.refuses("1301"), fake.refuses("1210"), fake.status(503)):
        pair.glm.script.append(behaviour)
        try:
            await read(pair.model, replace(ASK, cacheable=False))
        except ModelError:
            pass
    pair.glm.script.clear()
    assert text(await read(pair.model)) == expected_reply(QUESTION)


async def test_health_is_known_from_traffic(pair: Pair) -> None:
    assert pair.model.health()[0].state == "unknown"
    await read(pair.model)
    health = pair.model.health()[0]
    assert (health.name, health.state) == ("glm-4.7-flash", "up")
    assert health.latency_ms is not None
    assert health.last_success is not None


async def test_many_at_once_each_get_their_own(pair: Pair) -> None:
    questions = [f"Question {number}?" for number in range(20)]
    requests = [
        replace(ASK, turns=(ChatTurn(role="user", content=question),), question=question)
        for question in questions
    ]
    said = await asyncio.gather(*(read(pair.model, request) for request in requests))
    assert [text(events) for events in said] == [expected_reply(question) for question in questions]
