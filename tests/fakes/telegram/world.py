"""The chats of the fake: who is there, what was said, and what each message ever showed."""

from __future__ import annotations

import asyncio
import copy
import re
from dataclasses import dataclass, field
from typing import Any

from bot.clock import Clock, SystemClock

Json = dict[str, Any]
_MARKS = re.compile(
    r"(?P<bot_command>(?<![^\s])/[A-Za-z0-9_]+(?:@\w+)?)|(?P<mention>(?<!\w)@\w{3,})"
)


def utf16(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass
class Version:
    """What a message showed from `at` (seconds, monotonic) on."""

    at: float
    text: str
    entities: list[Json] = field(default_factory=list)
    markup: Json | None = None


@dataclass
class Shown:
    """A message of a chat with all it ever showed."""

    id: int
    author: int
    date: int
    history: list[Version]
    thread: int | None = None
    reply_to: int | None = None
    file: str | None = None
    deleted_at: float | None = None

    @property
    def now(self) -> Version:
        """What it shows at last."""
        return self.history[-1]

    @property
    def text(self) -> str:
        """The text that it shows at last."""
        return self.now.text

    @property
    def buttons(self) -> list[Json]:
        """All buttons below it."""
        rows = (self.now.markup or {}).get("inline_keyboard", [])
        return [button for row in rows for button in row]


@dataclass
class Chat:
    """A chat, with switches for what can go wrong with it."""

    id: int
    type: str
    title: str = ""
    user: Json | None = None
    blocked: bool = False
    refuses_drafts: bool = False
    moved_to: int | None = None
    topics: set[int] = field(default_factory=set)
    messages: dict[int, Shown] = field(default_factory=dict)
    last_id: int = 0

    @property
    def private(self) -> bool:
        """A chat with one person."""
        return self.type == "private"

    def json(self) -> Json:
        """As the Bot API describes it."""
        if self.user is not None:
            return {"id": self.id, "type": "private", "first_name": self.user["first_name"]}
        forum = {"is_forum": True} if self.topics else {}
        return {"id": self.id, "type": self.type, "title": self.title, **forum}

    def full(self) -> Json:
        """As getChat does, with what the library insists on."""
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription")
        accepted = dict.fromkeys((*gifts, "gifts_from_channels"), False)
        more = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": accepted}
        return self.json() | more

    def add(self, shown: Shown) -> Shown:
        """Put a message into the chat."""
        self.messages[shown.id] = shown
        return shown

    def next_id(self) -> int:
        """Ids grow by one per message."""
        self.last_id += 1
        return self.last_id


class World:
    """Chats and people. Everything a person can do yields an update for the bot."""

    def __init__(self, *, token: str, username: str, clock: Clock | None) -> None:
        self.token = token
        self.bot_id = int(token.partition(":")[0])
        self.bot: Json = {
            "id": self.bot_id,
            "is_bot": True,
            "first_name": "Desk",
            "username": username,
        }
        self.clock = clock or SystemClock()
        self.chats: dict[int, Chat] = {}
        self.queue: list[Json] = []
        self.presses: dict[str, asyncio.Event] = {}
        self.news = asyncio.Event()
        self.hook_news = asyncio.Event()
        self._last_update = 100_000
        self._last_press = 0

    # --- the stage ------------------------------------------------------------------------------

    def private(self, user: int = 1001, name: str = "Ada", language: str = "en") -> Chat:
        """The private chat with a person, made when new."""
        person = {"id": user, "is_bot": False, "first_name": name, "language_code": language}
        return self.chats.setdefault(user, Chat(id=user, type="private", user=person))

    def group(self, chat: int = -1001, title: str = "Group", topics: tuple[int, ...] = ()) -> Chat:
        """A supergroup, made when new."""
        made = Chat(id=chat, type="supergroup", title=title, topics=set(topics))
        return self.chats.setdefault(chat, made)

    def person(self, user: int, name: str = "Ada", language: str = "en") -> Json:
        """Somebody who can speak in groups."""
        return {"id": user, "is_bot": False, "first_name": name, "language_code": language}

    # --- what people do -------------------------------------------------------------------------

    def say(
        self,
        chat: Chat,
        text: str | None,
        *,
        user: Json | None = None,
        thread: int | None = None,
        reply_to: int | None = None,
        **fields: Any,
    ) -> int:
        """A person says something; the id of their message."""
        author = user or chat.user or self.person(1001)
        shown = chat.add(
            Shown(
                id=chat.next_id(),
                author=author["id"],
                date=self.clock.now() // 1000,
                history=[Version(self.clock.monotonic(), text or "", self.marks(text or ""))],
                thread=thread,
                reply_to=reply_to,
            )
        )
        message = self.message(chat, shown, author)
        if text is None:
            message.pop("text")
        self.push("message", message | fields)
        return shown.id

    def edit_said(self, chat: Chat, message_id: int, text: str, user: Json | None = None) -> None:
        """A person changes what they said."""
        shown = chat.messages[message_id]
        shown.history.append(Version(self.clock.monotonic(), text, self.marks(text)))
        author = user or chat.user or self.person(shown.author)
        edited = self.message(chat, shown, author)
        self.push("edited_message", edited | {"edit_date": self.clock.now() // 1000})

    def press(self, chat: Chat, message_id: int, label: str, user: Json | None = None) -> str:
        """A person presses the button of that label; the id of the press."""
        shown = chat.messages[message_id]
        data = next(b["callback_data"] for b in shown.buttons if b["text"] == label)
        self._last_press += 1
        press = f"press{self._last_press}"
        self.presses[press] = asyncio.Event()
        self.push(
            "callback_query",
            {
                "id": press,
                "from": user or chat.user or self.person(1001),
                "chat_instance": str(chat.id),
                "message": self.message(chat, shown, self.bot),
                "data": data,
            },
        )
        return press

    def membership(self, chat: Chat, status: str) -> None:
        """Somebody adds, restricts, blocks or removes the bot."""
        chat.blocked = status in {"kicked", "left"}
        new: Json = {"user": self.bot, "status": status}
        if status == "kicked":
            new["until_date"] = 0
        self.push(
            "my_chat_member",
            {
                "chat": chat.json(),
                "from": chat.user or self.person(1001),
                "date": self.clock.now() // 1000,
                "old_chat_member": {"user": self.bot, "status": "left"},
                "new_chat_member": new,
            },
        )

    def migrate(self, old: Chat, new: Chat) -> None:
        """A group becomes a supergroup: both are told, and calls to the old id are sent on."""
        old.moved_to = new.id
        for chat, told in (
            (old, {"migrate_to_chat_id": new.id}),
            (new, {"migrate_from_chat_id": old.id}),
        ):
            self.say(chat, None, user=self.person(1001), **told)

    def push(self, kind: str, content: Json) -> Json:
        """Queue any update, well formed or not."""
        self._last_update += 1
        update = {"update_id": self._last_update, kind: copy.deepcopy(content)}
        self.queue.append(update)
        self.news.set()
        self.hook_news.set()
        return update

    # --- how it looks ---------------------------------------------------------------------------

    def marks(self, text: str) -> list[Json]:
        """The entities that Telegram finds by itself: commands and mentions."""
        return [
            {"type": m.lastgroup, "offset": utf16(text[: m.start()]), "length": utf16(m.group())}
            for m in _MARKS.finditer(text)
        ]

    def message(self, chat: Chat, shown: Shown, author: Json) -> Json:
        """A message as the Bot API tells it."""
        told: Json = {
            "message_id": shown.id,
            "date": shown.date,
            "chat": chat.json(),
            "from": author,
            "text": shown.text,
        }
        if shown.now.entities:
            told["entities"] = shown.now.entities
        if shown.now.markup:
            told["reply_markup"] = shown.now.markup
        if shown.thread is not None:
            told |= {"message_thread_id": shown.thread, "is_topic_message": True}
        if shown.reply_to is not None and shown.reply_to in chat.messages:
            replied = chat.messages[shown.reply_to]
            ours = replied.author == self.bot["id"]
            to = self.bot if ours else self.person(replied.author)
            told["reply_to_message"] = self.message(chat, _bare(replied), to)
        return told

    def screen(self, chat: Chat, *, thread: int | None = None) -> list[str]:
        """The texts of the bot that stand in a chat (or topic) now, from top to bottom."""
        return [shown.text for shown in self.standing(chat, thread=thread)]

    def standing(self, chat: Chat, *, thread: int | None = None) -> list[Shown]:
        """The bot's messages that stand in a chat (or topic) now."""
        return [
            shown
            for shown in chat.messages.values()
            if shown.author == self.bot["id"]
            and shown.deleted_at is None
            and (thread is None or shown.thread == thread)
        ]

    def transcript(self) -> list[Json]:
        """Everything that every message ever showed, ready for JSON."""
        return [
            {
                "chat": chat.id,
                "message_id": shown.id,
                "author": "bot" if shown.author == self.bot["id"] else shown.author,
                "thread": shown.thread,
                "reply_to": shown.reply_to,
                "file": shown.file,
                "deleted_at": shown.deleted_at,
                "history": [
                    {"at": v.at, "text": v.text, "entities": v.entities, "markup": v.markup}
                    for v in shown.history
                ],
            }
            for chat in self.chats.values()
            for shown in chat.messages.values()
        ]


def _bare(shown: Shown) -> Shown:
    """A message as it appears inside another: without what it replied to."""
    found = copy.copy(shown)
    found.reply_to = None
    return found
