"""From a Telegram update to what the desk takes in. Pure: no call, no clock, no state.

Whether a message is directed at us is decided here, from its content alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from telegram import (
    CallbackQuery,
    Chat,
    ChatMemberUpdated,
    MaybeInaccessibleMessage,
    Message,
    MessageEntity,
    Update,
    User,
)

from bot.i18n import means
from bot.ports import Intake, Move
from bot.text.width import utf16_len
from bot.types import Album, AnswerId, Attachment, IncomingMessage, Place, Sender, Signal, value

TEXT_MAX = 20_000
"""Characters kept of a message. Telegram sends 4,096; only a strange server sends more."""
NAME_MAX = 128
ALBUM_MS = 800
"""Wait for the next item of an album: each comes as an update of its own, and none says "last"."""
PASTE_MS = 700
PASTE_UNITS = 4000
"""A text this long is probably cut: clients split at 4,096 units, or at a blank shortly before."""
TICKS_PER_MS = 1_000_000
"""Positions are ms since the epoch times this, plus the message id: dates are exact to 1 s only."""

STOP = re.compile(r"stop:(\d{1,18})")
"""The action of a Stop button; the number is the answer's."""
_PART_BITS, _ANSWER_BITS = 1, 31
"""The number of a draft has 64 bits: the topic, the answer, and whether its part is odd or even."""
VERDICT = re.compile(r"/feedback (?:up|down) \d{1,18}")
"""The action of a thumb below an answer."""

# Controls (other than tab and newline), overrides and isolates of the writing direction, byte order
# marks and halves of surrogate pairs: invisible, and able to make text read as something else.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{3,32}))?(?=\s|$)")
_AFTER_MENTION = re.compile(r"^[\s,:;，：、]+")
_SPACES = re.compile(r"[ \t]{2,}")

_KINDS: tuple[tuple[str, Literal["voice", "audio", "video", "document", "sticker"]], ...] = (
    ("animation", "video"),
    ("document", "document"),
    ("voice", "voice"),
    ("audio", "audio"),
    ("video", "video"),
    ("video_note", "video"),
    ("sticker", "sticker"),
)
"""Fields of a message that hold a file. An animation comes with a document of the same content."""
_OTHER = (
    "location",
    "venue",
    "contact",
    "poll",
    "dice",
    "story",
    "game",
    "paid_media",
    "checklist",
)
"""What a person sends that is neither text nor file; all else without text is service chatter."""


@value
class Me:
    """The bot itself. `reads_all`: it sees every message of a group (privacy mode is off)."""

    id: int
    username: str
    reads_all: bool = False

    @property
    def account(self) -> str:
        """The account in places and keys."""
        return str(self.id)


def normalise(update: Update, *, raw: str, me: Me, now: int) -> Intake:
    """What this update means to us; `now` (ms) stands in where Telegram tells no time."""
    message: IncomingMessage | None = None
    signal: Signal | None = None
    moved: Move | None = None
    settle_ms = 0
    if update.message is not None:
        message, signal = _said(update, update.message, me)
        moved = _moved(update.message, me)
        settle_ms = _settle_ms(update.message, command=message is not None and message.alone)
    elif update.edited_message is not None:
        signal = _edited(update, update.edited_message, me)
    elif update.callback_query is not None:
        message, signal = _pressed(update, update.callback_query, me, now)
    elif update.my_chat_member is not None:
        signal = _membership(update.my_chat_member, me)
    elif (stopped := update.api_kwargs.get("stopped_message_generation")) is not None:
        signal = _stopped(stopped, me)
    return Intake(
        raw=raw,
        delivery=delivery(me, update.update_id),
        message=message,
        signal=signal,
        moved=moved,
        settle_ms=settle_ms if message is not None else 0,
    )


def delivery(me: Me, update_id: int) -> str:
    """The transport's dedupe key."""
    return f"telegram:{me.account}:{update_id}"


def draft_id(answer: AnswerId, part: int, thread: str | None) -> int:
    """Never 0: answers are numbered from 1. The next part has another number than this one."""
    named = (answer % (1 << _ANSWER_BITS) << _PART_BITS) + part % (1 << _PART_BITS)
    return (int(thread or 0) << (_ANSWER_BITS + _PART_BITS)) + named


def drafted(number: int) -> tuple[AnswerId, str | None]:
    """The answer that the number of a draft names, and its topic."""
    thread, named = divmod(number, 1 << (_ANSWER_BITS + _PART_BITS))
    return AnswerId(named >> _PART_BITS), str(thread) if thread > 0 else None


