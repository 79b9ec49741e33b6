"""Slack as a platform: posts, edits and reads back; takes events by socket or over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import aiohttp

from adapters.slack.calls import PATIENCE, TIMEOUT, Calls
from adapters.slack.events import Events, Party, bolt_app, nobody
from adapters.slack.failures import StillStreaming
from adapters.slack.files import Files
from adapters.slack.growing import Growing
from adapters.slack.native import Native
from adapters.slack.normalise import Me, Words, position, whispered_to
from adapters.slack.rates import POST, UPDATE
from adapters.slack.render import TEXT_MAX, blocks, measure, summary
from adapters.slack.sessions import Sessions, Status
from adapters.slack.socket import Socket
from bot.clock import Clock
from bot.config import SlackConfig
from bot.errors import (
    ConfigError,
    MessageGone,
    PlatformBusy,
    PlatformError,
    PlatformUnavailable,
    StorageError,
)
from bot.ports import HttpReply, HttpRoute, Intake, Sink
from bot.types import Attachment, Frame, Guard, Limits, MessageRef, Place, RichText, Signal, value

if TYPE_CHECKING:
    from slack_bolt.app.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

EVENTS_PATH = "/slack/events"
EVENT_TYPE = "frontdesk_reply"
READ_BACK_SECONDS = 3600
START_WAIT_MAX = 30.0
RESPONSES = 1_000
"""Response URLs kept at hand for the later parts of an answer."""

# A burst: less than an eye sees, and more than its bytes take to be read.
_PRIVATE = Limits(
    text_max=TEXT_MAX, measure=measure, spans_max=300, interval=1.2, burst_seconds=0.005
)
_SHARED = replace(_PRIVATE, interval=3.0)
_STREAMED = Limits(
    text_max=TEXT_MAX, measure=measure, spans_max=300, interval=0.7, growth=1.1, interval_max=3.0
)
"""One answer alone may append every 0.6 s (100 a minute); several share that as `ready` tells."""
_STREAMED_SHARED = Limits(
    text_max=TEXT_MAX, measure=measure, spans_max=300, interval=1.5, growth=1.5, interval_max=8.0
)
"""In a channel: a long answer of three messages takes 15 calls at most, a workspace shares them."""
_WHISPER = Limits(text_max=TEXT_MAX, measure=measure, spans_max=300, edits=False, placeholder=False)

log = logging.getLogger("frontdesk.slack")


@value
class Identity:
    """What auth.test says: who we are, as ids and as names, and what we were granted."""

    me: Me
    team: str
    name: str
    scopes: frozenset[str]


class SlackAdapter:
    """One app in one workspace. `account` is the team id, known once `start` has returned.

    `party` tells who the desk is in exchange with in a thread; `words` are commands that may be
    said without a slash; `context`: messages in our threads that are not directed at us go to the
    sink as well; `groups` are ids of user groups whose members are told apart. Fulfils Adapter,
    Deletes, TakesFiles, FetchesFiles, FindsPosts and HasRoutes.
    """

    platform = "slack"

    def __init__(
        self,
        config: SlackConfig,
        clock: Clock,
        *,
        random: random.Random,
        party: Party = nobody,
        words: Words | None = None,
        context: bool = False,
        groups: Collection[str] = (),
        ping_seconds: float = 5.0,
    ) -> None:
        if not config.bot_token:
            raise ConfigError("SLACK_BOT_TOKEN: expected a token that begins with xoxb-")
        self.account = ""
        self.mode = _mode(config)
        self._config = config
        self._clock = clock
        self._random = random
        self._party = party
        self._words = words or {}
        self._context = context
        self._groups = frozenset(groups)
        self._ping_seconds = ping_seconds
        self._starting = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None
        self._calls: Calls | None = None
        self._events: Events | None = None
        self._sessions: Sessions | None = None
        self._native: Native | None = None
        self._app: AsyncApp | None = None
        self._responses: dict[str, str] = {}
        self._growing = Growing(clock)

    @property
    def throttled(self) -> int:
        """How many calls Slack has refused as too fast."""
        return self._calls.throttled if self._calls else 0

    def limits(self, place: Place) -> Limits:
        if whispered_to(place):
            return _WHISPER
        if self._native is not None and self._native.able(place):
            return _STREAMED if place.private else _STREAMED_SHARED
        return _PRIVATE if place.private else _SHARED

    def ready(self, place: Place, *, final: bool) -> float:
        if self._calls is None or whispered_to(place):
            return self._clock.monotonic()
        method = self._native.pacing(place) if self._native else UPDATE
        return self._calls.ready(place.channel, final=final, method=method)

    # --- beginning and end ---------------------------------------------------------------------

    async def start(self) -> None:
        """Learn who we are; returns at once when known. Retries while Slack cannot be reached.

        Raises PlatformLocked when the token is refused.
        """
        async with self._starting:
            wait = 1.0
            while self._app is None:
                try:
                    self._known(await self.identity())
                except (PlatformUnavailable, PlatformBusy) as error:
                    log.warning("Slack cannot be reached: %s", error)
                    await self._clock.sleep(max(error.retry_after or 0.0, wait))
                    wait = min(wait * 2, START_WAIT_MAX)

    async def identity(self) -> Identity:
        """Ask Slack who we are, once. Raises PlatformError."""
        answer = await self._open().call("auth.test", {})
        granted = answer["scopes"].replace(" ", "").split(",")
        return Identity(
            me=Me(account=answer["team_id"], user=answer["user_id"], bot=answer.get("bot_id", "")),
            team=answer.get("team", ""),
            name=answer.get("user", ""),
            scopes=frozenset(filter(None, granted)),
        )

    def _known(self, identity: Identity) -> None:
        """From here on events can be taken and calls made."""
        calls, me = self._open(), identity.me
        assert self._client is not None
        self.account = calls.account = me.account
        self._events = Events(
            me,
            calls,
            self._clock,
            party=self._party,
            words=self._words,
            context=self._context,
            growing=self._growing,
            groups=self._groups,
        )
        self._sessions = Sessions(calls, self._clock)
        self._native = Native(calls, self._clock, self._config.streaming, self._halted)
        secret = self._config.signing_secret.reveal()
        self._app = bolt_app(self._events, me, self._client, secret)

    def _open(self) -> Calls:
        """The shared session and the client on it; the SDK alone opens one per call."""
        from slack_sdk.web.async_client import AsyncWebClient

        if self._calls is None:
            # With trust_env aiohttp asks a thread for the proxy at every request: 0.3 ms CPU each.
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=bool(getproxies()))
            quiet = logging.getLogger("frontdesk.slack.sdk")
            quiet.setLevel(logging.ERROR)
            self._client = AsyncWebClient(
                token=self._config.bot_token.reveal(),
                base_url=self._config.api_root,
                session=self._session,
                retry_handlers=[],
                logger=quiet,
            )
            self._calls = Calls(self._client, self._clock, self._random)
        return self._calls

    async def run(self, sink: Sink) -> None:
        await self.start()
        assert self._events is not None
        self._events.sink = self._noting(sink)
        try:
            if self.mode == "http":
                await asyncio.Event().wait()
            assert self._app is not None
            socket = Socket(self._app, self._open(), self._clock, self._ping_seconds)
            while True:
                await socket.listen(self._config.app_token)
        finally:
            self._events.sink = None

    def _noting(self, sink: Sink) -> Sink:
        """The same sink; on the way there we learn who asks where."""

        async def noted(intakes: Sequence[Intake]) -> None:
            for intake in intakes:
                self.notice(intake)
            await sink(intakes)

        return noted

    def notice(self, intake: Intake) -> None:
        """Remember for whom an answer to this would be streamed."""
        said = intake.message
        if self._native is not None and said is not None and said.directed:
            self._native.asked(said.place, said.sender.user)

    async def _halted(self, ref: MessageRef) -> bool:
        """A person stopped this stream: the same signal as that of a Stop button."""
        sink = self._events.sink if self._events else None
        if sink is None:
            return False
        here, channel = ref.place.conversation, ref.place.channel
        signal = Signal(kind="stop", conversation=here, position=position(ref.id))
        raw = json.dumps({"type": "stopped_by_user", "channel": channel, "ts": ref.id})
        delivery = f"slack:{self.account}:stopped:{channel}:{ref.id}"
        try:
            await sink([Intake(raw=raw, delivery=delivery, signal=signal)])
        except StorageError:
            return False
        return True

    def routes(self) -> Sequence[HttpRoute]:
        if self.mode != "http":
            return ()
        return (HttpRoute(method="POST", path=EVENTS_PATH, handler=self.handle_http),)

    async def handle_http(self, body: bytes, headers: Mapping[str, str]) -> HttpReply:
        """Answer one request of Slack's; the caller bounds its size.

        200 only when what it carried is stored. Without a signing secret nothing is accepted: an
        empty key is one that everybody knows.
        """
        from slack_bolt.request.async_request import AsyncBoltRequest

        if not self._config.signing_secret:
            return HttpReply(status=404)
        if self._app is None:
            return HttpReply(status=503)
        try:
            request = AsyncBoltRequest(body=body.decode(), headers=dict(headers))
        except ValueError:  # no UTF-8, or no JSON where JSON was announced
            return HttpReply(status=400)
        answer = await self._app.async_dispatch(request)
        told = dict(answer.first_headers_without_set_cookie())
        return HttpReply(status=answer.status, body=answer.body.encode(), headers=told)

    async def close(self) -> None:
        if self._sessions is not None:
            await self._sessions.close()
        if self._events is not None:
            await self._events.close()
        if self._session is not None:
            await self._session.close()

    # --- going out -----------------------------------------------------------------------------

    async def send(
        self,
        place: Place,
        frame: Frame,
        *,
        guard: Guard,
        reply_to: str | None = None,
        mark: str = "",
    ) -> MessageRef:
        """Post, or begin a stream where the message is to grow. `mark` is what `find` looks for;
        without one, a post of unknown outcome is still read back here, by a mark of its own. At a
        whisper, `reply_to` is the response URL.
        """
        if user := whispered_to(place):
            return await self._whisper(place, user, frame, guard, reply_to)
        self._growing.note(place, frame)
        if frame.grows and (streamed := await self._streamed(place, guard)):
            return streamed
        mark = mark or f"{self._random.getrandbits(96):024x}"
        post = {
            "channel": place.channel,
            "thread_ts": place.thread,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"mark": mark}},
            **_shown(frame),
        }
        try:
            answer = await self._ask(POST, post, guard=guard, repeats=False)
        except PlatformUnavailable as error:
            found = await self._read_back(place, mark) if error.sent else None
            if found is None:
                raise
            return found
        if not frame.final:
            self._status(place, "processing")
        return MessageRef(place=place, id=answer["ts"])

    async def edit(self, ref: MessageRef, frame: Frame, *, guard: Guard) -> bool:
        if whispered_to(ref.place):
            await self._respond(ref, guard, replace_original=True, **_shown(frame))
            return True
        self._growing.note(ref.place, frame)
        streamed = await self._native.show(ref, frame, guard) if self._native else None
        if streamed is not None:
            return streamed  # a stream begins and ends its thread's session by itself
        await self._change(UPDATE, ref, guard, final=frame.final, **_shown(frame))
        self._status(ref.place, "active" if frame.final else "processing")
        return True

    async def _streamed(self, place: Place, guard: Guard) -> MessageRef | None:
        """A stream of Slack's own, which shows by itself that we are at work."""
        await self._at_work()
        assert self._native is not None
        return await self._native.start(place, guard)

    async def _change(
        self, method: str, ref: MessageRef, guard: Guard, *, final: bool = True, **more: Any
    ) -> None:
        """Change or delete a message; one that is a stream yet, an earlier process's perhaps, is
        ended before that.
        """
        args = {"channel": ref.place.channel, "ts": ref.id, **more}
        try:
            await self._ask(method, args, guard=guard, final=final)
        except StillStreaming:
            assert self._native is not None
            await self._native.end(ref, guard)
            await self._ask(method, args, guard=guard, final=final)

    def _status(self, place: Place, status: Status) -> None:
        """What Slack itself shows about the thread; after a crash, too, an end is told."""
        if self._sessions is not None:
            self._sessions.show(place, status)

    async def delete(self, ref: MessageRef, *, guard: Guard) -> None:
        try:
            if whispered_to(ref.place):
                await self._respond(ref, guard, delete_original=True)
            else:
                self._growing.forget(ref.place)
                await self._change("chat.delete", ref, guard)
                if self._native is not None:
                    self._native.forget(ref)
                self._status(ref.place, "active")
        except MessageGone:
            pass

    async def find(self, place: Place, mark: str) -> MessageRef | None:
        """Look through what was posted there within the last hour."""
        asked = {
            "channel": place.channel,
            "oldest": f"{self._clock.now() / 1000 - READ_BACK_SECONDS:.6f}",
            "include_all_metadata": "true",
            "limit": 200,
        }
        method = "conversations.history"
        if place.thread:
            method, asked["ts"] = "conversations.replies", place.thread
        answer = await self._ask(method, asked)
        for message in answer["messages"]:
            metadata = message.get("metadata") or {}
            if (metadata.get("event_payload") or {}).get("mark") == mark:
                return MessageRef(place=place, id=message["ts"])
        return None

    async def send_file(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        """Upload and share; for one person's eyes it goes to their direct messages.

        Slack shares a file some time after it was taken: the ref names the file, not a message.
        """
        asked = {"filename": name, "length": len(content)}
        channel, thread = place.channel, place.thread
        if user := whispered_to(place):
            opened = await self._ask("conversations.open", {"users": user}, guard=guard)
            channel, thread = opened["channel"]["id"], None
        calls = await self._at_work()
        upload = await calls.form("files.getUploadURLExternal", asked)
        url = upload["upload_url"]
        await calls.post(url, guard=guard, repeats=True, name="files.upload", data=content)
        share = {
            "files": [{"id": upload["file_id"], "title": name}],
            "channel_id": channel,
            "thread_ts": thread,
            "initial_comment": summary(RichText(text=caption)) if caption else None,
        }
        await self._ask("files.completeUploadExternal", share, guard=guard, repeats=False)
        return MessageRef(place=place, id=upload["file_id"])

    async def fetch(self, attachment: Attachment, *, most: int) -> bytes:
        calls = await self._at_work()
        assert self._events is not None
        return await Files(calls, self._events, self._config).fetch(attachment, most=most)

    async def _whisper(
        self, place: Place, user: str, frame: Frame, guard: Guard, url: str | None
    ) -> MessageRef:
        """Say it to one person: by the response URL, or, when that is spent, an ephemeral post."""
        if url:
            if len(self._responses) >= RESPONSES:
                self._responses.clear()
            self._responses[place.conversation] = url
        if url := self._responses.get(place.conversation):
            ref = MessageRef(place=place, id=url)
            try:
                said = {"response_type": "ephemeral", "replace_original": False}
                await self._respond(ref, guard, repeats=False, **said, **_shown(frame))
            except MessageGone:
                pass
            else:
                return ref
        post = {"channel": place.channel, "user": user, **_shown(frame)}
        answer = await self._ask("chat.postEphemeral", post, guard=guard, repeats=False)
        return MessageRef(place=place, id=answer["message_ts"])

    async def _respond(
        self, ref: MessageRef, guard: Guard, *, repeats: bool = True, **payload: Any
    ) -> None:
        """Post to the response URL that is the id of a whispered message.

        Raises MessageGone for an ephemeral post, which nobody can change.
        """
        if not ref.id.startswith(("https://", "http://")):
            raise MessageGone("an ephemeral message cannot be changed")
        calls = await self._at_work()
        await calls.post(ref.id, guard=guard, repeats=repeats, name="response_url", json=payload)

    async def _read_back(self, place: Place, mark: str) -> MessageRef | None:
        try:
            return await self.find(place, mark)
        except PlatformError:
            return None

    async def _ask(self, method: str, args: Mapping[str, Any], **how: Any) -> Mapping[str, Any]:
        calls = await self._at_work()
        return await calls.call(method, args, **how)

    async def _at_work(self) -> Calls:
        """The calls, as soon as we know who we are: a restarted desk finds work before that."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.start()
        except TimeoutError:
            raise PlatformUnavailable("Slack has not been reached yet", sent=False) from None
        return self._open()


def _shown(frame: Frame) -> dict[str, Any]:
    """What shows a frame. `text` is for notifications alone; with blocks beside it, Slack shows
    those, and no "(edited)".
    """
    return {"text": summary(frame.content), "blocks": blocks(frame)}


def _mode(config: SlackConfig) -> str:
    """How events come in. Raises ConfigError where the mode's secret is missing."""
    mode = config.mode
    if mode == "auto":
        mode = "socket" if config.app_token else "http"
    if mode == "socket" and not config.app_token:
        raise ConfigError("SLACK_APP_TOKEN: Socket Mode needs a token that begins with xapp-")
    if mode == "http" and not config.signing_secret:
        raise ConfigError("SLACK_SIGNING_SECRET: events over HTTP cannot be trusted without it")
    if mode not in ("socket", "http"):
        raise ConfigError(f"SLACK_MODE: expected socket, http or auto, not {mode}")
    return mode
