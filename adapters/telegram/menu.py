"""The menu of commands that Telegram shows beside the text field, per language and per person."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from telegram import Bot, BotCommand, BotCommandScope, BotCommandScopeChat, BotCommandScopeDefault

from adapters.telegram.calls import Call, Calls
from bot.errors import NotWelcome

DESCRIPTION_MAX = 256
"""Bot API, BotCommand.description."""
FALLBACK = "en"
"""What is shown to people in whose language there is no menu."""

log = structlog.get_logger(__name__)


async def publish(
    bot: Bot,
    calls: Calls,
    commands: Sequence[tuple[str, dict[str, str]]],
    only: Sequence[str],
) -> None:
    """Set the menu: for everybody, or in the private chats of those named in `only`.

    Somebody who never wrote to the bot has no chat to show it in, and is left out.
    """
    scopes: list[BotCommandScope] = [BotCommandScopeChat(int(user)) for user in _users(only)]
    for scope in scopes if only else [BotCommandScopeDefault()]:
        try:
            await _publish_in(bot, calls, commands, scope)
        except NotWelcome as error:
            log.info("telegram_menu_not_shown", error=repr(error))


def _users(only: Sequence[str]) -> list[str]:
    """The Telegram users among `platform:id`; a bare id counts as one."""
    found = [user.removeprefix("telegram:") for user in only]
    return [user for user in found if user.isdecimal()]


async def _publish_in(
    bot: Bot, calls: Calls, commands: Sequence[tuple[str, dict[str, str]]], scope: BotCommandScope
) -> None:
    languages = sorted({language for _, texts in commands for language in texts})
    for language in (None, *languages):
        menu = [
            BotCommand(word, texts.get(language or FALLBACK, word)[:DESCRIPTION_MAX])
            for word, texts in commands
        ]
        await _set(bot, calls, menu, scope, language)


async def _set(
    bot: Bot, calls: Calls, menu: list[BotCommand], scope: BotCommandScope, language: str | None
) -> None:
    await calls.make(Call(), lambda: bot.set_my_commands(menu, scope=scope, language_code=language))
