"""The command line: `frontdesk WORD`. It reads the settings, calls the app, and explains failures.

Nothing heavy is imported before a command needs it, so that --help and errors come at once. A group
of commands that is more than a few lines has a file of its own, registered at the end of this one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bot import __version__
from bot.cli import knowledge, operator, skills
from bot.cli.start import load, locale_here, locale_of, log_to_stderr, printable
from bot.errors import (
    AlreadyRunning,
    BotError,
    ConfigError,
    KnowledgeError,
    NoDatabase,
    StorageFull,
    UserError,
)
from bot.i18n import LOCALES, say
from bot.i18n.retold import retold

if TYPE_CHECKING:
    from bot.config import Loaded
    from bot.knowledge.imports import ImportReport
    from bot.stats.report import Report
    from bot.types import Findings

WRONG = 2
"""Exit status when the operator has to change a setting or the command, as click's own."""
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
HERE = {"kb.no_entry": "cli.no_entry"}
"""Sentences that name a word of a chat, and those that name the command instead."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="frontdesk")
@click.option("-v", "--verbose", is_flag=True, help="Log everything that is done, to stderr.")
@click.pass_context
def cli(context: click.Context, *, verbose: bool) -> None:
    """A support desk for Telegram and Slack that answers from your knowledge base.

    Settings come from the environment, .env and frontdesk.toml, in this order, in the current
    directory; .env.example and config.example.toml list them all.
    """
    context.obj = "debug" if verbose else ""


@cli.command("help", hidden=True)
@click.pass_context
def help_(context: click.Context) -> None:
    """Show what --help shows, for who types the word."""
    assert context.parent is not None
    click.echo(context.parent.get_help())


@cli.command(short_help="Serve the platforms that are set up, or chat here.")
@click.pass_obj
def run(level: str) -> int:
    """Serve the platforms whose tokens are set; without any, chat right here.

    Piped input is answered line by line:  echo "How do I return an item?" | frontdesk run
    """
    loaded = load()
    if not (loaded.config.telegram.token or loaded.config.slack.bot_token):
        return _chat(loaded, level)
    log_to_stderr(loaded, level or "info")
    from bot import app

    return asyncio.run(app.run(loaded))


@cli.command(short_help="Chat with the desk in this terminal.")
@click.option("--model", metavar="NAME", default="", help="Ask this model instead.")
@click.option("--no-knowledge", is_flag=True, help="The model alone, without the knowledge base.")
@click.pass_obj
def chat(level: str, model: str, *, no_knowledge: bool) -> int:
    """Chat with the desk in this terminal, whatever platforms are set up.

    Enter sends; Alt-Enter, or Enter after a backslash, starts a new line; what is pasted stays as
    it is. Tab completes a /command and the arrows bring back earlier lines. Ctrl-C, or the
    word stop on a line, ends an answer; Ctrl-D or quit leaves. Piped input is answered line by
    line.

    While a desk runs on the same database, this chat reads its knowledge and keeps nothing.
    """
    loaded = load()
    return _chat(loaded, level, model=model, knowledge=not no_knowledge)


def _chat(loaded: Loaded, level: str, **choice: Any) -> int:
    log_to_stderr(loaded, level or "warning")
    from bot import chat as terminal

    locale = locale_of(loaded)

    def tell(key: str, about: str) -> None:
        click.echo(say(locale, key, path=about, text=printable(about)), err=True)

    return asyncio.run(terminal.run(loaded, tell=tell, locale=locale, **choice))


@cli.group()
def kb() -> None:
    """Look into the knowledge base, or add to it."""


@kb.command("import", short_help="Take in a file or a folder.")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.pass_obj
def kb_import(level: str, path: Path) -> int:
    """Take in PATH, a file or a folder: Markdown, text, HTML, PDF, Word, CSV and JSONL of FAQs.

    Works beside a running desk, which then does it. Files that did not change are skipped; what
    vanished from a folder is forgotten. Ends with status 1 when a file could not be read.
    """
    loaded = load()
    log_to_stderr(loaded, level or "warning")
    report = asyncio.run(_imported(loaded, path.absolute()))
    knowledge.tell(report, locale_of(loaded))
    return 1 if report.failed else 0


async def _imported(loaded: Loaded, path: Path) -> ImportReport:
    """By the running desk, or by ourselves when none is running."""
    import msgspec

    from bot.control import call, socket_path
    from bot.desk import open_desk, take_in
    from bot.errors import DeskDown
    from bot.knowledge.imports import ImportReport

    try:
        found = await call(socket_path(loaded.config.database), "kb_import", path=str(path))
    except DeskDown:
        async with open_desk(loaded) as desk:
            with knowledge.progress(say(locale_of(loaded), "kb.reading")) as tell:
                found = await take_in(desk.knowledge, path, progress=tell, refit=True)
    return msgspec.convert(found, ImportReport)


@kb.command("search", short_help="Which passages answer a question, and how surely.")
@click.argument("question", nargs=-1, required=True)
@click.option("--lang", type=click.Choice(LOCALES), help="The asker's language.")
@click.option("-n", "--limit", type=click.IntRange(1, 50), default=5, show_default=True)
@click.pass_obj
def kb_search(level: str, question: tuple[str, ...], lang: str | None, limit: int) -> int:
    """Show which passages answer QUESTION, best first, and how sure the desk is.

    Ends with status 1 when nothing was found.
    """
    loaded = load()
    log_to_stderr(loaded, level or "warning")
    locale = lang or locale_of(loaded)
    findings = asyncio.run(_found(loaded, " ".join(question), locale, limit))
    click.echo(_search_text(findings, locale))
    return 0 if findings.passages else 1


async def _found(loaded: Loaded, question: str, locale: str, limit: int) -> Findings:
    from bot.desk import open_desk

    async with open_desk(loaded, read_only=True) as desk:
        return await desk.knowledge.search(question, locale=locale, limit=limit)


def _search_text(findings: Findings, locale: str) -> str:
    if not findings.passages:
        return say(locale, "cli.nothing_found")
    sure = {"scope": f"{findings.scope:.2f}", "top": f"{findings.p_top:.2f}"}
    lines = [say(locale, "cli.confidence", **sure)]
    for number, one in enumerate(findings.passages, start=1):
        lines.append(f"\n{number}. {one.title or one.source}  ({one.score:.2f} · {one.source})")
        lines.append("   " + " ".join(printable(one.body).split())[:300])
    return "\n".join(lines)


@cli.command(short_help="Requests, success, tokens, cost and times.")
@click.argument("span", metavar="[today|7d|30d|FROM..TO]", default="today")
@click.option("--lang", type=click.Choice(LOCALES), help="The language of the table.")
@click.option("--csv", "as_csv", is_flag=True, help="For a spreadsheet, to standard output.")
@click.pass_obj
def stats(level: str, span: str, lang: str | None, *, as_csv: bool) -> int:
    """Show requests, success, tokens, cost and times, as /stats does in a chat.

    FROM and TO are days, as 2026-01-01..2026-01-31, in the desk's time zone. Into a file:
    frontdesk stats 30d --csv > stats.csv
    """
    from bot.stats.render import render
    from bot.stats.table import csv_of

    loaded = load()
    log_to_stderr(loaded, level or "warning")
    report = asyncio.run(_statistics(loaded, span))
    if as_csv:
        click.echo(csv_of(report), nl=False)
    else:
        click.echo(render(report, lang or locale_of(loaded)))
    return 0


async def _statistics(loaded: Loaded, span: str) -> Report:
    from bot.desk import open_desk

    async with open_desk(loaded, read_only=True) as desk:
        return await desk.reports.read(span)


for _command in (*operator.COMMANDS, *skills.COMMANDS):
    cli.add_command(_command)
for _command in knowledge.COMMANDS:
    kb.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit. No failure shows a traceback that the operator must decipher."""
    sys.exit(_explained(lambda: cli.main(arguments, "frontdesk", standalone_mode=False)))


