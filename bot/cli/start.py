"""What every command begins with: the settings, the log, and a language to speak."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.i18n import LOCALES, say
from bot.i18n.retold import retold

if TYPE_CHECKING:
    from bot.config import Loaded


class NewFile(click.Path):
    """A file to be written; its folder has to be there, before any work is done for it."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        path = super().convert(value, param, ctx)
        if not (folder := Path(os.fsdecode(path)).parent).is_dir():
            self.fail(f"There is no folder {folder}.", param, ctx)
        return path


def load() -> Loaded:
    """The settings, with their warnings told. Raises ConfigError."""
    from bot import config

    loaded = config.load(os.environ, cwd=Path.cwd())
    for text in loaded.warnings:
        locale = locale_of(loaded)
        click.echo(say(locale, "cli.warning", text=retold(text, locale)), err=True)
    return loaded


def log_to_stderr(loaded: Loaded, level: str) -> None:
    """Log from `level` on, with every secret of the settings starred."""
    from bot import telemetry
    from bot.clock import SystemClock

    telemetry.setup(now=SystemClock().now, level=level, secrets=loaded.config.secrets())


def locale_of(loaded: Loaded | None) -> str:
    """The desk's language, else the terminal's."""
    if loaded is not None and loaded.config.desk.locale:
        return loaded.config.desk.locale
    terminal = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return "zh" if (terminal or "").startswith("zh") else LOCALES[0]


def locale_here() -> str:
    """The language for a failure: that of the settings here, whatever is wrong with them."""
    from bot import config

    try:
        return config.spoken(os.environ, cwd=Path.cwd()) or locale_of(None)
    except OSError:
        return locale_of(None)


def printable(text: str) -> str:
    """Without characters that would command a terminal."""
    return "".join(one if one.isprintable() or one.isspace() else "\ufffd" for one in text)
