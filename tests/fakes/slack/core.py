"""What Slack holds and how strict it is: messages, tiers, limits, and who would have been pinged.

No sockets here. Time is given by a callable, in seconds.
"""

from __future__ import annotations

import mimetypes
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.slack.refusal import Refusal
from tests.fakes.slack.streams import Streams

__all__ = ["BOT", "BOT_ID", "TEAM", "Call", "Refusal", "Shown", "SlackCore"]

TEAM = "T0DESK"
BOT = "U0BOT"
BOT_ID = "B0BOT"

UPDATE_TEXT_BYTES = 4_000
POST_TEXT_CHARACTERS = 40_000
MARKDOWN_CHARACTERS = 12_000
RESPONSE_USES = 5
RESPONSE_SECONDS = 1_800

PER_MINUTE = {
    "chat.update": 50,
    "chat.delete": 50,
    "chat.startStream": 20,
    "chat.appendStream": 100,
    "chat.stopStream": 20,
    "conversations.replies": 50,
    "conversations.history": 50,
    "conversations.open": 50,
    "conversations.info": 50,
    "agents.sessions.setStatus": 50,
    "users.info": 100,
    "usergroups.users.list": 20,
    "chat.postEphemeral": 100,
    "files.info": 100,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
}
POST_BURST = 4
"""Posts to one channel at once; then one a second."""

_TOKEN = re.compile(r"<(?:![a-z]|!subteam\^|@[UW]|#C)[^<>]*>?")
_AUTOLINK = re.compile(r"<https?://[^<>\s]*>?|<mailto:[^<>\s]*>?")
_PICTURE = re.compile(r"(?<!\\)!\[[^\]]*\]\(")
_LOUD = re.compile(r"@(?:channel|here|everyone)\b")
FORM_ONLY = frozenset(
    (
        "conversations.replies",
        "conversations.history",
        "conversations.info",
        "users.info",
        "usergroups.users.list",
        "files.info",
        "files.getUploadURLExternal",
    )
)
"""Methods that do not read a JSON body."""


@dataclass
class Shown:
    """A message on screen. `history` is all it ever showed, with the times; `streamed` is text that
    came as a stream, and stands above its blocks until the message is changed.
    """

    channel: str
    ts: str
    user: str
    thread: str | None = None
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    only_for: str | None = None
    files: list[Any] = field(default_factory=list)
    deleted: bool = False
    streamed: str = ""
    history: list[tuple[float, str]] = field(default_factory=list)

    @property
    def markdown(self) -> str:
        """What the message shows: its blocks if it has any, else its text."""
        parts = [block["text"] for block in self.blocks if block["type"] == "markdown"]
        if self.streamed:
            return "\n".join([self.streamed, *parts])
        return "\n".join(parts) if self.blocks else self.text

    def buttons(self) -> dict[str, str]:
        """Labels and values of all buttons."""
        return {
            element["text"]["text"]: element["value"]
            for block in self.blocks
            if block["type"] == "actions"
            for element in block["elements"]
        }

    def as_json(self) -> dict[str, Any]:
        """As the Web API tells it."""
        told: dict[str, Any] = {"type": "message", "ts": self.ts, "text": self.text}
        told["user"] = self.user
        if self.user == BOT:
            told |= {"bot_id": BOT_ID, "app_id": "A0DESK"}
        for name in ("blocks", "files"):
            if getattr(self, name):
                told[name] = getattr(self, name)
        if self.thread:
            told["thread_ts"] = self.thread
        if self.metadata:
            told["metadata"] = self.metadata
        return told


@dataclass
class Call:
    """A call that reached us. `outcome` is ok, the error, or the fault that struck it."""

    index: int
    method: str
    args: dict[str, Any]
    at: float
    outcome: str = ""


@dataclass
class Kept:
    """A file that a person sent: what Slack tells of it, and what it holds."""

    told: dict[str, Any]
    content: bytes


