"""The client and the built chain against a provider that misbehaves as a whole."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.clock import SystemClock
from bot.config import Config, ModelConfig, Secret
from bot.errors import (
    ConfigError,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
)
from bot.model import build_model, probe
from bot.model.client import HttpModel
from bot.model.layers import Retrying
from bot.ports import Model
from bot.types import ChatRequest, ChatTurn, ModelDone, ModelEvent, ModelReset, ModelText, Passage
from tests.fakes import glm as fake
from tests.fakes.glm import FakeGlm, expected_reply, frame, raw, sse

CLOCK = SystemClock()
ASK = ChatRequest(turns=(ChatTurn(role="user", content="Hi?"),))
PASSAGE = Passage(id=1, entry="e", kind="faq", title="Hours", text="t", source="s", answer="9 to 5")


def settings(glm: FakeGlm, **changes: object) -> ModelConfig:
    base = ModelConfig(base_url=glm.url, api_key=Secret(fake.KEY))
    return replace(base, **changes)  # type: ignore[arg-type]


async def read(model: Model, request: ChatRequest = ASK) -> list[ModelEvent]:
    async with aclosing(model.stream(request)) as events:
        return [event async for event in events]


def shown(events: list[ModelEvent]) -> str:
    text = ""
    for event in events:
        if isinstance(event, ModelReset):
            text = ""
        elif isinstance(event, ModelText):
            text += event.delta
    return text


async def failure_of(model: Model, request: ChatRequest = ASK) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await read(model, request)
    return caught.value


async def test_a_signed_token_is_accepted_and_used_again() -> None:
    async with FakeGlm() as glm:
        model = HttpModel(settings(glm, auth="jwt"), CLOCK)
        await read(model)
        await read(model)
        await model.close()
        tokens = {call.headers["Authorization"] for call in glm.calls}
    assert len(tokens) == 1
    assert fake.KEY not in tokens.pop()


@pytest.mark.parametrize("code", ["1002", "1003", "1004"])
async def test_a_stale_token_is_signed_anew_once(code: str) -> None:
    """A clock that is off, or a key that was rotated: one more try, not a loop."""
    async with FakeGlm() as glm:
        model = HttpModel(settings(glm, auth="jwt"), CLOCK)
        glm.script.append(fake.refuses(code))
        assert shown(await read(model)) == expected_reply("Hi?")
        glm.script += [fake.refuses(code)] * 5
        assert type(await failure_of(model)) is ModelRefused
        await model.close()
    assert len(glm.calls) == 4


async def test_a_raw_key_that_is_refused_is_not_tried_again() -> None:
    async with FakeGlm(key="other.key") as glm:
        model = HttpModel(settings(glm), CLOCK)
        failure = await failure_of(model)
        await model.close()
    assert (type(failure), failure.code, len(glm.calls)) == (ModelRefused, "1000", 1)


def test_a_key_without_two_halves_cannot_sign() -> None:
    with pytest.raises(ConfigError, match="of the form"):
        HttpModel(ModelConfig(auth="jwt", api_key=Secret("half")), CLOCK)


async def test_one_connection_serves_one_reply_after_another() -> None:
    async with FakeGlm() as glm:
        model = HttpModel(settings(glm), CLOCK)
        for _ in range(5):
            await read(model)
        await model.close()
    assert glm.connections == 1


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        model = HttpModel(ModelConfig(base_url=url), CLOCK)
        assert type(await failure_of(model)) is ModelUnavailable
        await model.close()


@pytest.mark.parametrize("url", ["not an address", "http://", "ftp://x/v1"])
async def test_an_address_that_is_none_is_a_refusal_to_whoever_configured_it(url: str) -> None:
    model = HttpModel(ModelConfig(base_url=url, api_key=Secret("k")), CLOCK)
    assert isinstance(await failure_of(model), ModelRefused)
    await model.close()


async def test_the_deadline_counts_while_headers_are_awaited() -> None:
    async with FakeGlm() as glm:
        glm.script.append(fake.hangs)
        model = HttpModel(settings(glm), CLOCK)
        request = replace(ASK, deadline=CLOCK.monotonic() + 0.1)
        assert type(await failure_of(model, request)) is ModelUnavailable
        assert type(await failure_of(model, request)) is ModelUnavailable
        await model.close()


async def test_an_openai_server_without_a_key_gets_no_glm_fields() -> None:
    async with FakeGlm(check=False) as glm:
        model = HttpModel(ModelConfig(base_url=glm.openai_url, name="llama"), CLOCK)
        assert shown(await read(model, replace(ASK, end_user="abcdef"))) == expected_reply("Hi?")
        await model.close()
    call = glm.calls[0]
    assert "Authorization" not in call.headers
    assert set(call.body) == {
        "model", "messages", "stream", "temperature", "max_tokens", "stream_options", "user",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "thinking", "field"),
    [
        ("glm-4.7", False, {"thinking": {"type": "disabled"}}),
        ("glm-4.7", True, {"thinking": {"type": "enabled"}}),
        ("glm-4.7", None, {}),
        ("glm-5.3", False, {"reasoning_effort": "low"}),
        ("glm-5.3", None, {"reasoning_effort": "low"}),
        ("glm-5.3", True, {"reasoning_effort": "high"}),
        ("glm-4-32b", False, {}),
    ],
)
async def test_thinking_is_asked_for_as_each_model_understands_it(
    name: str, thinking: bool | None, field: dict[str, object]
) -> None:
    async with FakeGlm() as glm:
        model = HttpModel(settings(glm, name=name, thinking=thinking), CLOCK)
        await read(model)
        await model.close()
    body = glm.calls[0].body
    assert {key: body[key] for key in ("thinking", "reasoning_effort") if key in body} == field


@pytest.mark.parametrize("headers", [None, {"Retry-After": "0"}, {"retry-after-ms": "20"}])
async def test_429_is_asked_again(headers: dict[str, str] | None) -> None:
    async with FakeGlm() as glm:
        model = Retrying(HttpModel(settings(glm), CLOCK), CLOCK, random=lambda: 0.0)
        glm.script.append(fake.status(429, headers=headers))
        events = await read(model)
        await model.close()
    assert shown(events) == expected_reply("Hi?")
    assert isinstance(events[-1], ModelDone)
    assert events[-1].attempts == 2


async def test_503_three_times_is_given_up_and_twice_is_not() -> None:
    async with FakeGlm() as glm:
        model = Retrying(HttpModel(settings(glm), CLOCK), CLOCK, random=lambda: 0.0)
        glm.script += [fake.status(503)] * 2
        assert shown(await read(model)) == expected_reply("Hi?")
        glm.script += [fake.status(503)] * 3
        assert type(await failure_of(model)) is ModelUnavailable
        await model.close()
    assert len(glm.calls) == 6


async def test_a_cut_stream_is_asked_again_in_place() -> None:
    async with FakeGlm() as glm:
        model = Retrying(HttpModel(settings(glm), CLOCK), CLOCK, random=lambda: 0.0)
        glm.script.append(raw(sse(frame("Answ"), done=False), end="drop", delay=0.02))
        events = await read(model)
        await model.close()
    assert [type(event) for event in events].count(ModelReset) == 1
    assert shown(events) == expected_reply("Hi?")


async def test_a_provider_never_sees_more_at_once_than_it_bears() -> None:
    """It would refuse the third; nobody is refused, all are served."""
    async with FakeGlm(concurrency=2, default=fake.says("ok", delay=0.01)) as glm:
        model = build_model(Config(models=(settings(glm, concurrency=2),)), CLOCK)
        said = await asyncio.gather(
            *(read(model, replace(ASK, conversation=str(number))) for number in range(12))
        )
        await model.close()
    assert {shown(events) for events in said} == {"ok"}
    assert glm.most_running <= 2


async def test_the_chain_goes_to_the_next_model_and_then_to_the_excerpt() -> None:
    async with FakeGlm() as glm:
        first, second = settings(glm), settings(glm, name="glm-4-32b")
        model = build_model(Config(models=(first, second)), CLOCK)
        request = replace(ASK, passages=(PASSAGE,))
        glm.script.append(fake.refuses("1113"))
        events = await read(model, request)
        assert isinstance(events[-1], ModelDone)
        assert events[-1].model == "glm-4-32b"
        glm.script.append(fake.refuses("1113"))
        events = await read(model, request)
        assert events[-1] == ModelDone(model="excerpt", excerpt=True)
        assert shown(events).endswith("9 to 5")
        assert [health.state for health in model.health()] == ["down", "down", "up"]
        await model.close()
    assert [call.body["model"] for call in glm.calls] == ["glm-4.7-flash", "glm-4-32b", "glm-4-32b"]


async def test_without_a_key_there_is_only_the_excerpt_and_no_http_client() -> None:
    model = build_model(Config(models=(ModelConfig(),)), CLOCK)
    assert model.name == "excerpt"
    assert shown(await read(model, replace(ASK, passages=(PASSAGE,)))).endswith("9 to 5")


async def test_importing_the_model_room_loads_no_http_client() -> None:
    code = "import bot.model, sys; print('aiohttp' in sys.modules, 'tenacity' in sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode().split() == ["False", "False"]


async def test_a_probe_makes_one_real_call_for_one_token() -> None:
    async with FakeGlm() as glm:
        model = build_model(Config(models=(settings(glm),)), CLOCK)
        health = await probe(model, CLOCK)
        assert health.state == "up"
        assert [call.body["max_tokens"] for call in glm.calls] == [1]
        glm.script.append(fake.refuses("1113", message="余额不足"))
        health = await probe(model, CLOCK)
        await model.close()
    assert health.state == "down"
    assert "1113" in health.last_error


async def test_the_standalone_server_answers_what_was_foretold() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.glm", "--port", "0", "--delay", "0.001"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        model = HttpModel(ModelConfig(base_url=url, api_key=Secret(fake.KEY)), CLOCK)
        assert shown(await read(model)) == expected_reply("Hi?")
        await model.close()
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "gpt"}, "1211"), ({"temperature": 1.5}, "1210"), ({"max_tokens": 0}, "1210"),
        ({"stop": ["a", "b"]}, "1210"), ({"messages": []}, "1210"), ({"nonsense": 1}, "1210"),
        ({"user_id": "ab"}, "1210"),
        ({"model": "glm-5.3", "thinking": {"type": "disabled"}}, "1210"),
    ],
)  # fmt: skip
async def test_the_fake_is_as_strict_as_the_real_one(change: dict[str, object], code: str) -> None:
    import aiohttp

    body = {"model": "glm-4.7", "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with FakeGlm() as glm, aiohttp.ClientSession() as session:
        response = await session.post(
            glm.url + "/chat/completions",
            json={**body, **change},
            headers={"Authorization": f"Bearer {fake.KEY}"},
        )
        assert json.loads(await response.text())["error"]["code"] == code


async def test_the_fake_refuses_what_is_over_its_concurrency() -> None:
    async with FakeGlm(concurrency=1, default=fake.says("a", "b", delay=0.05)) as glm:
        model = HttpModel(settings(glm), CLOCK)
        said = await asyncio.gather(read(model), read(model), return_exceptions=True)
        await model.close()
    refused = [one for one in said if isinstance(one, ModelBusy)]
    assert [error.code for error in refused] == ["1302"]
