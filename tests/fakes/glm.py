"""A strict GLM v4 (and OpenAI-compatible) server on 127.0.0.1, with a script of behaviours.

What the real one refuses, this one refuses, with its business codes. In a test: `async with
FakeGlm() as glm`, then `glm.script.append(...)`; an empty script means `glm.default`. As a
process: `python -m tests.fakes.glm --port 0` prints its base URL and answers `expected_reply`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

KEY = "fakeid0123456789.fakesecret456789"
MODELS = frozenset({"glm-4.7-flash", "glm-4.7", "glm-5.2", "glm-5.3", "glm-5.3-flash", "glm-4-32b"})
FIELDS = frozenset(
    (
        *("model", "messages", "stream", "temperature", "top_p", "do_sample", "max_tokens"),
        *("seed", "stop", "tools", "tool_choice", "tool_stream", "response_format", "thinking"),
        *("reasoning_effort", "request_id", "user_id", "meta", "sensitive_word_check"),
        *("watermark_enabled", "stream_options", "user"),
    )
)
STATUS = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), 401),
    **dict.fromkeys(("1110", "1111", "1112", "1121", "1113"), 429),
    **dict.fromkeys(("1302", "1303", "1304", "1305", "1308", "1309", "1310", "1312", "1313"), 429),
    **dict.fromkeys(("500", "1120", "1230", "1234"), 500),
    "1220": 434,
}
"""The HTTP status around a business code; 400 where none is named."""


@dataclass
class Call:
    """A request as it arrived, and how it ended."""

    headers: dict[str, str]
    body: dict[str, Any]
    connection: int
    status: int = 200
    cancelled: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)


Behaviour = Callable[["FakeGlm", web.Request, Call], Awaitable[web.StreamResponse]]


# --- frames ------------------------------------------------------------------------------------


def frame(
    content: str | None = None,
    *,
    finish: str | None = None,
    reasoning: str | None = None,
    usage: dict[str, Any] | None = None,
    **delta: Any,
) -> dict[str, Any]:
    """One chunk as GLM writes it."""
    delta = {"role": "assistant", **delta}
    if content is not None:
        delta["content"] = content
    if reasoning is not None:
        delta["reasoning_content"] = reasoning
    choice: dict[str, Any] = {"index": 0, "delta": delta}
    if finish is not None:
        choice["finish_reason"] = finish
    found: dict[str, Any] = {
        "id": "r1",
        "created": 1,
        "model": "glm-4.7-flash",
        "choices": [choice],
    }
    if usage is not None:
        found["usage"] = usage
    return found


def sse(
    *frames: dict[str, Any] | str, done: bool = True, end: str = "\n", escaped: bool = False
) -> bytes:
    """Frames as a stream's bytes; a string stands for itself, as data."""
    lines = [
        item if isinstance(item, str) else json.dumps(item, ensure_ascii=escaped) for item in frames
    ]
    if done:
        lines.append("[DONE]")
    return "".join(f"data: {line}{end}{end}" for line in lines).encode("utf-8", "surrogatepass")


def usage_of(prompt: str, reply: str) -> dict[str, Any]:
    """A plausible bill."""
    asked, said = max(1, len(prompt) // 2), max(1, len(reply) // 2)
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": asked // 3},
    }


