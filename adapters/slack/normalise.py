"""One Slack event, command, press or shortcut into intakes; pure.

Every message of a channel arrives as `message` and, when it mentions us, once more as
`app_mention` with another event id, in either order. So whether a message is directed at the desk
is decided from its content, and both twins carry the same semantic key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from typing import Any

from adapters.slack.readable import mentioned, readable, unaddressed
from bot.i18n import means
from bot.ports import Intake
from bot.types import AnswerId, Attachment, IncomingMessage, Place, Sender, Signal, value

Json = Mapping[str, Any]

_SAID = (None, "file_share", "thread_broadcast")
_CONTROL = "stop"
"""A word that is never about anything, and never waits."""
_QUIET = frozenset(("quiet", "be quiet", "安静", "别说话", "不要说话"))
_FIRST = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_BETWEEN = " \t:："
"""Between a word and what stands behind it."""
_ABOUT = re.compile(r"/\S+\s+(<@[UW][A-Z0-9]+(?:\|[^<>]*)?>)")
"""A command that begins with somebody, in the raw text."""
_STOP = re.compile(r"^stop:(\d+)$")
SHORTCUT = re.compile(r"(thread|message):([a-z][a-z0-9_-]{0,31})", re.ASCII)
"""The callback id of a message shortcut: what it is about, and the command that it says."""
_THREAD = re.compile(r"thread:([A-Z0-9]+):([0-9.]+):([0-9.]+)", re.ASCII)
_KINDS = {"image": "photo", "audio": "audio", "video": "video"}


@value
class Me:
    """Who we are in the workspace: team id, user id and bot id, as auth.test tells them."""

    account: str
    user: str
    bot: str = ""


Words = Mapping[str, re.Pattern[str] | None]
"""Commands, each with all that may stand behind its bare word; None: nothing."""


@value
class Setting:
    """What surrounds an event: the time (ms), who takes part in its thread, and who is who.

    `party` are the users the desk is in exchange with there; empty: the thread is none of ours.
    `groups` are the user groups, of those that matter, that the author belongs to.
    `quoted` is what the thread said before we were called in. `words` are commands that may be
    said without a slash. `context`: what is said in our threads, but not to us, is wanted too.
    `above` is the first message of the thread, where a command may be about it; empty: we may not
    read it. `outside`: we are no member of the channel, and can neither read nor write there.
    `growing`: the thread of these direct messages in which the latest answer is being written.
    """

    now: int
    party: Collection[str] = ()
    people: Mapping[str, Sender] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    words: Words = field(default_factory=dict)
    quoted: str | None = None
    strangers: bool = False
    context: bool = False
    above: Json | None = None
    outside: bool = False
    growing: str | None = None


def position(ts: str) -> int:
    """A Slack timestamp as nanoseconds, comparable with a wall time in ms times a million."""
    seconds, _, micros = ts.partition(".")
    return int(seconds) * 1_000_000_000 + int(micros.ljust(6, "0")[:6] or 0) * 1000


def semantic_key(me: Me, channel: str, ts: str) -> str:
    """The dedupe key of what was said: the same for both twins and every redelivery."""
    return f"slack:{me.account}:{channel}:{ts}"


def thread_place(me: Me, channel: str, thread: str) -> Place:
    """A thread; in a direct message it is private, and still the unit of order."""
    return Place(
        platform="slack",
        account=me.account,
        channel=channel,
        thread=thread,
        private=channel.startswith("D"),
    )


def whisper_place(me: Me, channel: str, user: str) -> Place:
    """What only one person sees in a channel: answers to slash commands."""
    return Place(
        platform="slack", account=me.account, channel=channel, thread="@" + user, private=True
    )


def whispered_to(place: Place) -> str | None:
    """The user who alone sees what is said there, if it is such a place."""
    return place.thread[1:] if place.thread and place.whispered else None


def joined_thread(body: Json, me: Me) -> Place | None:
    """The channel thread that this event is a reply in; whose party then matters."""
    event = body.get("event") or {}
    if event.get("type") not in ("message", "app_mention") or event.get("subtype") not in _SAID:
        return None
    thread, channel = event.get("thread_ts"), event.get("channel", "")
    if not thread or thread == event.get("ts") or channel.startswith("D"):
        return None
    return thread_place(me, channel, thread)


def subject(body: Json, me: Me, words: Collection[str]) -> tuple[str, str] | None:
    """Channel and root of the thread that a command may be about: a shortcut, or its bare word."""
    if body.get("type") == "message_action":
        return body["channel"]["id"], _root(body["message"])
    event = body.get("event") or {}
    if event.get("type") not in ("message", "app_mention") or not event.get("thread_ts"):
        return None
    bare = _bare(readable(event.get("text") or "", me=me.user, people={})).removeprefix("/")
    if bare == _CONTROL or bare not in words or event.get("files"):
        return None
    about = event["thread_ts"] != event.get("ts")
    return (event["channel"], event["thread_ts"]) if about and calls_me(body, me) else None


def _root(message: Json) -> str:
    return str(message.get("thread_ts") or message["ts"])


def thread_of(attachment: Attachment) -> tuple[str, str, str] | None:
    """Channel, root and end of the thread that an attachment stands for; None: it is a file.

    What was said at the end, or later, is no part of it: it is the command, and what it led to.
    """
    found = _THREAD.fullmatch(attachment.id)
    return (found[1], found[2], found[3]) if found else None


def calls_me(body: Json, me: Me) -> bool:
    """Whether it is surely meant for us: a command, a press, a direct message or a mention."""
    event = body.get("event")
    if event is None:
        return True
    private = str(event.get("channel") or "").startswith("D")
    return private or me.user in mentioned(event.get("text") or "")


def author(body: Json) -> str:
    """The user who caused the event; empty when it is none or a bot's."""
    event = body.get("event")
    if event is None:
        return body.get("user_id") or (body.get("user") or {}).get("id") or ""
    return "" if event.get("bot_id") else event.get("user") or ""


