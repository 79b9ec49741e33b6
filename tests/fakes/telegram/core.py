"""The Bot API's methods, as strict as the real server where our code could go wrong.

What a call must never do (parse_mode, a preview, a wrong entity) is refused and noted in
`violations`, so that a test sees it even where the bot recovers.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bot.clock import Clock
from tests.fakes.telegram.drafts import DraftWorld
from tests.fakes.telegram.entities import entity_faults
from tests.fakes.telegram.flood import DRAFTS, Flood
from tests.fakes.telegram.photo import photo_fault, photo_size
from tests.fakes.telegram.world import Chat, Json, Shown, Version, utf16

Fault = Literal["unsent", "refuse", "lose", "502", "late 502", "429", "html"]
"""unsent: no connection. refuse: dropped before, lose: after it was processed. html: no JSON."""

METHODS = {
    "getMe": "_get_me",
    "getChat": "_get_chat",
    "setWebhook": "_set_webhook",
    "getWebhookInfo": "_get_webhook_info",
    "deleteWebhook": "_delete_webhook",
    "setMyCommands": "_set_my_commands",
    "sendChatAction": "_send_chat_action",
    "answerCallbackQuery": "_answer_callback_query",
    "sendMessage": "_send_message",
    "sendMessageDraft": "_send_message_draft",
    "sendDocument": "_send_document",
    "sendPhoto": "_send_photo",
    "getFile": "_get_file",
    "editMessageText": "_edit_message_text",
    "editMessageReplyMarkup": "_edit_message_reply_markup",
    "deleteMessage": "_delete_message",
}
PACED = {
    "sendMessage",
    "editMessageText",
    "editMessageReplyMarkup",
    "deleteMessage",
    "sendMessageDraft",
    "sendDocument",
    "sendPhoto",
}
FLOOD_SECONDS = 3


@dataclass(frozen=True)
class Answer:
    """What goes back. `lost` "before": the connection breaks; "after": the same, work done."""

    status: int
    body: Any
    lost: Literal["", "unsent", "before", "after"] = ""

    @property
    def payload(self) -> bytes:
        """The bytes of the body."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Refused(Exception):
    """The server says no."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.parameters = parameters


class FakeTelegram(DraftWorld):
    """One bot's Telegram.

    `refuse`, `lose`, `duplicate` are chances. `faults` go by the number of the call, from 1, where
    getUpdates does not count. `calls` lists (method, parameters) of all that arrived.
    """

    def __init__(
        self,
        *,
        token: str = "4242:test-token",
        username: str = "desk_bot",
        clock: Clock | None = None,
        seed: int = 0,
        refuse: float = 0.0,
        lose: float = 0.0,
        duplicate: float = 0.0,
        flood: bool = True,
    ) -> None:
        super().__init__(token=token, username=username, clock=clock)
        self.random = random.Random(seed)
        self.refuse, self.lose, self.duplicate = refuse, lose, duplicate
        self.flood: Flood | None = Flood() if flood else None
        self.draft_flood: Flood | None = Flood(private=DRAFTS) if flood else None
        self.faults: dict[int, Fault] = {}
        self.method_faults: dict[str, list[Fault]] = {}
        self.calls: list[tuple[str, Json]] = []
        self.times: list[tuple[float, str, Any]] = []
        self.webhook = ""
        self.hook_secret = ""
        self.hook_allowed: list[str] = []
        self.hook_connections = 40
        self.hook_pause = 0.05
        self.hook_error = ""
        self.hook_statuses: list[int] = []
        self.proxies: dict[str, str] = {}
        self.reads_all = False
        self.refuses_entities = False
        self.actions: list[tuple[int, int | None]] = []
        self.toasts: dict[str, str] = {}
        self.menus: dict[str, list[Json]] = {}
        self.files: dict[str, bytes] = {}
        self.polls = 0
        self.confirmed = 0
        self.delivered: list[Json] = []
        self._poller = 0
        self._doubled: set[int] = set()

    # --- the door ---------------------------------------------------------------------------------

    async def call(self, token: str, method: str, params: Json) -> Answer:
        """One call, from arrival to answer, with whatever fault is due."""
        if token != self.token:
            return _error(401, "Unauthorized")
        if method != "getUpdates":
            self.calls.append((method, params))
            self.times.append((self.clock.monotonic(), method, params.get("chat_id")))
        fault = self._fault(method)
        match fault:
            case "unsent":
                return Answer(0, b"", lost="unsent")
            case "refuse":
                return Answer(0, b"", lost="before")
            case "502":
                return Answer(502, b"<html>502 Bad Gateway</html>")
            case "html":
                return Answer(200, b"<html>maintenance</html>")
            case "429":
                return _error(429, "Too Many Requests", retry_after=FLOOD_SECONDS)
        answer = await self._answer(method, params)
        if fault == "lose":
            return Answer(0, b"", lost="after")
        return Answer(502, b"<html>502</html>") if fault == "late 502" else answer

    def _fault(self, method: str) -> Fault | None:
        if method != "getUpdates" and (fault := self.faults.pop(len(self.calls), None)):
            return fault
        if self.method_faults.get(method):
            return self.method_faults[method].pop(0)
        if self.random.random() < self.refuse:
            return "refuse"
        return "lose" if self.random.random() < self.lose else None

    async def _answer(self, method: str, params: Json) -> Answer:
        try:
            if method == "getUpdates":
                return Answer(200, {"ok": True, "result": await self._get_updates(params)})
            work: Callable[[Json], Any] = getattr(self, METHODS.get(method, "_unknown"))
            self._admit(method, params)
            return Answer(200, {"ok": True, "result": work(params)})
        except Refused as refused:
            return _error(refused.status, str(refused), **refused.parameters)

    def _admit(self, method: str, params: Json) -> None:
        flood = self.draft_flood if method == "sendMessageDraft" else self.flood
        if flood is None or method not in PACED:
            return
        chat = int(params["chat_id"])
        seconds = flood.admit(chat, self.clock.monotonic(), private=chat > 0)
        if seconds is not None:
            raise Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    # --- updates ----------------------------------------------------------------------------------

    async def _get_updates(self, params: Json) -> list[Json]:
        """Confirms below the offset when called; what is not confirmed comes again."""
        if self.webhook:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self.polls += 1
        self._poller += 1
        mine = self._poller
        self.news.set()  # wakes an older poller, which then finds that it is no longer alone
        self._confirm(int(params.get("offset") or 0))
        deadline = self.clock.monotonic() + min(50, int(params.get("timeout") or 0))
        while True:
            self.forget_unwanted(_decoded(params.get("allowed_updates")) or [])
            if self._poller != mine:
                raise Refused(
                    409,
                    "Conflict: terminated by other getUpdates request; "
                    "make sure that only one bot instance is running",
                )
            left = deadline - self.clock.monotonic()
            if self.queue or left <= 0:
                return self.queue[: min(100, int(params.get("limit") or 100))]
            await self._wait(left)

    async def _wait(self, seconds: float) -> None:
        self.news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.news.wait()
        except TimeoutError:
            return

    def _confirm(self, offset: int) -> None:
        gone = [u for u in self.queue if u.get("update_id", 0) < offset]
        self.delivered += gone
        kept = [u for u in self.queue if u.get("update_id", 0) >= offset]
        self.confirmed += len(gone)
        again = [u for u in gone if self._doubles(u["update_id"])]
        self.queue = again + kept

    def _doubles(self, update_id: int) -> bool:
        """Now and then a confirmed update comes a second time."""
        if update_id in self._doubled or self.random.random() >= self.duplicate:
            return False
        self._doubled.add(update_id)
        return True

    # --- methods ----------------------------------------------------------------------------------

    def _unknown(self, params: Json) -> Any:
        raise Refused(404, "Not Found")

    def _get_me(self, params: Json) -> Json:
        more = {"can_join_groups": True, "can_read_all_group_messages": self.reads_all}
        return self.bot | more

    def _get_chat(self, params: Json) -> Json:
        return self._chat(params).full()

    def forget_unwanted(self, allowed: list[str]) -> None:
        """Drop updates of kinds that nobody asked for; an empty list asks for all."""
        self.queue = [u for u in self.queue if not allowed or set(u) & set(allowed)]

    def accepted(self, update: Json) -> None:
        """A webhook answered 2xx: gone, or once more at the end of its lane."""
        self.queue = [u for u in self.queue if u is not update]
        self.delivered.append(update)
        self.confirmed += 1
        if self._doubles(update["update_id"]):
            self.queue.append(update)

    def _set_webhook(self, params: Json) -> bool:
        url, secret = str(params.get("url", "")), str(params.get("secret_token") or "")
        if not url.startswith("https://"):
            raise Refused(
                400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
            )
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
            raise Refused(400, "Bad Request: secret token contains unallowed characters")
        self.webhook, self.hook_secret = url, secret
        self.hook_allowed = _decoded(params.get("allowed_updates")) or []
        self.hook_connections = int(params.get("max_connections") or 40)
        self.news.set()
        self.hook_news.set()
        return True

    def _get_webhook_info(self, params: Json) -> Json:
        waiting = len(self.queue)
        info: Json = {"url": self.webhook, "has_custom_certificate": False}
        info |= {"pending_update_count": waiting, "max_connections": self.hook_connections}
        if self.hook_error:
            info |= {"last_error_date": self.clock.now() // 1000}
            info |= {"last_error_message": self.hook_error}
        return info

    def _delete_webhook(self, params: Json) -> bool:
        self.webhook = ""
        return True

    def _set_my_commands(self, params: Json) -> bool:
        commands = _decoded(params["commands"])
        for command in commands:
            if not 1 <= len(command["description"]) <= 256 or len(command["command"]) > 32:
                raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
        scope = _decoded(params.get("scope")) or {"type": "default"}
        if scope["type"] == "chat":
            self._chat({"chat_id": scope["chat_id"]})
        name = scope["type"] + (f":{scope['chat_id']}" if "chat_id" in scope else "")
        self.menus[f"{name}/{params.get('language_code', '')}"] = commands
        return True

    def _send_chat_action(self, params: Json) -> bool:
        chat = self._chat(params)
        self.actions.append((chat.id, self._thread(chat, params)))
        return True

    def _answer_callback_query(self, params: Json) -> bool:
        press = params["callback_query_id"]
        answered = self.presses.get(press)
        if answered is None or answered.is_set():
            raise Refused(
                400,
                "Bad Request: query is too old and response timeout expired or query ID is invalid",
            )
        answered.set()
        self.toasts[press] = str(params.get("text") or "")
        return True

    def _send_message(self, params: Json) -> Json:
        chat = self._chat(params)
        version = self._version(params, "text", 4096, "Bad Request: message is too long")
        return self._posted(chat, params, version)

    def _send_message_draft(self, params: Json) -> bool:
        chat = self._chat(params)
        if fault := self.draft_fault(chat, params):
            raise Refused(*fault)
        params = params | {"draft": params.get("text", "")}
        version = self._version(params, "draft", 4096, "Bad Request: message is too long")
        self.show_draft(chat, self._thread(chat, params), version, params)
        return True

    def _send_document(self, params: Json) -> Json:
        name, content = params["document"]
        one = {"file_id": name, "file_unique_id": name, "file_name": name}
        return self._send_media(params, name, content, "document", one)

    def _send_media(
        self, params: Json, name: str, content: bytes, kind: str, described: Any
    ) -> Json:
        chat = self._chat(params)
        params = {"caption": "", **params}
        version = self._version(params, "caption", 1024, "Bad Request: message caption is too long")
        told = self._posted(chat, params, version, file=name)
        self.files[name] = content
        told["caption"] = told.pop("text")
        told[kind] = described
        return told

    def _send_photo(self, params: Json) -> Json:
        name, content = params["photo"]
        if fault := photo_fault(content):
            raise Refused(400, f"Bad Request: {fault}")
        width, height = photo_size(content)
        one = {"file_id": name, "file_unique_id": name, "width": width, "height": height}
        return self._send_media(params, name, content, "photo", [one])

    def _get_file(self, params: Json) -> Json:
        name = params["file_id"]
        if name not in self.files:
            raise Refused(400, "Bad Request: invalid file_id")
        return {"file_id": name, "file_unique_id": name, "file_path": f"documents/{name}"}

    def _edit_message_text(self, params: Json) -> Json:
        chat, shown = self._editable(params)
        if shown.file:
            raise Refused(400, "Bad Request: message can't be edited")
        version = self._version(params, "text", 4096, "Bad Request: MESSAGE_TOO_LONG")
        return self._changed(chat, shown, version)

    def _edit_message_reply_markup(self, params: Json) -> Json:
        chat, shown = self._editable(params)
        markup, now = _decoded(params.get("reply_markup")), shown.now
        return self._changed(
            chat, shown, Version(self.clock.monotonic(), now.text, now.entities, markup)
        )

    def _editable(self, params: Json) -> tuple[Chat, Shown]:
        chat = self._chat(params)
        shown = chat.messages.get(int(params["message_id"]))
        if shown is None or shown.deleted_at is not None:
            raise Refused(400, "Bad Request: message to edit not found")
        if shown.author != self.bot["id"]:
            raise Refused(400, "Bad Request: message can't be edited")
        return chat, shown

    def _changed(self, chat: Chat, shown: Shown, version: Version) -> Json:
        now = shown.now
        if (now.text, now.entities, now.markup) == (version.text, version.entities, version.markup):
            raise Refused(
                400,
                "Bad Request: message is not modified: specified new message content and reply "
                "markup are exactly the same as a current content and reply markup of the message",
            )
        shown.history.append(version)
        return self.message(chat, shown, self.bot)

    def _delete_message(self, params: Json) -> bool:
        chat = self._chat(params)
        shown = chat.messages.get(int(params["message_id"]))
        if shown is None or shown.deleted_at is not None:
            raise Refused(400, "Bad Request: message to delete not found")
        shown.deleted_at = self.clock.monotonic()
        return True

    # --- their rules ------------------------------------------------------------------------------

    def _chat(self, params: Json) -> Chat:
        chat = self.chats.get(int(params["chat_id"]))
        if chat is None:
            raise Refused(400, "Bad Request: chat not found")
        if chat.moved_to is not None:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.moved_to,
            )
        if chat.blocked:
            who = "blocked by the user" if chat.private else "kicked from the supergroup chat"
            raise Refused(403, f"Forbidden: bot was {who}")
        return chat

    def _posted(self, chat: Chat, params: Json, version: Version, file: str | None = None) -> Json:
        thread = self._thread(chat, params)
        self.end_draft(chat, thread)
        shown = Shown(
            id=chat.next_id(),
            author=self.bot_id,
            date=self.clock.now() // 1000,
            history=[version],
            thread=thread,
            reply_to=self._reply(chat, params),
            file=file,
        )
        return self.message(chat, chat.add(shown), self.bot)

    def _thread(self, chat: Chat, params: Json) -> int | None:
        thread = _number(params.get("message_thread_id"))
        if thread is not None and thread not in chat.topics:
            raise Refused(400, "Bad Request: message thread not found")
        return thread

    def _reply(self, chat: Chat, params: Json) -> int | None:
        asked = _decoded(params.get("reply_parameters"))
        if not asked:
            return None
        if asked["message_id"] in chat.messages:
            return int(asked["message_id"])
        if not asked.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")
        return None

    def _version(self, params: Json, name: str, longest: int, too_long: str) -> Version:
        text = str(params[name])
        entities = _decoded(params.get("entities")) or []
        markup = _decoded(params.get("reply_markup"))
        if params.get("parse_mode"):
            self._violated("parse_mode must never be used")
        preview = _decoded(params.get("link_preview_options")) or {}
        if name == "text" and not preview.get("is_disabled"):
            self._violated("link previews must be off")
        if name == "text" and not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if text != text.strip() and entities:
            self._violated("the server trims text, and the offsets of entities move")
        if utf16(text.strip()) > longest:
            raise Refused(400, too_long)
        if self.refuses_entities and entities:
            raise Refused(400, "Bad Request: can't parse entities: ENTITY_BOUNDS_INVALID")
        for fault in entity_faults(text, entities):
            self._violated(fault)
        for row in (markup or {}).get("inline_keyboard", []):
            for button in row:
                if not 1 <= len(button["callback_data"].encode()) <= 64:
                    raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
        return Version(self.clock.monotonic(), text.strip(), entities, markup)

    def _violated(self, what: str) -> None:
        self.violations.append(what)
        raise Refused(400, f"Bad Request: VIOLATION {what}")


def _error(status: int, description: str, **parameters: Any) -> Answer:
    body: Json = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return Answer(status, body)


def _decoded(found: Any) -> Any:
    """Nested parameters come as JSON text in forms and queries, as they are in JSON bodies."""
    return json.loads(found) if isinstance(found, str) and found else found


def _number(found: Any) -> int | None:
    return int(found) if found not in {None, ""} else None
