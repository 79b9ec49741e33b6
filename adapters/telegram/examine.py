"""What Telegram says about a bot and how its updates leave, for the doctor; changes nothing."""

from __future__ import annotations

from random import Random

import telegram

from adapters.telegram.calls import Call, Calls
from adapters.telegram.request import AiohttpRequest
from adapters.telegram.webhook import webhook_url
from bot.clock import Clock
from bot.config import TelegramConfig
from bot.errors import PlatformUnavailable
from bot.types import value


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
    request = AiohttpRequest()
    root = config.api_root.rstrip("/")
    bot = telegram.Bot(
        config.token.reveal(),
        base_url=f"{root}/bot",
        request=request,
        get_updates_request=request,
    )
    calls = Calls(clock, None, random)
    try:
        me = await calls.make(Call(final=False), bot.get_me)
        hook = await calls.make(Call(final=False), bot.get_webhook_info)
    finally:
        await request.shutdown()
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