def normalise(body: Json, me: Me, setting: Setting) -> Intake:
    """The intake of one payload. Raises KeyError, TypeError or ValueError for a broken one."""
    raw = raw_of(body)
    delivery = delivery_of(body, me)
    if body.get("type") == "event_callback":
        said, signal = _event(body, me, setting, delivery)
    elif body.get("type") == "block_actions":
        said, signal = _press(body, me, setting, delivery)
    elif body.get("type") == "message_action":
        said, signal = _shortcut(body, me, setting, delivery), None
    elif "command" in body:
        said, signal = _command(body, me, setting, delivery), None
    else:
        said, signal = None, None
    return Intake(raw=raw, delivery=delivery, message=said, signal=signal)


def delivery_of(body: Json, me: Me) -> str:
    """The transport's dedupe key: the event id, or the trigger id of a command or press."""
    named = body.get("event_id") or body.get("trigger_id") or ""
    return f"slack:{me.account}:{named}"


def raw_of(body: Json) -> str:
    """The payload as text, without Slack's old verification token, which is a secret."""
    kept = {key: item for key, item in body.items() if key != "token"}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


Outcome = tuple[IncomingMessage | None, Signal | None]
_NOTHING: Outcome = (None, None)


def _event(body: Json, me: Me, setting: Setting, delivery: str) -> Outcome:
    """An Events API event."""
    event = body["event"]
    match event.get("type"), event.get("subtype"):
        case "agent_session_stopped", _:
            place = thread_place(me, event["channel"], event["thread_ts"])
            at = position(event.get("event_ts") or event["thread_ts"])
            return None, Signal(kind="stop", conversation=place.conversation, position=at)
        case "message", "message_changed":
            return None, _changed(event, me, setting)
        case "message", "message_deleted":
            return None, _deleted(event, me)
        case "message" | "app_mention", subtype if subtype in _SAID:
            return _heard(_said(body, me, setting, delivery), setting)
        case _:
            return _NOTHING


def _heard(said: IncomingMessage | None, setting: Setting) -> Outcome:
    """With the signal that a plain /stop is as well, which does not wait in the line.

    Each direct message begins a thread. A stop that does so is about the answer being written.
    """
    if said is None or not said.directed or said.text.lower() != "/stop":
        return said, None
    place = said.place
    if place.private and setting.growing and position(place.thread or "0") == said.position:
        place = replace(place, thread=setting.growing)
    stop = Signal(kind="stop", conversation=place.conversation, position=said.position)
    return replace(said, place=place), stop


def _said(body: Json, me: Me, setting: Setting, delivery: str) -> IncomingMessage | None:
    """Something a person said, or None when it does not concern us."""
    event = body["event"]
    user = author(body)
    if not user or user in (me.user, "USLACKBOT"):
        return None
    if not setting.strangers and _stranger(event, me):
        return None
    text, named = event.get("text") or "", mentioned(event.get("text") or "")
    place = thread_place(me, event["channel"], event.get("thread_ts") or event["ts"])
    called = me.user in named or event["type"] == "app_mention"
    directed = place.private or called or (user in setting.party and not named)
    if not directed and not (setting.party and setting.context):
        return None
    shown = readable(text, me=me.user, people=setting.people)
    words = _about(_words(shown, setting, addressed=called or place.private), text, me, setting)
    at = position(event["ts"])
    return IncomingMessage(
        key=semantic_key(me, event["channel"], event["ts"]),
        delivery=delivery,
        place=place,
        sender=_speaker(user, setting),
        text=words,
        said_at=at // 1_000_000,
        position=at,
        directed=directed,
        alone=words.startswith("/"),
        quoted=setting.quoted if called else None,
        recalled=bool(called and setting.quoted),
        attachments=_attachments(event) or _above(place, words, event["ts"], setting),
    )


