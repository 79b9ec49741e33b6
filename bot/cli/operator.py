"""The operator's commands: doctor, backup, restore, migrate, forget, and the dead letters."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.start import load, locale_here, locale_of, log_to_stderr, printable
from bot.errors import ConfigError
from bot.i18n import say

if TYPE_CHECKING:
    from bot.config import Loaded
    from bot.doctor import Finding
    from bot.upkeep import DeadLetter

_LETTER = click.IntRange(1, (1 << 63) - 1)
"""What can be the number of a row in SQLite."""
_LINE = 100
"""Characters of an error in a list; `show` has all of it."""


@click.command(short_help="Examine everything the desk needs, and say what to do.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, for a program.")
@click.pass_obj
def doctor(level: str, *, as_json: bool) -> int:
    """Examine settings, clock, database, platforms, models and knowledge; say what to do.

    Works before the first start and beside a running desk, and changes nothing. Each model is
    asked one short question, which costs a few tokens. Ends with status 1 when anything fails;
    warnings alone are status 0.
    """
    from bot.doctor import exit_status, render

    locale, findings = _examined(level)
    click.echo(_as_json(findings, locale) if as_json else printable(render(findings, locale)))
    return exit_status(findings)


def _examined(level: str) -> tuple[str, list[Finding]]:
    """The language to report in, and the findings."""
    from bot import config
    from bot.doctor import examine, unreadable

    try:
        loaded = config.load(os.environ, cwd=Path.cwd())  # its warnings are findings here
    except ConfigError as error:
        return locale_here(), unreadable(error)
    log_to_stderr(loaded, level or "error")
    from bot.probes import probes

    locale = locale_of(loaded)
    if sys.stderr.isatty():
        click.echo(say(locale, "operator.examining"), err=True)
    return locale, asyncio.run(examine(loaded, probes(loaded)))


def _as_json(findings: list[Finding], locale: str) -> str:
    rows = [
        {
            "part": one.name,
            "about": one.about,
            "state": one.state,
            "key": one.found,
            "found": one.say(one.found, locale),
            "advice": one.say(one.advice, locale) if one.advice else "",
        }
        for one in findings
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2)


@click.command(short_help="Copy the database, beside a running desk too.")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def backup(level: str, path: Path | None) -> int:
    """Write a checked copy of the database to PATH, beside a running desk too.

    Without PATH it is put beside the database, with the time in its name. A file that exists is
    never overwritten. The copy is compact, whole, and readable by its owner only.
    """
    from bot import upkeep

    loaded = _begin(level)
    made = asyncio.run(upkeep.backup(loaded.config, path))
    size = made.stat().st_size / (1 << 20)
    click.echo(say(locale_of(loaded), "operator.backed_up", path=str(made), size=f"{size:.1f}"))
    return 0


@click.command(short_help="Put a backup in the place of the database.")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def restore(level: str, path: Path) -> int:
    """Put the backup PATH in the place of the database. Stop the desk first.

    The backup is checked before anything is touched, and copied, not moved. The file that was there
    is kept beside it under another name.
    """
    from bot import upkeep

    loaded = _begin(level)
    aside = asyncio.run(upkeep.restore(loaded.config, path))
    locale = locale_of(loaded)
    click.echo(say(locale, "operator.restored", path=loaded.config.database, source=str(path)))
    if aside is not None:
        click.echo(say(locale, "operator.kept_aside", path=str(aside)))
    return 0


@click.command(short_help="Bring the database up to date with this program.")
@click.pass_obj
def migrate(level: str) -> int:
    """Bring the database up to date with this program, and say what was done.

    The start of the desk does the same; this is for who wants to see it first. Make a backup
    before. A database of a newer program is refused and left as it is.
    """
    from bot import upkeep

    loaded = _begin(level)
    locale = locale_of(loaded)
    applied = asyncio.run(upkeep.migrate(loaded.config))
    for name in applied:
        click.echo(say(locale, "operator.migrated", name=name))
    if not applied:
        click.echo(say(locale, "operator.up_to_date", path=loaded.config.database))
    return 0


@click.command(short_help="Erase what somebody said and was told.")
@click.argument("who")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def forget(level: str, who: str, *, yes: bool) -> int:
    """Erase what WHO said and was told, as /forget in their own chat does.

    WHO is #12, as lists show a person, or platform:account/id (telegram:BOT/USER, slack:TEAM/USER).
    Counts stay; a block and a quota hold. Backups made before still have the words. Works beside a
    running desk.
    """
    from bot import upkeep

    loaded = _begin(level)
    locale = locale_of(loaded)
    found = asyncio.run(upkeep.person(loaded.config, who))
    name = f"{printable(found.name) or '—'} (#{found.id})"
    if not yes:
        click.confirm(say(locale, "operator.forget_ask", name=name), abort=True)
    asyncio.run(upkeep.forget(loaded.config, found.id))
    click.echo(say(locale, "operator.forgotten", name=name))
    return 0


# --- dead letters -------------------------------------------------------------------------------


@click.group(short_help="Messages that were given up: look, try again.")
def dead() -> None:
    """Messages that were given up after several attempts: look at them, try them again.

    Their senders were told that it did not work.
    """


@dead.command("list", short_help="The newest: number, time, conversation, why.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.pass_obj
def dead_list(level: str, limit: int) -> int:
    """Show the newest dead letters: number, time, conversation, and why.

    Those with a star never became a message and cannot be tried again.
    """
    from bot import upkeep

    loaded = _begin(level)
    found = asyncio.run(upkeep.letters(loaded.config, limit))
    for one in found:
        click.echo(_line(one, loaded))
    if not found:
        click.echo(say(locale_of(loaded), "operator.no_letters"))
    return 0


def _line(one: DeadLetter, loaded: Loaded) -> str:
    from bot.upkeep import when

    star = " " if one.readable else "*"
    error = " ".join(printable(one.error).split())
    error = error if len(error) <= _LINE else error[: _LINE - 1] + "…"
    at = when(one.received_at, loaded.config)
    return f"{one.id:>6}{star} {at}  {printable(one.conversation) or '-'}  {error}"


@dead.command("show", short_help="One of them, whole.")
@click.argument("number", type=_LETTER)
@click.pass_obj
def dead_show(level: str, number: int) -> int:
    """Show one dead letter whole: who wrote what, why it was given up, and what the platform sent.

    This prints what a person wrote; mind who reads along.
    """
    from bot import upkeep

    loaded = _begin(level)
    one = asyncio.run(upkeep.letter(loaded.config, number))
    buried = "" if one.buried_at is None else upkeep.when(one.buried_at, loaded.config)
    rows = {
        "received": upkeep.when(one.received_at, loaded.config),
        "given_up": buried,
        "conversation": one.conversation,
        "sender": one.sender,
        "error": one.error,
        "text": one.text,
        "raw": one.raw,
    }
    locale = locale_of(loaded)
    for name, content in rows.items():
        if content:
            click.echo(f"{say(locale, f'operator.{name}')}: {printable(content)}")
    if not one.readable:
        click.echo(say(locale, "operator.unreadable"))
    return 0


@dead.command("requeue", short_help="Put them back into their lines.")
@click.argument("numbers", nargs=-1, type=_LETTER, metavar="[NUMBER]...")
@click.option("--all", "every", is_flag=True, help="All that can be tried again.")
@click.pass_obj
def dead_requeue(level: str, numbers: tuple[int, ...], *, every: bool) -> int:
    """Put dead letters back into their lines, as if they had just come.

    A running desk answers them at once, else the next start does. The apology that stands in the
    chat is edited into the answer. Ends with status 1 when one of the numbers could not be put
    back.
    """
    from bot import upkeep

    if every == bool(numbers):
        raise click.UsageError("Name the numbers to try again (see `dead list`), or --all.")
    loaded = _begin(level)
    locale = locale_of(loaded)
    back = asyncio.run(upkeep.requeue(loaded.config, None if every else numbers))
    click.echo(say(locale, "operator.requeued", count=len(back)))
    lost = [number for number in numbers if number not in back]
    for number in lost:
        click.echo(say(locale, "operator.not_requeued", number=number), err=True)
    return 1 if lost else 0


def _begin(level: str) -> Loaded:
    """The settings, with the log set up."""
    loaded = load()
    log_to_stderr(loaded, level or "error")
    return loaded


COMMANDS: tuple[click.Command, ...] = (doctor, backup, restore, migrate, forget, dead)
"""What the command line registers."""
