"""What Telegram says about a bot and how its updates leave, for the doctor; changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import telegram

from adapters.telegram.calls import Call, Calls
from adapters.telegram.request import AiohttpRequest
from adapters.telegram.webhook import webhook_url
from bot.clock import Clock
from bot.config import TelegramConfig
from bot.errors import PlatformUnavailable
from bot.types import Place, value


@asynccontextmanager
async def _asking(
    config: TelegramConfig, clock: Clock, random: Random
) -> AsyncIterator[tuple[telegram.Bot, Calls]]:
    """A bot for a few calls."""
    request = AiohttpRequest()
    root = config.api_root.rstrip("/")
    bot = telegram.Bot(
        config.token.reveal(),
        base_url=f"{root}/bot",
        request=request,
        get_updates_request=request,
    )
    try:
        yield bot, Calls(clock, None, random)
    finally:
        await request.shutdown()


@value
class BotFacts:
    """From getMe and getWebhookInfo. `expected`: the webhook wanted, "" when updates are polled."""

    username: str
    reads_all: bool
    webhook: str
    expected: str
    pending: int
    last_error: str


async def examine(
    config: TelegramConfig, clock: Clock, random: Random, *, public_url: str
) -> BotFacts:
    """Two calls, each tried once. Raises PlatformError."""
    async with _asking(config, clock, random) as (bot, calls):
        me = await calls.make(Call(final=False), bot.get_me)
        hook = await calls.make(Call(final=False), bot.get_webhook_info)
    if me is None or hook is None:
        raise PlatformUnavailable("Telegram gave no answer")
    return BotFacts(
        username=me.username or "",
        reads_all=bool(me.can_read_all_group_messages),
        webhook=hook.url,
        expected=webhook_url(public_url) if config.mode == "webhook" else "",
        pending=hook.pending_update_count,
        last_error=hook.last_error_message or "",
    )


async def look_at(config: TelegramConfig, clock: Clock, random: Random, place: Place) -> str:
    """The title of a chat that the bot can write to. Raises NotWelcome where it cannot.

    That it is seen to type there for a moment is the proof: a chat that can be read may still be
    closed to us, and so may a topic.
    """
    thread = int(place.thread) if place.thread else None
    async with _asking(config, clock, random) as (bot, calls):
        chat = await calls.make(Call(final=False), lambda: bot.get_chat(place.channel))
        await calls.make(
            Call(final=False),
            lambda: bot.send_chat_action(place.channel, "typing", message_thread_id=thread),
        )
    if chat is None:
        raise PlatformUnavailable("Telegram gave no answer")
    return chat.title or chat.full_name or place.channel