def _speaker(user: str, setting: Setting, name: str = "") -> Sender:
    """Who speaks, as far as is known; `name` for whom we could not look up."""
    known = setting.people.get(user) or Sender(user=user, name=name)
    return replace(known, groups=setting.groups)


def _stranger(event: Json, me: Me) -> bool:
    """Whether the author belongs to another workspace (Slack Connect)."""
    team = event.get("user_team") or event.get("source_team") or event.get("team")
    return bool(team) and team != me.account


def _words(text: str, setting: Setting, *, addressed: bool) -> str:
    """The text, with a bare command word given its slash: slash commands do not work in threads.

    Only a whole message is taken for a command, so "help me with my order" stays a question; or
    one whose words can be nothing but the command's argument.
    """
    if not addressed:
        return text
    bare = _bare(text)
    if bare in _QUIET:
        return "/quiet"
    if means(text, "answer.stop"):
        return "/stop"
    if bare in setting.words:
        return "/" + bare
    first = _FIRST.match(text)
    word, rest = (first[0].lower(), text[first.end() :]) if first else ("", "")
    behind = setting.words.get(word)
    return f"/{word} {rest.lstrip(_BETWEEN)}" if behind and behind.fullmatch(rest) else text


def _about(words: str, text: str, me: Me, setting: Setting) -> str:
    """Whom a command begins with stays the person mentioned: the name may be another's as well."""
    found = _ABOUT.match(unaddressed(text, me.user))
    if found is None:
        return words
    command, rest = words.split(maxsplit=1)
    name = readable(found[1], me=me.user, people=setting.people)
    return f"{command} {found[1]}{rest.removeprefix(name)}"


def _bare(text: str) -> str:
    """A message as the command word that it may be."""
    return text.strip(" .!。！").lower()


def _above(place: Place, words: str, ts: str, setting: Setting) -> tuple[Attachment, ...]:
    """What a bare command word in a thread is about: the file above it, or all that was said."""
    if not setting.above or words[:1] != "/" or place.thread is None:
        return ()
    return _attachments(setting.above) or (_thread(place.channel, place.thread, ts),)


def _thread(channel: str, root: str, until: str) -> Attachment:
    """A whole thread, up to a message, as a text that is fetched later."""
    named = f"thread:{channel}:{root}:{until}"
    return Attachment(kind="other", id=named, name="thread.txt", mime="text/plain")


def _attachments(message: Json) -> tuple[Attachment, ...]:
    return tuple(_attachment(file) for file in message.get("files") or ())


def _attachment(file: Json) -> Attachment:
    """A file that came with a message; fetched later by its id."""
    mime = file.get("mimetype") or ""
    kind: Any = _KINDS.get(mime.partition("/")[0], "document")
    if file.get("subtype") == "slack_audio":
        kind = "voice"
    return Attachment(
        kind=kind, id=file["id"], name=file.get("name") or "", mime=mime, size=file.get("size")
    )


def _changed(event: Json, me: Me, setting: Setting) -> Signal | None:
    """An edit of a person's words. An unfurled link changes a message too, but not its text."""
    after, before = event["message"], event.get("previous_message") or {}
    if after.get("bot_id") or after.get("user") in (None, me.user):
        return None
    ts, channel = after["ts"], event["channel"]
    conversation = thread_place(me, channel, after.get("thread_ts") or ts).conversation
    key = semantic_key(me, channel, ts)
    if after.get("subtype") == "tombstone":  # a thread's first message, deleted under its replies
        return Signal(kind="delete", conversation=conversation, key=key)
    if after.get("text") == before.get("text"):
        return None
    text = readable(after.get("text") or "", me=me.user, people=setting.people)
    return Signal(kind="edit", conversation=conversation, key=key, text=text)


def _deleted(event: Json, me: Me) -> Signal | None:
    """A person took back what they said."""
    before, ts, channel = event.get("previous_message") or {}, event["deleted_ts"], event["channel"]
    if before.get("bot_id") or before.get("user") == me.user:
        return None
    place = thread_place(me, channel, before.get("thread_ts") or ts)
    key = semantic_key(me, channel, ts)
    return Signal(kind="delete", conversation=place.conversation, key=key)


