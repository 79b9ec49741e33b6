"""Every fault of a streamed reply, over the wire: the exact text, or a named failure.

One row per fault; what a reader would have seen is compared, not just the end.
"""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest

from bot.clock import SystemClock
from bot.config import ModelConfig, Secret
from bot.errors import (
    ContentBlocked,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    ReplyCut,
    ReplyEmpty,
    ReplyRetracted,
    TooLong,
)
from bot.model.client import HttpModel
from bot.model.patience import Patience
from bot.types import ChatRequest, ChatTurn, ModelDone, ModelEvent, ModelText, Reasoning, ToolCall
from tests.fakes import glm as fake
from tests.fakes.glm import FakeGlm, frame, raw, sse

CALM = Patience(trailer=0.1)
"""The real clocks, but for the one that a good reply may have to wait out."""
ASK = ChatRequest(turns=(ChatTurn(role="user", content="你好, how are you?"),))
STOP = frame("", finish="stop")
HI = [frame("Hello, "), frame("world"), STOP]


async def ask(
    glm: FakeGlm, request: ChatRequest = ASK, patience: Patience = CALM, **config: object
) -> tuple[str, list[ModelEvent], ModelError | None]:
    """The visible text, all events, and the failure if there was one."""
    settings = ModelConfig(base_url=glm.url, api_key=Secret(fake.KEY), **config)  # type: ignore[arg-type]
    model = HttpModel(settings, SystemClock(), patience=patience)
    events: list[ModelEvent] = []
    failure: ModelError | None = None
    try:
        async with aclosing(model.stream(request)) as stream:
            async for event in stream:
                events += (event,)
    except ModelError as error:
        failure = error
    finally:
        await model.close()
    return "".join(e.delta for e in events if isinstance(e, ModelText)), events, failure


def data(item: dict[str, object]) -> str:
    return "data: " + json.dumps(item, ensure_ascii=False)


BODY = sse(*HI)
LONG = " ".join(map(str, range(50_000)))
PARTS = [{"type": "text", "text": "b"}]
EMOJI = "笑😀了"
NO_UTF8 = b'data: {"choices": [{"delta": {"content": "caf\xe9"}}]}\n\n'
NESTED = f'{{"odd": {"[" * 9_000 + "]" * 9_000}}}'