class SlackCore:
    """One workspace with our app in it."""

    def __init__(self, now: Callable[[], float], *, tiers: bool = True) -> None:
        self._now = now
        self.tiers = tiers
        self.messages: dict[tuple[str, str], Shown] = {}
        self.whispers: list[Shown] = []
        self.calls: list[Call] = []
        self.pings: list[str] = []
        self.links: list[str] = []
        self.cut: list[str] = []
        self.uploads: dict[str, bytes] = {}
        self.files: dict[str, Kept] = {}
        self.users: dict[str, dict[str, str]] = {}
        self.sessions: dict[tuple[str, str], list[str]] = {}
        self.sessions_on = True
        self.groups: dict[str, list[str]] = {}
        self.team = TEAM
        self.streams = Streams(self, now)
        self.channels: dict[str, str] = {"C1": "channel", "D1": "im", "G1": "group"}
        self.outside: set[str] = set()
        self.banned: dict[str, float] = {}
        self.scopes = "chat:write,app_mentions:read,files:read"
        self.responses: dict[str, tuple[float, int, str, str]] = {}
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self._last = 0

    def stamp(self) -> str:
        """A new timestamp, later than every other."""
        self._last = max(self._last + 1, int(self._now() * 1_000_000))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    def shown(self, channel: str, *, thread: str | None = None) -> list[Shown]:
        """Our messages that stand in a channel (of one thread), in order."""
        return [
            message
            for message in self.messages.values()
            if message.user == BOT and not message.deleted and message.channel == channel
            if thread is None or message.thread == thread
        ]

    # --- the Web API -----------------------------------------------------------------------

    def do(self, method: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a call. Raises Refusal."""
        self._meter(method, args)
        named = getattr(self, "_" + method.replace(".", "_"), None)
        handler = self.streams.methods.get(method, named)
        if handler is None:
            raise Refusal("unknown_method")
        found: dict[str, Any] = handler(args)
        return {"ok": True, **found}

    def _meter(self, method: str, args: Mapping[str, Any]) -> None:
        """Refuse what is too fast, per method, and per channel for posts."""
        rest = self.banned.get(str(args.get("channel")), 0.0) - self._now()
        if method in ("chat.postMessage", "chat.startStream") and rest > 0:
            raise Refusal("ratelimited", retry_after=int(rest) + 1)
        if not self.tiers:
            return
        now = self._now()
        if method == "chat.postMessage":
            self._bucket(f"{method}:{args.get('channel')}", now, POST_BURST, float(POST_BURST))
        elif method in PER_MINUTE:
            self._bucket(method, now, PER_MINUTE[method], 60.0)

    def _bucket(self, key: str, now: float, most: int, window: float) -> None:
        recent = self._recent[key]
        while recent and recent[0] <= now - window:
            recent.popleft()
        if len(recent) >= most:
            wait = max(1, int(recent[0] + window - now + 0.999))
            raise Refusal("ratelimited", retry_after=wait)
        recent.append(now)

    def _auth_test(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"team_id": TEAM, "team": "Desk", "user_id": BOT, "user": "desk", "bot_id": BOT_ID}

    def _chat_postMessage(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  Slack's name
        channel, thread = self.channel_of(args), args.get("thread_ts")
        if thread and (channel, thread) not in self.messages:
            raise Refusal("thread_not_found")
        message = Shown(channel=channel, ts=self.stamp(), user=BOT, thread=thread)
        self._fill(message, args, text_max=POST_TEXT_CHARACTERS)
        message.metadata = args.get("metadata")
        self.messages[channel, message.ts] = message
        return {"channel": channel, "ts": message.ts, "message": message.as_json()}

    def _chat_update(self, args: Mapping[str, Any]) -> dict[str, Any]:
        message = self.ours(args, "cant_update_message")
        self._not_streamed(message)
        self._fill(message, args, text_max=None)
        return {"channel": message.channel, "ts": message.ts, "text": message.text}

    def _chat_delete(self, args: Mapping[str, Any]) -> dict[str, Any]:
        message = self.ours(args, "cant_delete_message")
        self._not_streamed(message)
        message.deleted = True
        return {"channel": message.channel, "ts": message.ts}

    def blank(self, channel: str, thread: str) -> Shown:
        """A new message of ours that shows nothing."""
        message = Shown(channel=channel, ts=self.stamp(), user=BOT, thread=thread)
        self.messages[channel, message.ts] = message
        return message

    def _not_streamed(self, message: Shown) -> None:
        if self.streams.live(message):
            raise Refusal("streaming_state_conflict")

    def _chat_postEphemeral(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  Slack's name
        channel = self.channel_of(args)
        self.whisper(channel, self.needed(args, "user"), args)
        return {"message_ts": self.whispers[-1].ts}

    def whisper(self, channel: str, user: str, args: Mapping[str, Any]) -> None:
        """Show something to one person only."""
        message = Shown(channel=channel, ts=self.stamp(), user=BOT, only_for=user)
        self._fill(message, args, text_max=POST_TEXT_CHARACTERS)
        self.whispers.append(message)

    def respond(self, token: str, args: Mapping[str, Any]) -> None:
        """A post to a response URL: five uses within 30 minutes. Raises Refusal."""
        if token not in self.responses:
            raise Refusal("expired_url")
        born, uses, channel, user = self.responses[token]
        if self._now() - born > RESPONSE_SECONDS:
            raise Refusal("expired_url")
        if uses >= RESPONSE_USES:
            raise Refusal("used_url")
        self.responses[token] = (born, uses + 1, channel, user)
        mine = [w for w in self.whispers if w.channel == channel and w.only_for == user]
        if args.get("delete_original") and mine:
            mine[-1].deleted = True
        elif args.get("replace_original") and mine:
            self._fill(mine[-1], args, text_max=POST_TEXT_CHARACTERS)
        elif args.get("response_type", "ephemeral") == "ephemeral":
            self.whisper(channel, user, args)
        else:
            self._chat_postMessage({**args, "channel": channel})

    def _conversations_replies(self, args: Mapping[str, Any]) -> dict[str, Any]:
        channel, ts = self.channel_of(args), self.needed(args, "ts")
        if (channel, ts) not in self.messages:
            raise Refusal("thread_not_found")
        page = self._page(args, [m for m in self._in(channel) if ts in (m.ts, m.thread)])
        if args.get("cursor"):  # the first message of a thread heads every page of it
            page["messages"].insert(0, self.told(self.messages[channel, ts]))
        return page

    def _conversations_history(self, args: Mapping[str, Any]) -> dict[str, Any]:
        found = [m for m in self._in(self.channel_of(args)) if m.thread in (None, m.ts)]
        return self._page(args, found[::-1])

    def _page(self, args: Mapping[str, Any], found: list[Shown]) -> dict[str, Any]:
        """Within `oldest` and `latest`, from `cursor` on, at most `limit`."""
        low, high = float(args.get("oldest") or 0), float(args.get("latest") or 9e12)
        start, most = int(args.get("cursor") or 0), int(args.get("limit") or 100)
        within = [m for m in found if low <= float(m.ts) <= high]
        kept = within[start : start + most]
        told = [self.told(message) for message in kept]
        if str(args.get("include_all_metadata", "")).lower() not in ("true", "1"):
            for one in told:
                one.pop("metadata", None)
        more = start + most < len(within)
        after = {"response_metadata": {"next_cursor": str(start + most)}} if more else {}
        return {"messages": told, "has_more": more, **after}

    def told(self, message: Shown) -> dict[str, Any]:
        """A message as the Web API tells it: the first of a thread knows that it is one."""
        replies = sum(one.thread == message.ts for one in self._in(message.channel))
        under = {"thread_ts": message.ts, "reply_count": replies} if replies else {}
        return {**message.as_json(), **under}

    def keep(self, name: str, content: bytes, where: str) -> dict[str, Any]:
        """A person's file, to be had at an address that begins with `where`; what is told of it."""
        named = f"F{len(self.files) + 1}"
        told = {
            "id": named,
            "name": name,
            "mimetype": mimetypes.guess_type(name)[0] or "text/plain",
            "size": len(content),
            "mode": "hosted",
            "url_private_download": f"{where}{named}/download/{name}",
        }
        self.files[named] = Kept(told, content)
        return told

    def may(self, scope: str) -> bool:
        """Whether our token was granted this."""
        return scope in self.scopes.split(",")

    def _files_info(self, args: Mapping[str, Any]) -> dict[str, Any]:
        if not self.may("files:read"):
            raise Refusal("missing_scope")
        kept = self.files.get(self.needed(args, "file"))
        if kept is None:
            raise Refusal("file_not_found")
        return {"file": kept.told}

    def _conversations_info(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"channel": {"id": self.channel_of(args)}}

    def _conversations_open(self, args: Mapping[str, Any]) -> dict[str, Any]:
        channel = "D" + self.needed(args, "users")
        self.channels.setdefault(channel, "im")
        return {"channel": {"id": channel}}

    def _agents_sessions_setStatus(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  Slack's name
        channel = self.channel_of({"channel": args.get("channel_id")})
        thread, status = self.needed(args, "thread_ts"), self.needed(args, "status")
        if not self.sessions_on:
            raise Refusal("unknown_method")
        if self.channels[channel] != "im":
            raise Refusal("channel_type_not_supported")
        if (channel, thread) not in self.messages:
            raise Refusal("thread_not_found")
        if status not in ("processing", "active", "suspended", "closed"):
            raise Refusal("invalid_arguments")
        self.sessions.setdefault((channel, thread), []).append(status)
        return {}

    def _usergroups_users_list(self, args: Mapping[str, Any]) -> dict[str, Any]:
        group = self.needed(args, "usergroup")
        if group not in self.groups:
            raise Refusal("no_such_subteam")
        return {"users": list(self.groups[group])}

    def _users_info(self, args: Mapping[str, Any]) -> dict[str, Any]:
        user = self.needed(args, "user")
        if user not in self.users:
            raise Refusal("user_not_found")
        known = {"id": user, "name": user.lower(), "team_id": TEAM, **self.users[user]}
        return {"user": known}

    def _files_getUploadURLExternal(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  Slack's name
        if int(self.needed(args, "length")) <= 0:
            raise Refusal("invalid_arguments")
        name = f"F{len(self.uploads) + 1}"
        self.uploads[name] = b""
        return {"upload_url": f"upload/{name}", "file_id": name}

    def _files_completeUploadExternal(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  Slack's name
        channel = self.channel_of({"channel": args.get("channel_id")})
        ids = [file["id"] for file in args["files"]]
        if not all(self.uploads.get(name) for name in ids):
            raise Refusal("file_not_found")
        message = Shown(channel=channel, ts=self.stamp(), user=BOT, thread=args.get("thread_ts"))
        message.files, message.text = ids, args.get("initial_comment") or ""
        self.listen(message.text)
        self.messages[channel, message.ts] = message
        return {"files": [{"id": name} for name in ids]}

    # --- the rules -------------------------------------------------------------------------

    def channel_of(self, args: Mapping[str, Any]) -> str:
        """The channel that a call names. Raises Refusal."""
        channel = self.needed(args, "channel")
        if channel not in self.channels:
            raise Refusal("channel_not_found")
        if channel in self.outside:
            raise Refusal("not_in_channel")
        return channel

    def needed(self, args: Mapping[str, Any], name: str) -> str:
        """An argument that a call must have. Raises Refusal."""
        if not args.get(name):
            raise Refusal("invalid_arguments")
        return str(args[name])

    def ours(self, args: Mapping[str, Any], foreign: str) -> Shown:
        """The message of ours that a call names. Raises Refusal; `foreign` for one of others."""
        message = self.messages.get((self.channel_of(args), self.needed(args, "ts")))
        if message is None or message.deleted:
            raise Refusal("message_not_found")
        if message.user != BOT:
            raise Refusal(foreign)
        return message

    def _in(self, channel: str) -> list[Shown]:
        found = [m for m in self.messages.values() if m.channel == channel and not m.deleted]
        return sorted(found, key=lambda m: m.ts)

    def _fill(self, message: Shown, args: Mapping[str, Any], *, text_max: int | None) -> None:
        """Show new content, as checked; `text_max` None is an update, which cuts bytes silently."""
        blocks, text = list(args.get("blocks") or ()), str(args.get("text") or "")
        if not blocks and not text.strip():
            raise Refusal("no_text")
        self.check(blocks)
        if text_max is None and len(text.encode()) > UPDATE_TEXT_BYTES:
            self.cut.append(text)
            text = text.encode()[:UPDATE_TEXT_BYTES].decode(errors="ignore")
        message.text, message.blocks = text[:text_max] if text_max else text, blocks
        message.streamed = ""
        live = args.get("link_names") or args.get("parse") == "full"
        self.listen(text, live=bool(live))
        if blocks:
            self.listen(message.markdown, pictures=True)
        message.history.append((self._now(), message.markdown))

    def check(self, blocks: list[dict[str, Any]]) -> None:
        """Raises Refusal for blocks that Slack would not take."""
        if len(blocks) > 50:
            raise Refusal("invalid_blocks")
        marked = [block["text"] for block in blocks if block["type"] == "markdown"]
        if sum(map(len, marked)) > MARKDOWN_CHARACTERS:
            raise Refusal("msg_blocks_too_long")
        if any(not text.strip() for text in marked):
            raise Refusal("invalid_blocks")
        ids: list[str] = []
        for block in blocks:
            if block["type"] not in ("markdown", "actions", "context", "section"):
                raise Refusal("invalid_blocks")
            for button in block.get("elements", ()) if block["type"] == "actions" else ():
                self._check_button(button)
                ids.append(button["action_id"])
        if len(ids) != len(set(ids)):
            raise Refusal("invalid_blocks")

    def _check_button(self, button: Mapping[str, Any]) -> None:
        label = button["text"]["text"]
        if not 0 < len(label) <= 75 or len(button["value"]) > 2_000:
            raise Refusal("invalid_blocks")

    def listen(self, text: str, *, live: bool = False, pictures: bool = False) -> None:
        """Note what would have notified somebody, or opened or fetched something."""
        self.pings += _TOKEN.findall(text)
        self.links += _AUTOLINK.findall(text)
        if live:
            self.pings += _LOUD.findall(text)
        if pictures:
            self.links += _PICTURE.findall(text)
