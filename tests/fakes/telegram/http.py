"""The fake's first front: an HTTP server on 127.0.0.1, with a control API for other processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.hook import delivering
from tests.fakes.telegram.world import Chat

FAKE: web.AppKey[FakeTelegram] = web.AppKey("fake", FakeTelegram)


@asynccontextmanager
async def serve(fake: FakeTelegram, port: int = 0) -> AsyncIterator[str]:
    """Listen; yields the root URL, to be given as TELEGRAM_API_ROOT."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[FAKE] = fake
    app.router.add_route("*", "/bot{token}/{method}", _method)
    app.router.add_get("/file/bot{token}/documents/{name}", _file)
    app.router.add_post("/control/{what}", _control)
    app.router.add_get("/control/{what}", _control)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        async with delivering(fake):
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _method(request: web.Request) -> web.StreamResponse:
    fake = request.app[FAKE]
    answer = await fake.call(
        request.match_info["token"], request.match_info["method"], await _parameters(request)
    )
    if answer.lost:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    return web.Response(status=answer.status, body=answer.payload, content_type="application/json")


async def _parameters(request: web.Request) -> dict[str, Any]:
    found: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        body: dict[str, Any] = await request.json()
        return found | body
    for name, field in (await request.post()).items():
        if isinstance(field, web.FileField):
            found[name] = (field.filename, field.file.read())
        else:
            found[name] = field
    # A form names each file part freely and refers to it as attach://<part>.
    for name, field in list(found.items()):
        if isinstance(field, str) and field.startswith("attach://"):
            found[name] = found.pop(field.removeprefix("attach://"))
    return found


async def _file(request: web.Request) -> web.Response:
    content = request.app[FAKE].files.get(request.match_info["name"])
    return web.Response(body=content) if content is not None else web.Response(status=404)


async def _control(request: web.Request) -> web.Response:
    """/control/state, transcript, say, press, edit, chances: see the module's `CONTROLS`."""
    control = CONTROLS.get(request.match_info["what"])
    if control is None:
        return web.json_response({"error": f"one of {sorted(CONTROLS)}"}, status=404)
    asked = await request.json() if request.can_read_body else {}
    return web.json_response(control(request.app[FAKE], asked))


def _chat(fake: FakeTelegram, asked: dict[str, Any]) -> Chat:
    number = int(asked["chat"])
    if number > 0:
        return fake.private(number, asked.get("name", "Ada"), asked.get("language", "en"))
    return fake.group(number, topics=tuple(asked.get("topics", ())))


def _user(fake: FakeTelegram, asked: dict[str, Any]) -> dict[str, Any] | None:
    return fake.person(int(asked["user"]), asked.get("name", "Ada")) if "user" in asked else None


def _say(fake: FakeTelegram, asked: dict[str, Any]) -> Any:
    """{chat, text, user?, thread?, reply_to?, topics?, language?} -> {message_id}."""
    said = fake.say(
        _chat(fake, asked),
        asked["text"],
        user=_user(fake, asked),
        thread=asked.get("thread"),
        reply_to=asked.get("reply_to"),
    )
    return {"message_id": said}


def _press(fake: FakeTelegram, asked: dict[str, Any]) -> Any:
    """{chat, message_id, label, user?} -> {press}."""
    chat = _chat(fake, asked)
    return {"press": fake.press(chat, asked["message_id"], asked["label"], _user(fake, asked))}


def _edit(fake: FakeTelegram, asked: dict[str, Any]) -> Any:
    """{chat, message_id, text}."""
    fake.edit_said(_chat(fake, asked), asked["message_id"], asked["text"])
    return {}


def _chances(fake: FakeTelegram, asked: dict[str, Any]) -> Any:
    """{refuse?, lose?, duplicate?}: chances per call from now on."""
    for name in ("refuse", "lose", "duplicate"):
        setattr(fake, name, float(asked.get(name, getattr(fake, name))))
    return {"refuse": fake.refuse, "lose": fake.lose, "duplicate": fake.duplicate}


def _state(fake: FakeTelegram, asked: dict[str, Any]) -> Any:
    flood = fake.flood
    return {
        "waiting": len(fake.queue),
        "confirmed": fake.confirmed,
        "calls": len(fake.calls),
        "polls": fake.polls,
        "refusals": flood.refusals if flood else 0,
        "ignored": flood.ignored if flood else 0,
        "violations": fake.violations,
    }


def _transcript(fake: FakeTelegram, asked: dict[str, Any]) -> Any:
    return fake.transcript()


CONTROLS: dict[str, Callable[[FakeTelegram, dict[str, Any]], Any]] = {
    "say": _say,
    "press": _press,
    "edit": _edit,
    "chances": _chances,
    "state": _state,
    "transcript": _transcript,
}