def pieces(text: str, count: int) -> list[str]:
    """The text in about `count` equal pieces."""
    size = max(1, -(-len(text) // count))
    return [text[at : at + size] for at in range(0, len(text), size)]


def expected_reply(question: str) -> str:
    """What the standalone server answers to this last user message: one text, one question."""
    digest = hashlib.sha256(question.encode()).hexdigest()[:8]
    words = " ".join(question.split())[-160:]
    return (
        f"Answer {digest}. You asked: {words} — here is what I can say about it. "
        f"First, the matter is known to us. 其次，我们会尽快处理。 "
        f"Then, nothing more is needed from you for now. End of answer {digest}."
    )


def question_of(body: dict[str, Any]) -> str:
    """The last user message."""
    return str(next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user"))


# --- behaviours ---------------------------------------------------------------------------------


def says(*chunks: str, delay: float = 0.0, finish: str = "stop", **first: Any) -> Behaviour:
    """A normal reply: these chunks, `delay` seconds apart, then finish, usage and [DONE]."""

    async def behave(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
        response = await opened(request)
        usage = usage_of(json.dumps(call.body["messages"]), "".join(chunks))
        frames = [frame(chunk) for chunk in chunks] + [frame("", finish=finish, usage=usage)]
        for item in frames:
            await response.write(sse(item, done=False))
            if delay:
                await asyncio.sleep(delay)
        await response.write(b"data: [DONE]\n\n")
        return response

    return behave


def computed(reply: Callable[[str], str], *, chunks: int = 20, delay: float = 0.0) -> Behaviour:
    """A normal reply made from the last user message."""

    async def behave(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
        text = reply(question_of(call.body))
        return await says(*pieces(text, chunks), delay=delay)(glm, request, call)

    return behave


def refuses(
    code: str,
    *,
    status: int | None = None,
    message: str = "no",
    headers: dict[str, str] | None = None,
) -> Behaviour:
    """GLM's error envelope around a business code."""

    async def behave(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
        return refusal(code, message, status=status, headers=headers)

    return behave


def status(
    number: int, text: str = "", *, headers: dict[str, str] | None = None, html: bool = False
) -> Behaviour:
    """A bare HTTP status with a text or a page."""

    async def behave(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
        kind = "text/html" if html else "text/plain"
        return web.Response(status=number, text=text, content_type=kind, headers=headers)

    return behave


def raw(
    *parts: bytes,
    delay: float = 0.0,
    end: str = "eof",
    headers: dict[str, str] | None = None,
    gzipped: bool = False,
) -> Behaviour:
    """These bytes, part by part. `end`: eof, drop (the connection is reset), hang, or drip
    (bytes for ever that are no event).
    """

    async def behave(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
        sent = headers if headers is not None else {"Content-Type": "text/event-stream"}
        sent = {**sent, "Content-Encoding": "gzip"} if gzipped else sent
        response = await opened(request, sent)
        for part in [gzip.compress(b"".join(parts))] if gzipped else parts:
            await response.write(part)
            await asyncio.sleep(delay)
        if end == "drop":
            await asyncio.sleep(0.01)
            assert request.transport
            request.transport.abort()
        while end in {"hang", "drip"}:
            await asyncio.sleep(0.02)
            await response.write(b": ping\n\n" if end == "drip" else b"")
            glm.touch(request)
        return response

    return behave


async def drops(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
    """The connection is reset before a byte of the answer."""
    assert request.transport
    request.transport.abort()
    return web.Response()


async def hangs(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
    """Not even headers come."""
    while True:
        await asyncio.sleep(0.02)
        glm.touch(request)


async def opened(request: web.Request, headers: dict[str, str] | None = None) -> web.StreamResponse:
    """A streamed 200."""
    response = web.StreamResponse(
        headers=headers if headers is not None else {"Content-Type": "text/event-stream"}
    )
    await response.prepare(request)
    return response


def refusal(
    code: str, message: str, *, status: int | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response(
        {"error": {"code": code, "message": message}},
        status=status or STATUS.get(code, 400),
        headers=headers,
    )


# --- the server ---------------------------------------------------------------------------------


class FakeGlm:
    """The server. `concurrency` calls at once are served; the next gets 1302."""

    def __init__(
        self,
        *,
        default: Behaviour | None = None,
        key: str = KEY,
        concurrency: int = 1000,
        port: int = 0,
        check: bool = True,
    ) -> None:
        self.default = default or computed(expected_reply)
        self.script: deque[Behaviour] = deque()
        self.calls: list[Call] = []
        self.running = 0
        self.most_running = 0
        self.concurrency = concurrency
        self._key = key
        self._port = port
        self._check = check
        self._runner: web.AppRunner | None = None
        self._connections: dict[int, int] = {}

    @property
    def url(self) -> str:
        """The base URL of the GLM dialect."""
        return f"http://127.0.0.1:{self._port}/api/paas/v4"

    @property
    def openai_url(self) -> str:
        """The same service under a plain OpenAI-compatible address."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def connections(self) -> int:
        """How many connections calls came over."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/paas/v4/chat/completions", self._serve)
        app.router.add_post("/v1/chat/completions", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner
        await self._runner.cleanup()

    def touch(self, request: web.Request) -> None:
        """Give up when the client has gone: a hanging behaviour would not notice by itself."""
        if request.transport is None or request.transport.is_closing():
            raise asyncio.CancelledError

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        number = self._connections.setdefault(id(request.transport), len(self._connections))
        try:
            body = await request.json()
        except ValueError:
            body = None
        call = Call(headers=dict(request.headers), body=body, connection=number)
        self.calls.append(call)
        if self._check and (complaint := self._complaint(request, body)):
            call.status = complaint.status
            call.done.set()
            return complaint
        return await self._behave(request, call)

    async def _behave(self, request: web.Request, call: Call) -> web.StreamResponse:
        if self.running >= self.concurrency:
            call.status = 429
            call.done.set()
            return refusal("1302", "您当前使用该API的并发数过高")
        behave = self.script.popleft() if self.script else self.default
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            response = await behave(self, request, call)
            call.status = response.status
        except (asyncio.CancelledError, ConnectionError):
            call.cancelled = True
            raise
        else:
            return response
        finally:
            self.running -= 1
            call.done.set()

    # --- what the real one refuses --------------------------------------------------------------

    def _complaint(self, request: web.Request, body: Any) -> web.Response | None:
        if code := self._unwelcome(request.headers.get("Authorization", "")):
            return refusal(code, "身份验证失败")
        if not isinstance(body, dict) or set(body) - FIELDS:
            return refusal("1210", f"unknown fields: {sorted(set(body or ()) - FIELDS)}")
        if body.get("model") not in MODELS:
            return refusal("1211", "模型不存在")
        if wrong := _wrong_field(body, glm=request.path.startswith("/api/paas")):
            return refusal("1210", f"API 调用参数有误: {wrong}")
        return None

    def _unwelcome(self, header: str) -> str:
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            return "1001"
        if token == self._key:
            return ""
        return _token_fault(token, self._key)


def _token_fault(token: str, key: str) -> str:
    """The code for a signed token that is not in order; "" for a good one."""
    key_id, _, secret = key.partition(".")
    try:
        head, payload, signature = token.split(".")
        claims = json.loads(_decoded(payload))
        header = json.loads(_decoded(head))
        given = _decoded(signature)
    except ValueError:
        return "1000"
    digest = hmac.new(secret.encode(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
    if given != digest or header != {"alg": "HS256", "sign_type": "SIGN"}:
        return "1002"
    if claims["api_key"] != key_id:
        return "1002"
    now = time.time() * 1000
    if not (claims["timestamp"] - 60_000 <= now <= claims["exp"]):
        return "1003"
    return ""


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _wrong_field(body: dict[str, Any], *, glm: bool) -> str:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages"
    for message in messages:
        if message.get("role") not in {"system", "user", "assistant", "tool"}:
            return "messages.role"
        if not isinstance(message.get("content"), str) or not message["content"]:
            return "messages.content"
    limits = {"temperature": (0, 1), "top_p": (0, 1), "max_tokens": (1, 131_072)}
    for name, (low, high) in limits.items():
        if name in body and not low <= body[name] <= high:
            return name
    if len(body.get("stop") or ()) > 1:
        return "stop"
    if glm and "user_id" in body and not 6 <= len(body["user_id"]) <= 128:
        return "user_id"
    if body["model"].startswith("glm-5.3") and "thinking" in body:
        return "thinking" if body["thinking"].get("type") == "disabled" else ""
    return "" if body.get("stream") is True else "stream"


async def serve(port: int, chunks: int, delay: float, concurrency: int) -> None:
    """Run until killed; the first line printed is the base URL."""
    default = computed(expected_reply, chunks=chunks, delay=delay)
    async with FakeGlm(default=default, port=port, concurrency=concurrency) as glm:
        print(glm.url, flush=True)
        await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """The standalone server; its key is `KEY`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--delay", type=float, default=0.02)
    parser.add_argument("--concurrency", type=int, default=1000)
    options = parser.parse_args(arguments)
    asyncio.run(serve(options.port, options.chunks, options.delay, options.concurrency))


if __name__ == "__main__":
    main()