def _command(body: Json, me: Me, setting: Setting, delivery: str) -> IncomingMessage | None:
    """A slash command. `/ask` is a question asked in private; `/frontdesk WORD` says any word.

    The answer goes where `reply_to`, the response URL, leads: 30 minutes, five uses.
    """
    if not setting.strangers and body.get("team_id") not in (None, "", me.account):
        return None
    word = body["command"].removeprefix("/").lower()
    said = readable(body.get("text") or "", me=me.user, people=setting.people)
    if word == "ask":
        text = said.lstrip("/ ")
    elif word == "frontdesk":
        text = "/" + (said.lstrip("/ ") or "help")
    else:
        text = f"/{word} {said}".rstrip()
    user = body["user_id"]
    return IncomingMessage(
        key=delivery,
        delivery=delivery,
        place=whisper_place(me, body["channel_id"], user),
        sender=_speaker(user, setting, name=body.get("user_name") or ""),
        text=text,
        said_at=setting.now,
        position=setting.now * 1_000_000,
        alone=True,
        reply_to=body.get("response_url"),
    )


def _shortcut(body: Json, me: Me, setting: Setting, delivery: str) -> IncomingMessage | None:
    """A message shortcut: its callback id names the command and what it is about.

    The answer goes to the message's thread; where we are no member, by the response URL to the one
    who asked, and is then about the message alone.
    """
    asked, user, channel = SHORTCUT.fullmatch(body["callback_id"]), body["user"], body["channel"]
    if asked is None:
        return None
    if not setting.strangers and (user.get("team_id") or me.account) != me.account:
        return None
    place = thread_place(me, channel["id"], _root(body["message"]))
    if setting.outside:
        place = whisper_place(me, channel["id"], user["id"])
    return IncomingMessage(
        key=delivery,
        delivery=delivery,
        place=place,
        sender=_speaker(user["id"], setting, name=user.get("username") or user.get("name") or ""),
        text="/" + asked[2],
        said_at=setting.now,
        position=setting.now * 1_000_000,
        alone=True,
        quoted=_quoted(body, setting) or None,
        reply_to=body.get("response_url") if setting.outside else None,
        attachments=() if setting.outside else _material(body, setting, whole=asked[1] == "thread"),
    )


def _quoted(body: Json, setting: Setting) -> str:
    return readable(body["message"].get("text") or "", me="", people=setting.people)


def _material(body: Json, setting: Setting, *, whole: bool) -> tuple[Attachment, ...]:
    """What a shortcut is about besides the words of its message: the `whole` thread, or files.

    Beside words, a picture is an illustration.
    """
    message = body["message"]
    known = (message, setting.above) if setting.above else ()
    if whole and any(one.get("reply_count") or one.get("thread_ts") for one in known):
        return (_thread(body["channel"]["id"], _root(message), body["action_ts"]),)
    said = _quoted(body, setting)
    return tuple(one for one in _attachments(message) if one.kind == "document" or not said)


def _press(body: Json, me: Me, setting: Setting, delivery: str) -> Outcome:
    """A button: Stop is a signal; any other action `word:argument` is said as a command."""
    action, user, box = body["actions"][0], body["user"]["id"], body.get("container") or {}
    pressed = action.get("value") or ""
    if not setting.strangers and (body["user"].get("team_id") or me.account) != me.account:
        return _NOTHING
    message = body.get("message") or {}
    channel = box.get("channel_id") or (body.get("channel") or {}).get("id")
    ts = box.get("message_ts") or message.get("ts")
    if not pressed or not channel or not ts:
        return _NOTHING
    place = thread_place(me, channel, box.get("thread_ts") or message.get("thread_ts") or ts)
    if box.get("is_ephemeral"):
        place = whisper_place(me, channel, user)
    if stop := _STOP.match(pressed):
        answer = AnswerId(int(stop.group(1)))
        return None, Signal(kind="stop", conversation=place.conversation, answer=answer)
    name = body["user"].get("username") or body["user"].get("name") or ""
    said = IncomingMessage(
        key=delivery,
        delivery=delivery,
        place=place,
        sender=_speaker(user, setting, name=name),
        text="/" + pressed.removeprefix("/").replace(":", " "),
        said_at=setting.now,
        position=setting.now * 1_000_000,
        alone=True,
        reply_to=body.get("response_url") if box.get("is_ephemeral") else None,
    )
    return said, None
