"""What a person sees at once when a button is pressed, beside the intake and without delaying it.

The press itself is a row in the inbox; this is only its echo, and may be lost in a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from telegram import Bot, CallbackQuery, Chat, InlineKeyboardButton, InlineKeyboardMarkup, Message

from adapters.telegram.calls import Call, Calls, Moved
from adapters.telegram.normalise import VERDICT
from adapters.telegram.rates import private_gates
from bot.errors import MessageGone, PlatformError
from bot.i18n import say
from bot.ports import Intake

PRESSES_MAX = 64
"""Echoes on their way at once. A press beyond them is carried out like any other, and its button
spins until Telegram gives up: that is what thousands of presses in a minute deserve."""

log = structlog.get_logger(__name__)


class Presses:
    """Answers presses: the button stops spinning, and a verdict is thanked for."""

    def __init__(self, bot: Bot, calls: Calls, account: str) -> None:
        self._account = account
        self._bot = bot
        self._calls = calls
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, intakes: Sequence[Intake]) -> None:
        """Begin to answer those presses that are on disk now."""
        for found in intakes:
            if (query := _query(found)) is not None and len(self._tasks) < PRESSES_MAX:
                task = asyncio.get_running_loop().create_task(self._answer(query))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Answer no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, told: dict[str, Any]) -> None:
        query = CallbackQuery.de_json(told, self._bot)
        verdict = VERDICT.fullmatch(query.data or "")
        thanks = say(_language(query), "feedback.thanks") if verdict else None
        try:
            await self._calls.make(
                Call(final=False), lambda: self._bot.answer_callback_query(query.id, thanks)
            )
        except PlatformError as error:
            log.info("telegram_press_not_answered", error=repr(error))
        if verdict:
            await self._take_away(query)

    async def _take_away(self, query: CallbackQuery) -> None:
        """One person, one verdict: the thumbs go. In a group they stay, for the others."""
        message = query.message
        if not isinstance(message, Message) or message.chat.type != Chat.PRIVATE:
            return
        left = _without_verdicts(message.reply_markup)
        call = Call(gates=private_gates(f"{self._account}:{message.chat.id}"))
        try:
            await self._calls.make(
                call,
                lambda: self._bot.edit_message_reply_markup(
                    message.chat.id, message.message_id, reply_markup=left
                ),
            )
        except (MessageGone, Moved):
            return
        except PlatformError as error:
            log.info("telegram_buttons_stay", error=repr(error))


def _without_verdicts(markup: InlineKeyboardMarkup | None) -> InlineKeyboardMarkup | None:
    """The other buttons; None when none is left."""
    rows: list[list[InlineKeyboardButton]] = []
    for row in markup.inline_keyboard if markup else ():
        kept = [button for button in row if not VERDICT.fullmatch(str(button.callback_data))]
        if kept:
            rows.append(kept)
    return InlineKeyboardMarkup(rows) if rows else None


def _language(query: CallbackQuery) -> str:
    return "zh" if (query.from_user.language_code or "").lower().startswith("zh") else "en"


def _query(intake: Intake) -> dict[str, Any] | None:
    """The callback query in this update, if there is one that could be understood."""
    if intake.error or '"callback_query"' not in intake.raw:
        return None
    update = msgspec.json.decode(intake.raw)
    query = update.get("callback_query") if isinstance(update, dict) else None
    return query if isinstance(query, dict) and isinstance(query.get("id"), str) else None