WHOLE = {
    "plain": (raw(BODY), "Hello, world"),
    "crlf": (raw(sse(*HI, end="\r\n")), "Hello, world"),
    "crlf split over chunks": (
        raw(*[part + b"\r" for part in sse(*HI, end="\r\n").split(b"\r")][:-1], b"\n", delay=0.002),
        "Hello, world",
    ),
    "cr only": (raw(sse(*HI, end="\r")), "Hello, world"),
    "no space after the colon": (raw(BODY.replace(b"data: ", b"data:")), "Hello, world"),
    "comments": (raw(b": hi\n\n" + BODY.replace(b"\n\n", b"\n: c\n\n: d\n\n")), "Hello, world"),
    "multi-line data": (raw(BODY.replace(b'{"id"', b'{\ndata: "id"')), "Hello, world"),
    "utf-8 split": (
        raw(*[bytes([byte]) for byte in sse(frame(EMOJI), STOP)], delay=0),
        EMOJI,
    ),
    "byte by byte": (raw(*[bytes([byte]) for byte in BODY]), "Hello, world"),
    "300 KB event": (raw(sse(frame("ok"), frame(LONG), STOP)), "ok" + LONG),
    "choices empty": (raw(sse(frame("a"), {"choices": []}, frame("b"), STOP)), "ab"),
    "choices null": (raw(sse(frame("a"), {"choices": None}, frame("b"), STOP)), "ab"),
    "delta null": (
        raw(sse(frame("a"), {"choices": [{"index": 0, "delta": None}]}, frame("b"), STOP)),
        "ab",
    ),
    "content null first": (
        raw(sse({"choices": [{"delta": {"content": None}}]}, frame("b"), STOP)),
        "b",
    ),
    "no done but a finish": (raw(sse(*HI, done=False)), "Hello, world"),
    "done without a finish": (raw(sse(*HI[:2])), "Hello, world"),
    "done without its blank line": (raw(BODY[:-1]), "Hello, world"),
    "done without its line end": (raw(BODY[:-2]), "Hello, world"),
    "id then comment block": (raw(b"id: 4\n: c\n\n" + BODY), "Hello, world"),
    "event ping without data": (raw(b"event: ping\n\n" + BODY), "Hello, world"),
    "event ping with data": (
        raw(b'event: ping\ndata: {"type": "ping"}\n\n' + BODY),
        "Hello, world",
    ),
    "retry block alone": (raw(b"retry: 3000\n\n" + BODY), "Hello, world"),
    "bom": (raw(b"\xef\xbb\xbf" + BODY), "Hello, world"),
    "bom split": (raw(b"\xef", b"\xbb", b"\xbf" + BODY, delay=0.01), "Hello, world"),
    "u+2028": (raw(sse(frame("a\u2028b\x85c"), STOP)), "a\u2028b\x85c"),
    "gzip": (raw(BODY, gzipped=True), "Hello, world"),
    "no content type": (raw(BODY, headers={}), "Hello, world"),
    "charset": (
        raw(BODY, headers={"Content-Type": "text/event-stream; charset=gbk"}),
        "Hello, world",
    ),
    "duplicate finish": (raw(sse(*HI, STOP)), "Hello, world"),
    "usage before finish": (
        raw(sse(frame("a"), {"choices": [], "usage": fake.usage_of("q", "a")}, STOP)),
        "a",
    ),
    "usage of odd types": (
        raw(sse(frame("a"), frame("", finish="stop", usage={"prompt_tokens": "7"}))),
        "a",
    ),
    "content after finish": (raw(sse(frame("a"), STOP, frame("b"))), "ab"),
    "content as parts": (
        raw(
            sse(
                frame("a"),
                {"choices": [{"delta": {"content": [{"type": "text", "text": "b"}]}}]},
                STOP,
            )
        ),
        "ab",
    ),
    "surrogate pair over two frames": (
        raw(sse(frame("a\ud83d"), frame("\ude00b"), STOP, escaped=True)),
        "a😀b",
    ),
    "surrogate pair over two reads": (
        raw(
            sse(frame("a\ud83d"), done=False, escaped=True),
            sse(frame("\ude00b"), STOP, escaped=True),
            delay=0.02,
        ),
        "a😀b",
    ),
    "lone surrogate": (raw(sse(frame("a\ud83d"), frame("b"), STOP, escaped=True)), "a\ufffdb"),
    "nul": (raw(sse(frame("a\0b"), STOP)), "ab"),
    "bytes that are no utf-8": (
        raw(sse(HI[0], done=False) + NO_UTF8 + sse(STOP)),
        "Hello, caf\ufffd",
    ),
    "raw control character": (raw(BODY.replace(b"Hello", b"He\x01llo")), "He\x01llo, world"),
    "error after done": (raw(BODY + sse({"error": {"code": "1305"}})), "Hello, world"),
    "glued whole frames": (
        raw(sse(json.dumps(frame("a")) + "data: " + json.dumps(frame("b")), STOP)),
        "ab",
    ),
    "whole json reply": (
        raw(
            json.dumps(
                {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
            ).encode(),
            headers={"Content-Type": "application/json"},
        ),
        "Hello",
    ),
    "think tags": (raw(sse(frame("<think>let me see</think>\n\n"), frame("Hi"), STOP)), "Hi"),
    "think tags split": (
        raw(
            *[sse(frame(c), done=False) for c in ("<th", "ink>hm", "m</thi", "nk>\n", "\nHi <b")],
            sse(frame("> 1 < 2"), STOP),
            delay=0.005,
        ),
        "Hi <b> 1 < 2",
    ),
    "box marks": (raw(sse(frame("a <|begin_of"), frame("_box|>42<|end_of_box|>"), STOP)), "a 42"),
    "a mark that is none": (raw(sse(frame("a <thi"), STOP)), "a <thi"),
    "hang after finish": (raw(sse(*HI, done=False), end="hang"), "Hello, world"),
    "reset after finish": (raw(sse(*HI, done=False), end="drop"), "Hello, world"),
}


@pytest.mark.parametrize("fault", WHOLE)
async def test_a_whole_reply_gives_its_exact_text(fault: str) -> None:
    behaviour, text = WHOLE[fault]
    async with FakeGlm() as glm:
        glm.script.append(behaviour)
        shown, events, failure = await ask(glm)
    assert (shown, failure) == (text, None)
    done = events[-1]
    assert isinstance(done, ModelDone)
    assert done.finish == "whole"
    assert done.model == "glm-4.7-flash"
    assert sum(isinstance(event, ModelDone) for event in events) == 1


GAP = 0.03
A = sse(frame("Hello, "), done=False)
ERROR = {"error": {"code": "1305", "message": "overloaded"}}

BROKEN: dict[str, tuple[bytes, str, type[ModelError], type[ModelError]]] = {
    # fault: its bytes, the end of the connection, the failure before any text and after text
    "reset": (b"", "drop", ModelUnavailable, ReplyCut),
    "eof without finish": (b"", "eof", ModelUnavailable, ReplyCut),
    "half an event, then eof": (data(frame("x")).encode()[:-9], "eof", ModelUnavailable, ReplyCut),
    "error object": (sse(ERROR), "eof", ModelBusy, ReplyCut),
    "error object, number code": (sse({"error": {"code": 1305}}), "eof", ModelBusy, ReplyCut),
    "error text": (sse({"error": "it broke"}), "eof", ModelUnavailable, ReplyCut),
    "old error object": (sse({"code": 500, "msg": "x"}), "eof", ModelUnavailable, ReplyCut),
    "network_error": (sse(frame(finish="network_error")), "eof", ModelUnavailable, ReplyCut),
    "unknown finish": (sse(frame(finish="gremlins")), "eof", ModelUnavailable, ReplyCut),
    "sensitive": (sse(frame(finish="sensitive")), "eof", ContentBlocked, ReplyRetracted),
    "blocked": (sse({"error": {"code": "1301"}}), "eof", ContentBlocked, ReplyRetracted),
    "not json": (sse("{not json"), "eof", ModelUnavailable, ReplyCut),
    "truncated json": (sse(data(frame("x"))[6:-9]), "eof", ModelUnavailable, ReplyCut),
    "lists in lists": (sse(NESTED), "eof", ModelUnavailable, ReplyCut),
    "lists in lists without end": (sse("[" * 9_000), "eof", ModelUnavailable, ReplyCut),
    "hang": (b"", "hang", ModelUnavailable, ReplyCut),
    "pings for ever": (b"", "drip", ModelUnavailable, ReplyCut),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_reply_is_a_named_failure_before_text(fault: str) -> None:
    body, end, kind, _ = BROKEN[fault]
    async with FakeGlm() as glm:
        glm.script.append(raw(body, end=end))
        silent = end in {"hang", "drip"}
        shown, _, failure = await ask(glm, patience=Patience(first_visible=0.2) if silent else CALM)
    assert shown == ""
    assert type(failure) is kind, failure


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_reply_is_another_failure_after_text(fault: str) -> None:
    body, end, _, kind = BROKEN[fault]
    async with FakeGlm() as glm:
        glm.script.append(raw(A, body, end=end, delay=GAP))
        silent = end in {"hang", "drip"}
        shown, events, failure = await ask(glm, patience=Patience(idle=0.2) if silent else CALM)
    assert shown == "Hello, "
    assert type(failure) is kind, failure
    assert not any(isinstance(event, ModelDone) for event in events)


REFUSED = {
    "200 with a json error": (
        raw(json.dumps(ERROR).encode(), headers={"Content-Type": "application/json"}),
        ModelBusy,
    ),
    "200 json error typed as a stream": (raw(json.dumps(ERROR).encode()), ModelBusy),
    "200 with a json error that is no utf-8": (
        raw(b'{"error": {"code": "1305", "message": "caf\xe9"}}'),
        ModelBusy,
    ),
    "200 json of lists in lists": (raw(NESTED.encode()), ModelUnavailable),
    "502 json of lists in lists": (fake.status(502, NESTED), ModelUnavailable),
    "200 html": (fake.status(200, "<html>login</html>", html=True), ModelUnavailable),
    "405 html": (fake.status(405, "<html>blocked</html>", html=True), ModelUnavailable),
    "502 html": (fake.status(502, "<html>bad gateway</html>", html=True), ModelUnavailable),
    "empty 200": (raw(), ModelUnavailable),
    "empty choices and done": (raw(sse({"choices": []})), ReplyEmpty),
    "only done": (raw(sse()), ReplyEmpty),
    "reasoning only": (raw(sse(frame(reasoning="hmm"), STOP)), ReplyEmpty),
    "reasoning ate the tokens": (
        raw(sse(frame(reasoning="hmm"), frame(finish="length"))),
        ReplyEmpty,
    ),
    "think tag never closed": (raw(sse(frame("<think>hmm"), STOP)), ReplyEmpty),
    "white space only": (raw(sse(frame(" \n"), STOP)), ReplyEmpty),
    "context exceeded before text": (
        raw(sse(frame(finish="model_context_window_exceeded"))),
        TooLong,
    ),
    "text and sensitive at once": (
        raw(sse(frame("bad"), frame(finish="sensitive"))),
        ContentBlocked,
    ),
    "a redirect": (fake.status(302, headers={"Location": "http://127.0.0.1:1/"}), ModelRefused),
    "dropped before headers": (fake.drops, ModelUnavailable),
    "gzip that is none": (
        raw(BODY, headers={"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}),
        ModelUnavailable,
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
async def test_no_reply_is_a_named_failure(fault: str) -> None:
    behaviour, kind = REFUSED[fault]
    async with FakeGlm() as glm:
        glm.script.append(behaviour)
        shown, _, failure = await ask(glm)
    assert shown == ""
    assert type(failure) is kind, failure


@pytest.mark.parametrize("finish", ["length", "model_context_window_exceeded"])
async def test_a_length_limit_is_truncated_not_cut(finish: str) -> None:
    async with FakeGlm() as glm:
        glm.script.append(raw(sse(frame("Hello"), frame(finish=finish))))
        shown, events, failure = await ask(glm)
    assert (shown, failure) == ("Hello", None)
    assert isinstance(events[-1], ModelDone)
    assert events[-1].finish == "truncated"


async def test_a_glued_half_frame_is_salvaged_and_the_reply_flagged() -> None:
    """A frame cut in the middle with the next behind it: what is whole is kept, marked as cut."""
    half = json.dumps(frame("lost"))[:-30] + "data: " + json.dumps(frame("world"))
    async with FakeGlm() as glm:
        glm.script.append(raw(A, sse(half, STOP), delay=GAP))
        shown, events, failure = await ask(glm)
    assert (shown, failure) == ("Hello, world", None)
    assert isinstance(events[-1], ModelDone)
    assert events[-1].finish == "cut"


async def test_a_glued_half_frame_before_text_is_asked_anew() -> None:
    half = json.dumps(frame("lost"))[:-30] + "data: " + json.dumps(frame("world"))
    async with FakeGlm() as glm:
        glm.script.append(raw(sse(half, STOP)))
        shown, _, failure = await ask(glm)
    assert shown == ""
    assert type(failure) is ModelUnavailable


async def test_reasoning_is_counted_and_never_shown() -> None:
    async with FakeGlm() as glm:
        glm.script.append(raw(sse(frame(reasoning="abc"), frame("<think>de</think>Hi"), STOP)))
        shown, events, failure = await ask(glm)
    assert (shown, failure) == ("Hi", None)
    assert sum(event.size for event in events if isinstance(event, Reasoning)) == 5


async def test_tool_calls_are_joined_from_their_pieces() -> None:
    """The id and the name stand in the first piece only."""
    first = {"index": 0, "id": "c1", "function": {"name": "find", "arguments": '{"a"'}}
    second = {"index": 0, "function": {"arguments": ": 1}"}}
    body = sse(frame(tool_calls=[first]), frame(tool_calls=[second]), frame(finish="tool_calls"))
    async with FakeGlm() as glm:
        glm.script.append(raw(body))
        _, events, failure = await ask(glm)
    assert failure is None
    assert events[0] == ToolCall(id="c1", name="find", arguments='{"a": 1}')


async def test_a_model_that_repeats_itself_is_stopped_and_the_text_kept() -> None:
    """The connection is closed: nobody pays for the rest."""
    async with FakeGlm() as glm:
        glm.script.append(fake.says(*(["我不知道。"] * 2000), delay=0.0005))
        shown, events, failure = await ask(glm)
        await glm.calls[0].done.wait()
    assert failure is None
    assert isinstance(events[-1], ModelDone)
    assert events[-1].finish == "cut"
    assert 480 <= len(shown) < 5000
    assert glm.calls[0].cancelled


async def test_headers_that_never_come_end_at_the_first_byte_clock() -> None:
    """And the provider sees the connection closed."""
    async with FakeGlm() as glm:
        glm.script.append(fake.hangs)
        shown, _, failure = await ask(glm, patience=Patience(first_byte=0.15))
        await glm.calls[0].done.wait()
    assert shown == ""
    assert type(failure) is ModelUnavailable
    assert failure.code == "slow"
    assert glm.calls[0].cancelled
