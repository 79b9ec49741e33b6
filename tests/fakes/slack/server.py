"""The wire of the fake: Web API and upload over HTTP, events signed and retried, Socket Mode."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from adapters.slack.manifest import manifest
from tests.fakes.slack import payloads
from tests.fakes.slack.core import BOT, FORM_ONLY, Call, Refusal, Shown, SlackCore

BOT_TOKEN = "xoxb-fake-token"
APP_TOKEN = "xapp-fake-token"
SIGNING_SECRET = "fake-signing-secret"


@dataclass
class Delivery:
    """One attempt to hand over a payload. `status` 0: no answer, or no acknowledgement."""

    delivery: str
    attempt: int
    status: int


class FakeSlack:
    """Slack on 127.0.0.1. Events go to `target` when it is set, else to an open socket.

    `faults` maps the index of a call, or the name of a method (its next call), to what strikes it:
    `network` (dropped unread), `lost` (done, the answer dropped), `500`, `429`, `garbage`.
    """

    def __init__(
        self, *, tiers: bool = True, retries: tuple[float, ...] = (0.0, 0.05, 0.1)
    ) -> None:
        self.core = SlackCore(time.time, tiers=tiers)
        self.faults: dict[int | str, str] = {}
        self.deliveries: list[Delivery] = []
        self.sent: list[Mapping[str, Any]] = []
        self.target = ""
        self.retries = retries
        self.ack_seconds = 3.0
        self.url = ""
        self.sockets: list[web.WebSocketResponse] = []
        self.connected = asyncio.Event()
        self.accept_sockets = True
        self._tickets: set[str] = set()
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[int]] = set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, port: int = 0) -> None:
        """Listen; `url` is known afterwards."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/respond/{token}", self._respond)
        app.router.add_post("/upload/{name}", self._upload)
        app.router.add_get("/socket/{ticket}", self._socket)
        app.router.add_get("/files-pri/{place}/download/{name}", self._download)
        self.extend(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))

    def extend(self, app: web.Application) -> None:
        """More routes, for the process that stands alone."""

    @property
    def api_root(self) -> str:
        return f"{self.url}/api/"

    async def close(self) -> None:
        """Stop retrying and listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.cut()
        if self._session:
            await self._session.close()
        if self._runner:
            await self._runner.cleanup()

    # --- calls that come in ------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args, is_json = await _arguments(request)
        shown = {key: item for key, item in args.items() if key != "token"}
        call = Call(len(self.core.calls), method, shown, time.time())
        self.core.calls.append(call)
        fault = self.faults.pop(call.index, None) or self.faults.pop(method, None)
        call.outcome = fault or "ok"
        if fault in ("network", "500", "429", "garbage"):
            return self._struck(request, fault)
        try:
            found = self._authorised(request, method, args, is_json)
        except Refusal as refusal:
            call.outcome = refusal.error
            return _refused(refusal)
        if fault == "lost":
            return self._struck(request, "network")
        return web.json_response(found, headers={"x-oauth-scopes": self.core.scopes})

    def _authorised(
        self, request: web.Request, method: str, args: dict[str, Any], is_json: bool
    ) -> dict[str, Any]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != (APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN):
            raise Refusal("invalid_auth")
        if method == "apps.connections.open":
            return {"ok": True, "url": self._ticket()}
        if is_json and method in FORM_ONLY:
            raise Refusal("invalid_arguments")
        found = self.core.do(method, args)
        if "upload_url" in found:
            found["upload_url"] = f"{self.url}/{found['upload_url']}"
        return found

    def _struck(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault == "500":
            return web.Response(status=503, text="<html>upstream", content_type="text/html")
        if fault == "garbage":
            return web.Response(status=200, text="<html>hello", content_type="text/html")
        if fault == "429":
            return _refused(Refusal("ratelimited", retry_after=1))
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _respond(self, request: web.Request) -> web.Response:
        fault = self.faults.pop("response_url", None)
        if fault in ("network", "500", "429", "garbage"):
            return self._struck(request, fault)  # type: ignore[return-value]
        try:
            self.core.respond(request.match_info["token"], await request.json())
        except Refusal as refusal:
            return web.json_response({"ok": False, "error": refusal.error}, status=404)
        return web.Response(text="ok")

    async def _upload(self, request: web.Request) -> web.Response:
        self.core.uploads[request.match_info["name"]] = await request.read()
        return web.Response(text="OK")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """A file's content for who may read it; everybody else is led to the page for signing in.

        Faults: those of a call, and `login`: that page with a 200, as some proxies make of it.
        """
        fault = self.faults.pop("download", None)
        if fault == "login":
            return web.Response(text="<html>Sign in to Desk", content_type="text/html")
        if fault:
            return self._struck(request, fault)
        kept = self.core.files.get(request.match_info["place"].rpartition("-")[2])
        token = request.headers.get("Authorization")
        if kept is None or token != f"Bearer {BOT_TOKEN}" or not self.core.may("files:read"):
            raise web.HTTPFound("https://desk.slack.com/?redir=files-pri")
        return web.Response(body=kept.content, content_type=kept.told["mimetype"])

    # --- Socket Mode -------------------------------------------------------------------------

    def _ticket(self) -> str:
        ticket = f"ticket{next(self._numbers)}"
        self._tickets.add(ticket)
        return f"{self.url.replace('http', 'ws', 1)}/socket/{ticket}"

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ticket = request.match_info["ticket"]
        if ticket not in self._tickets or not self.accept_sockets:
            return web.Response(status=404)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets)})
        self.connected.set()
        try:
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._acknowledged(json.loads(frame.data))
        finally:
            self.sockets.remove(socket)
            if not self.sockets:
                self.connected.clear()
        return socket

    def _acknowledged(self, answer: dict[str, Any]) -> None:
        waiting = self._acks.pop(answer.get("envelope_id", ""), None)
        if waiting and not waiting.done():
            waiting.set_result(answer)

    async def disconnect(self) -> None:
        """Announce that the oldest connection is to be replaced, as Slack does every few hours."""
        await self.sockets[0].send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def cut(self) -> None:
        """Drop all sockets without a word."""
        for socket in list(self.sockets):
            transport = socket._req.transport if socket._req else None
            if transport:
                transport.abort()

    # --- events that go out ------------------------------------------------------------------

    def deliver(self, body: Mapping[str, Any]) -> asyncio.Task[int]:
        """Hand a payload over, with repeats, in the background; the task's result is the status."""
        self.sent.append(body)
        over_http = bool(self.target)
        task = asyncio.create_task(self._hand_over(body) if over_http else self._push(body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settled(self) -> None:
        """Until every payload was taken, or given up."""
        while self._tasks:
            await asyncio.gather(*list(self._tasks))

    async def _hand_over(self, body: Mapping[str, Any]) -> int:
        """Slack's schedule: at once, after a minute, after five; here as `retries` says."""
        status, reason = 0, ""
        for attempt, wait in enumerate((0.0, *self.retries)):
            await asyncio.sleep(wait)
            extra = {}
            if attempt:
                extra = {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": reason}
            status, no_retry = await self.post(body, headers=extra)
            self.deliveries.append(Delivery(_name(body), attempt, status))
            if 200 <= status < 300 or no_retry:
                break
            reason = "http_error" if status else "connection_failed"
        return status

    async def post(
        self,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        secret: str = SIGNING_SECRET,
        at: float | None = None,
    ) -> tuple[int, bool]:
        """One signed request to the target: its status (0: none), and whether it forbids more."""
        text, kind = _wire(body)
        stamp = str(int(time.time() if at is None else at))
        signed = {
            "Content-Type": kind,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": payloads.signature(secret, stamp, text),
            **(headers or {}),
        }
        assert self._session is not None
        try:
            async with self._session.post(self.target, data=text, headers=signed) as answer:
                await answer.read()
                return answer.status, answer.headers.get("x-slack-no-retry") == "1"
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, False

    async def _push(self, body: Mapping[str, Any]) -> int:
        """Over any open socket, again and under the same envelope id until acknowledged."""
        envelope_id = f"envelope{next(self._numbers)}"
        for attempt in range(1 + len(self.retries)):
            await self.connected.wait()
            answer = asyncio.get_running_loop().create_future()
            self._acks[envelope_id] = answer
            try:
                await self.sockets[-1].send_json(_enveloped(body, envelope_id, attempt))
                await asyncio.wait_for(answer, self.ack_seconds)
            except (TimeoutError, ConnectionError, IndexError):
                self.deliveries.append(Delivery(_name(body), attempt, 0))
                await asyncio.sleep(self.retries[min(attempt, len(self.retries) - 1)])
                continue
            self.deliveries.append(Delivery(_name(body), attempt, 200))
            return 200
        return 0

    # --- what people do ----------------------------------------------------------------------

    def say(
        self,
        user: str,
        channel: str,
        text: str,
        *,
        thread: str | None = None,
        order: str = "message mention",
        **more: Any,
    ) -> str:
        """A person writes. A mention in a channel goes out twice, in `order`. The ts."""
        ts = self.core.stamp()
        kind = self.core.channels[channel]
        posted = Shown(channel=channel, ts=ts, user=user, thread=thread, text=text)
        posted.files = list(more.get("files") or ())
        self.core.messages[channel, ts] = posted
        event = payloads.message(channel, kind, user, text, ts, thread_ts=thread, **more)
        if f"<@{BOT}>" not in text or kind == "im":
            order = "message"
        for which in order.split():
            self.deliver(payloads.envelope(event if which == "message" else payloads.twin(event)))
        return ts

    def edit(self, channel: str, ts: str, text: str) -> asyncio.Task[int]:
        """A person changes what they wrote."""
        said = self.core.messages[channel, ts]
        before, said.text = said.as_json(), text
        at = self.core.stamp()
        event = {
            "type": "message",
            "subtype": "message_changed",
            "channel": channel,
            "channel_type": self.core.channels[channel],
            "ts": at,
            "event_ts": at,
            "message": said.as_json(),
            "previous_message": before,
        }
        return self.deliver(payloads.envelope(event))

    def erase(self, channel: str, ts: str) -> asyncio.Task[int]:
        """A person deletes what they wrote."""
        said = self.core.messages[channel, ts]
        said.deleted = True
        at = self.core.stamp()
        event = {
            "type": "message",
            "subtype": "message_deleted",
            "channel": channel,
            "channel_type": self.core.channels[channel],
            "ts": at,
            "event_ts": at,
            "deleted_ts": ts,
            "previous_message": said.as_json(),
        }
        return self.deliver(payloads.envelope(event))

    def stop_session(self, user: str, channel: str, thread: str) -> asyncio.Task[int]:
        """A person presses the Stop button that Slack itself shows while a session processes."""
        assert self.core.sessions[channel, thread][-1] == "processing"
        event = {
            "type": "agent_session_stopped",
            "channel": channel,
            "thread_ts": thread,
            "user": user,
            "streaming_message_ts": self.core.streams.halt(channel, thread),
            "event_ts": self.core.stamp(),
        }
        return self.deliver(payloads.envelope(event))

    def command(self, user: str, channel: str, word: str, text: str = "") -> asyncio.Task[int]:
        """A person types a slash command."""
        url = self._response_url(channel, user)
        return self.deliver(payloads.command(user, channel, word, text, url))

    def press(self, user: str, on: Shown, label: str) -> asyncio.Task[int]:
        """A person presses the button with this label."""
        url = self._response_url(on.channel, user)
        value = on.buttons()[label]
        told, whispered = on.as_json(), on.only_for is not None
        body = payloads.press(user, on.channel, told, value, url, whispered=whispered)
        return self.deliver(body)

    def shortcut(self, user: str, on: Shown, callback: str) -> asyncio.Task[int]:
        """A person uses a message shortcut, one that the manifest announces."""
        if callback not in announced():
            raise AssertionError(f"{callback}: no such shortcut in the manifest")
        url = self._response_url(on.channel, user)
        told, at = self.core.told(on), self.core.stamp()
        return self.deliver(payloads.shortcut(user, on.channel, told, callback, url, at=at))

    def upload(
        self, user: str, channel: str, text: str, name: str, content: bytes, **more: Any
    ) -> str:
        """A person sends a file with words; the ts."""
        file = self.core.keep(name, content, f"{self.url}/files-pri/T0DESK-")
        return self.say(user, channel, text, subtype="file_share", files=[file], **more)

    def _response_url(self, channel: str, user: str) -> str:
        token = f"r{next(self._numbers)}"
        self.core.responses[token] = (time.time(), 0, channel, user)
        return f"{self.url}/respond/{token}"


@cache
def announced() -> frozenset[str]:
    """The callback ids of the shortcuts that our manifest gives the app."""
    return frozenset(one["callback_id"] for one in manifest()["features"]["shortcuts"])


def _name(body: Mapping[str, Any]) -> str:
    return str(body.get("event_id") or body.get("trigger_id"))


def _wire(body: Mapping[str, Any]) -> tuple[str, str]:
    """A payload as it travels over HTTP: events as JSON, the rest as forms."""
    if body.get("type") in ("event_callback", "url_verification"):
        return json.dumps(body), "application/json"
    form = body if "command" in body else {"payload": json.dumps(body)}
    return urlencode(form), "application/x-www-form-urlencoded"


def _enveloped(body: Mapping[str, Any], envelope_id: str, attempt: int) -> dict[str, Any]:
    kind = "events_api"
    if "command" in body:
        kind = "slash_commands"
    elif body.get("type") in ("block_actions", "message_action"):
        kind = "interactive"
    wrapped = {
        "type": kind,
        "envelope_id": envelope_id,
        "payload": dict(body),
        "accepts_response_payload": kind != "events_api",
    }
    if kind == "events_api":
        wrapped |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
    return wrapped


def _refused(refusal: Refusal) -> web.Response:
    body = {"ok": False, "error": refusal.error}
    if refusal.retry_after is None:
        return web.json_response(body)
    return web.json_response(body, status=429, headers={"Retry-After": str(refusal.retry_after)})


async def _arguments(request: web.Request) -> tuple[dict[str, Any], bool]:
    """All arguments of a call, wherever they stand, and whether its body was JSON."""
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        return {**args, **json.loads(await request.text() or "{}")}, True
    return {**args, **{key: str(item) for key, item in (await request.post()).items()}}, False
