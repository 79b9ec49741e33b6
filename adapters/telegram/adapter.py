"""Telegram as an adapter: polls updates in, posts and edits messages out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

import msgspec
import structlog
import telegram
from telegram import ReplyParameters, Update

from adapters.telegram.calls import BadEntities, Call, Calls, Moved
from adapters.telegram.drafts import DraftBoard
from adapters.telegram.menu import publish
from adapters.telegram.normalise import Me, clean, delivery, normalise
from adapters.telegram.polling import BACKOFF_MOST, BACKOFF_SECONDS, Polling, Waiting, update_id
from adapters.telegram.presses import Presses
from adapters.telegram.rates import OVERALL, chat_gates, is_private, typing_gates
from adapters.telegram.render import Rendered, around, plain, render
from adapters.telegram.request import AiohttpRequest, posted
from adapters.telegram.webhook import Webhook, webhook_url
from bot.clock import Clock
from bot.config import TelegramConfig
from bot.errors import (
    ConfigError,
    MessageGone,
    PlatformError,
    PlatformLocked,
    PlatformRefused,
    PlatformUnavailable,
)
from bot.pace import Pace
from bot.ports import HttpRoute, Intake, Sink
from bot.text.width import utf16_len, utf16_slice
from bot.types import AnswerId, Attachment, Frame, Guard, Limits, MessageRef, Place

TEXT_MAX = 4096
"""UTF-16 units of a message after entities are parsed (Bot API, sendMessage)."""
CAPTION_MAX = 1024
PRIVATE_SECONDS = 1.0
GROUP_SECONDS = 3.0
"""How far apart frames may be wanted; the pace may spread them further."""
BURST_SECONDS = 0.005
"""Less than an eye can see, and more than the bytes of one burst take to be read."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class TelegramAdapter:
    """One bot. `account` is the bot's user id, which stands in its token.

    `public_url` is needed in webhook mode. `request` is the transport; another one is for tests
    and proxies.
    """

    platform = "telegram"

    def __init__(
        self,
        config: TelegramConfig,
        clock: Clock,
        *,
        random: Random,
        public_url: str = "",
        request: AiohttpRequest | None = None,
    ) -> None:
        token = config.token.reveal()
        self.account = token.partition(":")[0]
        if not self.account.isdecimal():
            raise ConfigError(
                "TELEGRAM_BOT_TOKEN: expected <number>:<letters> as BotFather gave it"
            )
        self.me: Me | None = None
        self._clock = clock
        self._random = random
        self._request = request or AiohttpRequest()
        root = config.api_root.rstrip("/")
        self._bot = telegram.Bot(
            token,
            base_url=f"{root}/bot",
            base_file_url=f"{root}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )
        self._calls = Calls(clock, None if config.pace == "off" else Pace(OVERALL), random)
        self._presses = Presses(self._bot, self._calls, self.account)
        self._drafts: DraftBoard | None = None
        if config.streaming == "drafts":
            paced = config.pace != "off"
            self._drafts = DraftBoard(self._bot, self._calls, clock, random, paced=paced)
        self._webhook: Webhook | None = None
        if config.mode == "webhook":
            self._webhook = Webhook(
                self._bot,
                self._calls,
                self,
                clock,
                random,
                secret=config.webhook_secret,
                url=webhook_url(public_url),
            )

    # --- what can be done here ------------------------------------------------------------------

    def limits(self, place: Place) -> Limits:
        interval = PRIVATE_SECONDS if is_private(place) else GROUP_SECONDS
        limits = Limits(
            text_max=TEXT_MAX, measure=utf16_len, interval=interval, burst_seconds=BURST_SECONDS
        )
        return self._drafts.within(limits, place) if self._drafts else limits

    def ready(self, place: Place, *, final: bool) -> float:
        return self._calls.ready(chat_gates(place), final=final)

    # --- in ---------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Take messages in until cancelled. Raises PlatformLocked when the token is refused."""
        await self.identify()
        try:
            await self._way_in().run(sink)
        finally:
            await self._presses.close()

    def _way_in(self) -> Polling | Webhook:
        if self._webhook is not None:
            return self._webhook
        return Polling(self._bot, self._request, self, self._clock, self._random)

    def routes(self) -> Sequence[HttpRoute]:
        """The webhook's path; none while polling."""
        return () if self._webhook is None else (self._webhook.route(),)

    async def identify(self) -> Me:
        """Who we are, asked until known. Raises PlatformLocked when the token is refused."""
        waiting = Waiting(self._clock, self._random, BACKOFF_SECONDS, BACKOFF_MOST)
        while self.me is None:
            try:
                user = await self._calls.make(Call(final=False), self._bot.get_me)
            except PlatformLocked:
                raise
            except PlatformError as error:
                log.warning("telegram_not_reached", error=repr(error))
                await waiting.after_failure(error.retry_after or 0.0)
            else:
                assert user is not None
                reads_all = bool(user.can_read_all_group_messages)
                self.me = Me(id=user.id, username=user.username or "", reads_all=reads_all)
        return self.me

    def intake(self, raw: bytes) -> Intake:
        """One update as it came over the wire, understood or not; never raises."""
        text = raw.decode("utf-8", "replace")
        try:
            update = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._poison(None, text, error)
        return self.understand(update, text)

    def understand(self, update: Any, raw: str) -> Intake:
        """One decoded update, parsed alone: what cannot be read harms no other. Never raises."""
        me = self.me or Me(id=int(self.account), username="")
        if update_id(update) is None:
            return self._poison(None, raw, ValueError("no update_id"))
        try:
            parsed = Update.de_json(update, self._bot)
            found = normalise(parsed, raw=raw, me=me, now=self._clock.now())
        except Exception as error:  # guard: one odd event becomes a dead row
            log.exception("telegram_update_not_understood", update=update_id(update))
            return self._poison(update_id(update), raw, error)
        if (moved := found.moved) is not None:
            advice = "if this is the group in FRONTDESK_STAFF, write its new id there"
            log.warning(
                "telegram_group_moved", old=moved.old.channel, new=moved.new.channel, advice=advice
            )
        return found

    def _poison(self, number: int | None, raw: str, error: Exception) -> Intake:
        if number is None:
            known = hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()[:16]
            key = f"telegram:{self.account}:?{known}"
        else:
            key = delivery(Me(id=int(self.account), username=""), number)
        return Intake(raw=raw, delivery=key, error=f"{type(error).__name__}: {error}"[:500])

    def stored(self, intakes: Sequence[Intake]) -> None:
        """Let buttons stop spinning, beside the intake and without delaying it."""
        self._presses.answer(intakes)

    # --- out --------------------------------------------------------------------------------------

    async def send(
        self, place: Place, frame: Frame, *, guard: Guard, reply_to: str | None = None
    ) -> MessageRef:
        async def post(channel: str, shown: Rendered) -> telegram.Message:
            return await self._bot.send_message(
                chat_id=channel,
                text=shown.text,
                entities=shown.entities or None,
                message_thread_id=_thread(place),
                reply_parameters=_quote(place, reply_to),
                api_kwargs=around(frame.buttons),
            )

        call = Call(gates=chat_gates(place), final=frame.final, repeatable=False, guard=guard)
        shown = render(frame.content)
        return await self._post(
            place, call, lambda channel: self._shown(call, post, channel, shown)
        )

    async def edit(self, ref: MessageRef, frame: Frame, *, guard: Guard) -> bool:
        async def change(channel: str, shown: Rendered) -> telegram.Message | bool:
            return await self._bot.edit_message_text(
                chat_id=channel,
                message_id=_message_id(ref),
                text=shown.text,
                entities=shown.entities or None,
                api_kwargs=around(frame.buttons),
            )

        call = Call(gates=chat_gates(ref.place), final=frame.final, guard=guard)
        try:
            await self._shown(call, change, ref.place.channel, render(frame.content))
        except Moved as error:
            raise MessageGone(str(error)) from None
        return True

    async def delete(self, ref: MessageRef, *, guard: Guard) -> None:
        """Remove it; silent when it is gone already. A bot may delete its own for 48 hours."""
        call = Call(gates=chat_gates(ref.place), guard=guard)
        try:
            await self._calls.make(
                call, lambda: self._bot.delete_message(ref.place.channel, _message_id(ref))
            )
        except (MessageGone, Moved):
            return

    def draft_ready(self, place: Place) -> float:
        return self._drafts.ready(place) if self._drafts else float("inf")

    async def draft(
        self, place: Place, answer: AnswerId, part: int, frame: Frame, *, guard: Guard
    ) -> None:
        if self._drafts is None:
            raise PlatformRefused("drafts are not switched on")
        await self._drafts.show(place, answer, part, frame, guard)

    async def typing(self, place: Place) -> None:
        """Once; left out when the chat is under a ban or was told less than 4 s ago."""
        gates = typing_gates(place)
        if self._calls.ready(gates, final=False) > self._clock.monotonic():
            return
        call = Call(gates=gates, final=False)
        try:
            await self._calls.make(
                call,
                lambda: self._bot.send_chat_action(
                    place.channel, "typing", message_thread_id=_thread(place)
                ),
            )
        except PlatformError as error:
            log.debug("telegram_typing_failed", error=repr(error))

    async def send_file(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        send = partial(self._bot.send_document, document=content)
        return await self._upload(send, place, name, caption, guard)

    async def send_picture(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        """As a photo; as a document where Telegram will not have it as one.

        A photo is at most 10 MB, its sides together 10,000, and 20 to 1 (Bot API, sendPhoto).
        """
        send = partial(self._bot.send_photo, photo=content)
        try:
            return await self._upload(send, place, name, caption, guard)
        except PlatformRefused as error:
            log.info("telegram_photo_refused", error=str(error))
            return await self.send_file(place, name, content, caption=caption, guard=guard)

    async def _upload(
        self,
        send: Callable[..., Awaitable[telegram.Message]],
        place: Place,
        name: str,
        caption: str,
        guard: Guard,
    ) -> MessageRef:
        asked = {
            "filename": clean(name).replace("\n", " "),
            "caption": utf16_slice(plain(caption).text, 0, CAPTION_MAX) or None,
            "message_thread_id": _thread(place),
        }
        call = Call(gates=chat_gates(place), repeatable=False, guard=guard)
        return await self._post(
            place,
            call,
            lambda channel: self._calls.make(call, lambda: send(chat_id=channel, **asked)),
        )

    async def fetch(self, attachment: Attachment, *, most: int) -> bytes:
        """The content of a file; its address holds the token and is seen by nobody."""
        if (attachment.size or 0) > most:
            raise PlatformRefused(f"a file of {attachment.size} bytes, {most} are taken")
        file = await self._calls.make(Call(), lambda: self._bot.get_file(attachment.id))
        where = file.file_path if file else None
        if not where or not where.startswith("http"):
            raise PlatformRefused("Telegram tells no address of this file")
        content = await self._calls.make(Call(), lambda: self._request.download(where, most))
        if content is None:
            raise PlatformRefused(f"the file is over {most} bytes, or gone")
        return content

    async def set_menu(
        self, commands: Sequence[tuple[str, dict[str, str]]], *, only: Sequence[str] = ()
    ) -> None:
        await publish(self._bot, self._calls, commands, only)

    async def close(self) -> None:
        await self._request.shutdown()

    async def _post(
        self, place: Place, call: Call, post: Callable[[str], Awaitable[telegram.Message | None]]
    ) -> MessageRef:
        """Post once; if the group has moved meanwhile, once more where it is now."""
        try:
            message = await post(place.channel)
        except Moved as moved:
            place = dataclasses.replace(place, channel=moved.channel)
            message = await post(moved.channel)
        if (number := posted(message)) is None:
            raise PlatformUnavailable("the server told no number of the message", sent=True)
        return MessageRef(place=place, id=str(number))

    async def _shown(
        self,
        call: Call,
        operation: Callable[[str, Rendered], Awaitable[T]],
        channel: str,
        shown: Rendered,
    ) -> T | None:
        """Carry it out; should its marks be refused, show the same words without them."""
        try:
            return await self._calls.make(call, lambda: operation(channel, shown))
        except BadEntities as error:
            if not (call.final and shown.entities):
                raise
            log.warning("telegram_entities_refused", error=repr(error))
            bare = Rendered(text=shown.text)
            return await self._calls.make(call, lambda: operation(channel, bare))


def _message_id(ref: MessageRef) -> int:
    """The number of one of our messages; MessageGone for what never was one."""
    if not ref.id.isdecimal():
        raise MessageGone(f"no message id of Telegram: {ref.id[:32]!r}")
    return int(ref.id)


def _thread(place: Place) -> int | None:
    return int(place.thread) if place.thread else None


def _quote(place: Place, reply_to: str | None) -> ReplyParameters | None:
    """In a group an answer points at its question; if that is deleted, it comes all the same."""
    if reply_to is None or not reply_to.isdecimal() or is_private(place):
        return None
    return ReplyParameters(message_id=int(reply_to), allow_sending_without_reply=True)