def clean(text: str) -> str:
    """Text without what cannot be seen, lines ended one way, of bearable length."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:TEXT_MAX]


def _said(update: Update, message: Message, me: Me) -> tuple[IncomingMessage | None, Signal | None]:
    incoming = _incoming(update, message, me)
    if incoming is None or not incoming.directed:
        return None, None
    if means(incoming.text, "answer.stop"):
        incoming = replace(incoming, text="/stop", alone=True)
    if _word(incoming.text) != "stop":
        return incoming, None
    stop = Signal(kind="stop", conversation=incoming.place.conversation, position=incoming.position)
    return incoming, stop


def _settle_ms(message: Message, *, command: bool) -> int:
    """How long to wait for more of the same message; a command's text is whole, its files not."""
    if message.media_group_id:
        return ALBUM_MS
    return PASTE_MS if not command and utf16_len(message.text or "") >= PASTE_UNITS else 0


def _moved(message: Message, me: Me) -> Move | None:
    """A group that became a supergroup has another id from then on; both chats are told."""
    old, new = message.migrate_from_chat_id, message.migrate_to_chat_id
    if old is None and new is None:
        return None
    here = _place(message, me)
    there = replace(here, channel=str(new if new is not None else old))
    return Move(old=here, new=there) if new is not None else Move(old=there, new=here)


def _edited(update: Update, message: Message, me: Me) -> Signal | None:
    incoming = _incoming(update, message, me)
    if incoming is None or not incoming.directed or not incoming.text:
        return None
    return Signal(
        kind="edit",
        conversation=incoming.place.conversation,
        key=incoming.key,
        text=incoming.text,
    )


def _pressed(
    update: Update, query: CallbackQuery, me: Me, now: int
) -> tuple[IncomingMessage | None, Signal | None]:
    """A button of ours was pressed: Stop acts at once, anything else waits in the line."""
    if query.message is None or not query.data or query.from_user.is_bot:
        return None, None
    place = _place(query.message, me)
    if stop := STOP.fullmatch(query.data):
        answer = AnswerId(int(stop[1]))
        return None, Signal(kind="stop", conversation=place.conversation, answer=answer)
    pressed = IncomingMessage(
        key=f"telegram:{me.account}:press:{query.id}",
        delivery=delivery(me, update.update_id),
        place=place,
        sender=_sender(query.from_user),
        text=clean(query.data),
        said_at=now,
        position=now * TICKS_PER_MS,
        alone=True,
        reply_to=str(query.message.message_id),
    )
    return pressed, None


def _stopped(told: Mapping[str, Any], me: Me) -> Signal:
    """The Stop button of a draft (Bot API 10.3), which the library does not know.

    The server writes the draft's number as text, as it may be beyond what JavaScript can count to.
    """
    answer, thread = drafted(int(told["draft_id"]))
    place = Place(
        platform="telegram",
        account=me.account,
        channel=str(told["chat"]["id"]),
        thread=thread,
        private=True,
    )
    return Signal(kind="stop", conversation=place.conversation, answer=answer)


def _membership(change: ChatMemberUpdated, me: Me) -> Signal:
    """We were added, made admin, restricted, blocked or removed; `text` is the new status."""
    place = Place(
        platform="telegram",
        account=me.account,
        channel=str(change.chat.id),
        private=change.chat.type == Chat.PRIVATE,
    )
    status = str(change.new_chat_member.status)
    return Signal(kind="membership", conversation=place.conversation, text=status)


def _incoming(update: Update, message: Message, me: Me) -> IncomingMessage | None:
    """The message as the desk sees it; None for what no person said."""
    user, attachments = message.from_user, _attachments(message)
    text = message.text if message.text is not None else message.caption
    if user is None or user.is_bot or message.sender_chat or message.is_automatic_forward:
        return None
    if text is None and not attachments:
        return None
    place = _place(message, me)
    said, mentioned = _without_mention(text or "", _all_entities(message), me)
    word, for_us = _command(said, me)
    if word is not None:
        said = word
    directed = place.private or (for_us and (word is not None or mentioned or _to_us(message, me)))
    seconds = int(message.date.timestamp())
    position = seconds * 1000 * TICKS_PER_MS + message.message_id % TICKS_PER_MS
    album = message.media_group_id
    return IncomingMessage(
        key=f"telegram:{me.account}:{place.channel}:{message.message_id}",
        delivery=delivery(me, update.update_id),
        place=place,
        sender=_sender(user),
        text=clean(said).strip(),
        said_at=seconds * 1000,
        position=position,
        alone=word is not None,
        directed=directed,
        id=str(message.message_id),
        reply_to=_reply_to(message),
        quoted=_quoted(message),
        quoted_user=_quoted_user(message),
        attachments=attachments or (_material(message) if word is not None else ()),
        album=Album(id=album, places=(position,)) if album else None,
    )