def _explained(command: Callable[[], Any]) -> int:
    """The exit status of a command, its failure put into words."""
    try:
        return int(command() or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ConfigError as error:
        return _complain(_bad_settings(error, locale_here()), WRONG)
    except UserError as error:
        return _complain(say(locale_here(), HERE.get(error.key, error.key), **error.values), WRONG)
    except KnowledgeError as error:
        from bot.knowledge.causes import why

        text = retold(why(error, locale_here()), locale_here())
        return _complain(say(locale_here(), "cli.failed", text=text), 1)
    except AlreadyRunning as error:
        return _complain(say(locale_here(), "cli.already_running", detail=str(error)), 1)
    except NoDatabase as error:
        return _complain(say(locale_here(), "cli.no_database", path=error.path), 1)
    except StorageFull:
        return _complain(say(locale_here(), "cli.disk_full"), 1)
    except BotError as error:
        return _complain(say(locale_here(), "cli.failed", text=str(error)), 1)
    except Exception:  # noqa: BLE001  # the CLI's guard: whatever it is, it ends in words
        return _complain(say(locale_of(None), "cli.internal", reference=_logged()), 1)


def _logged() -> str:
    """Log the exception at hand; the reference that ties it to what is said."""
    import random

    import structlog

    from bot.telemetry import reference

    made = reference(random.choice)
    structlog.get_logger().exception("command_failed", reference=made)
    return made


def _complain(text: str, status: int) -> int:
    click.echo(text, err=True)
    return status


def _bad_settings(error: ConfigError, locale: str) -> str:
    lines = [f"  {retold(line, locale)}" for line in str(error).splitlines()]
    return say(locale, "cli.bad_settings", problems="\n".join(lines))