def _place(message: MaybeInaccessibleMessage, me: Me) -> Place:
    """The chat; a thread only in a topic: replies in ordinary groups carry thread ids as well."""
    topic = isinstance(message, Message) and message.is_topic_message
    thread = message.message_thread_id if topic and isinstance(message, Message) else None
    return Place(
        platform="telegram",
        account=me.account,
        channel=str(message.chat.id),
        thread=str(thread) if thread is not None else None,
        private=message.chat.type == Chat.PRIVATE,
    )


def _sender(user: User) -> Sender:
    name = clean(user.full_name).replace("\n", " ").strip()[:NAME_MAX]
    return Sender(user=str(user.id), name=name, locale=user.language_code)


def _all_entities(message: Message) -> tuple[MessageEntity, ...]:
    return tuple(message.entities if message.text is not None else message.caption_entities)


def _without_mention(text: str, entities: tuple[MessageEntity, ...], me: Me) -> tuple[str, bool]:
    """The text without mentions of us, and whether there was one. Offsets are UTF-16 units."""
    units = text.encode("utf-16-le", "surrogatepass")
    kept, at, mentioned = bytearray(), 0, False
    for entity in sorted(entities, key=lambda e: e.offset):
        start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        if at <= start < end <= len(units) and _names_us(entity, units[start:end], me):
            kept += units[at:start]
            at, mentioned = end, True
    if not mentioned:
        return text, False
    rest = (kept + units[at:]).decode("utf-16-le", "replace")
    return _SPACES.sub(" ", _AFTER_MENTION.sub("", rest)), True


def _names_us(entity: MessageEntity, units: bytes, me: Me) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == me.id
    named = units.decode("utf-16-le", "replace").casefold()
    return entity.type == MessageEntity.MENTION and named == f"@{me.username}".casefold()


def _command(text: str, me: Me) -> tuple[str | None, bool]:
    """A command without the bot's name, if it is one; and whether the text may be for us at all."""
    found = _COMMAND.match(text.lstrip())
    if found is None:
        return None, True
    ours = found[2] is None or found[2].casefold() == me.username.casefold()
    if not ours:
        return None, False
    return f"/{found[1]}{text.lstrip()[found.end() :]}", True


def _word(text: str) -> str:
    found = _COMMAND.match(text)
    return found[1].lower() if found else ""


def _answered(message: Message) -> Message | None:
    """What is replied to. Everything in a topic "replies" to the note that opened the topic."""
    replied = message.reply_to_message
    return None if replied is None or replied.forum_topic_created else replied


def _to_us(message: Message, me: Me) -> bool:
    replied = _answered(message)
    return bool(replied and replied.from_user and replied.from_user.id == me.id)


def _reply_to(message: Message) -> str | None:
    replied = _answered(message)
    return str(replied.message_id) if replied else None


def _quoted(message: Message) -> str | None:
    """The part that was quoted by hand, else the whole text that was replied to."""
    replied = _answered(message)
    quoted = message.quote.text if message.quote else None
    if quoted is None and replied is not None:
        quoted = replied.text or replied.caption
    return clean(quoted) if quoted else None


def _material(message: Message) -> tuple[Attachment, ...]:
    """The file that a command is about: the one replied to. Beside words, a picture is none."""
    replied = _answered(message)
    found = _attachments(replied) if replied else ()
    return tuple(one for one in found if one.kind == "document" or not _quoted(message))


def _quoted_user(message: Message) -> str | None:
    """Who is replied to, where that is a person."""
    replied = _answered(message)
    user = replied.from_user if replied else None
    return str(user.id) if user and not user.is_bot else None


def _attachments(message: Message) -> tuple[Attachment, ...]:
    if message.photo:
        largest = max(message.photo, key=lambda photo: photo.width * photo.height)
        return (Attachment(kind="photo", id=largest.file_id, size=largest.file_size),)
    for field, kind in _KINDS:
        if (file := getattr(message, field)) is not None:
            return (
                Attachment(
                    kind=kind,
                    id=file.file_id,
                    name=clean(getattr(file, "file_name", None) or "")[:NAME_MAX],
                    mime=clean(getattr(file, "mime_type", None) or "")[:NAME_MAX],
                    size=file.file_size,
                ),
            )
    if any(getattr(message, field) for field in _OTHER):
        return (Attachment(kind="other"),)
    return ()
