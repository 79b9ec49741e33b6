"""The operator's knowledge commands: measure, explain, list, change, and go back.

What reads does so beside a running desk; what writes is done by the running desk, or by ourselves
under the database's lock when none is running.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from bot.cli.start import NewFile, load, locale_of, log_to_stderr, printable
from bot.i18n import LOCALES, say

if TYPE_CHECKING:
    from bot.config import Loaded
    from bot.desk import Desk
    from bot.engine.drafting import Draft
    from bot.knowledge.gaps import Cluster
    from bot.knowledge.imports import ImportReport, Progress

T = TypeVar("T")

COUNTS = ("files", "unchanged", "added", "changed", "removed")
"""The numbers of an ImportReport."""

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")
_LANG = click.option("--lang", type=click.Choice(LOCALES), help="The asker's language.")


@click.command("eval", short_help="How well the knowledge base finds, and knows what it lacks.")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@_JSON
@click.pass_obj
def evaluated(level: str, file: str | None, *, as_json: bool) -> int:
    """Ask the questions of FILE and count; without FILE the base's own, each with itself taken out.

    FILE is JSONL: {"text": …, "kind": "in|near|far", "rel": [entry or source ids]}. Changes
    nothing, and works beside a running desk.
    """
    from bot.engine import knowledge_text as told
    from bot.knowledge.cases import load_cases
    from bot.knowledge.evaluate import Evaluation, evaluate, evaluate_itself

    loaded = _begin(level)
    cases = load_cases(file) if file else None

    async def work(desk: Desk) -> Evaluation:
        if cases is None:
            return await evaluate_itself(desk.knowledge, desk.clock)
        return await evaluate(desk.knowledge, cases, desk.clock)

    seen = _read(loaded, work)
    key = "kb.evaluated" if cases is None else "kb.evaluated_file"
    _show(seen, as_json, lambda: told.evaluation(seen, locale_of(loaded), key=key))
    return 0


@click.command(short_help="Why a question is answered as it is.")
@click.argument("question", nargs=-1, required=True)
@_LANG
@_JSON
@click.pass_obj
def explain(level: str, question: tuple[str, ...], lang: str | None, *, as_json: bool) -> int:
    """Lay one search open: terms, candidates, scores, thresholds, decision."""
    from bot.engine import knowledge_text as told

    loaded = _begin(level)
    locale = lang or locale_of(loaded)
    found = _read(loaded, lambda desk: desk.knowledge.explain(" ".join(question), locale=locale))
    _show(found, as_json, lambda: told.explained(found, locale_of(loaded)))
    return 0


@click.command(short_help="What people asked in vain, gathered.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True)
@click.option(
    "--drafts",
    type=click.IntRange(0, 100),
    default=10,
    show_default=True,
    help="How many a model drafts an entry for, where there is a model.",
)
@_JSON
@click.pass_obj
def gaps(level: str, days: int, drafts: int, *, as_json: bool) -> int:
    """Gather the questions that nobody could answer lately, most asked first.

    Where there is a model, it drafts an entry for each of the first, from what is known nearby.
    """
    import msgspec

    from bot.engine import knowledge_text as told

    loaded = _begin(level)
    found, made = _read(loaded, lambda desk: _drafted(desk, days=days, most=drafts))
    rows = [msgspec.to_builtins(one) | {"draft": made.get(one.question)} for one in found]
    _show(rows, as_json, lambda: told.gaps(found, made, locale_of(loaded), line=_to_add))
    return 0


def _to_add(draft: Draft) -> str:
    """What makes an entry of a draft in a shell."""
    return f"frontdesk kb add {shlex.quote(draft.question)} {shlex.quote(draft.answer)}"


async def _drafted(desk: Desk, *, days: int, most: int) -> tuple[list[Cluster], dict[str, Draft]]:
    """What was asked in vain, and by its question what a model would write."""
    from bot.desk import speaks
    from bot.engine.drafting import Drafting

    found = await desk.knowledge.gaps(desk.clock.now() - days * 86_400_000)
    if not speaks(desk.config):
        return found, {}
    return found, await Drafting(desk.knowledge, desk.model).drafts(found[:most])


@click.command(short_help="Who changed what, and when.")
@click.argument("uid", metavar="[ID]", required=False, default="")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@_JSON
@click.pass_obj
def history(level: str, uid: str, limit: int, *, as_json: bool) -> int:
    """Tell the changes of the entry ID, or of all, newest first."""
    from bot.engine import knowledge_text as told

    loaded = _begin(level)
    past = _read(loaded, lambda desk: desk.knowledge.entries.history(uid, limit=limit))
    _show(past, as_json, lambda: told.history(past, locale_of(loaded), zone=_zone(loaded)))
    return 0


@click.command("list", short_help="The entries there are.")
@click.argument("containing", nargs=-1)
@_JSON
@click.pass_obj
def listed(level: str, containing: tuple[str, ...], *, as_json: bool) -> int:
    """List the live entries, or those whose id, source or title contains the words given."""
    from bot.engine import knowledge_text as told

    loaded = _begin(level)
    found = _read(loaded, lambda desk: desk.knowledge.entries.all(" ".join(containing)))
    _show(found, as_json, lambda: told.listed(found, locale_of(loaded), most=len(found)))
    return 0


@click.command(short_help="One entry whole, with its history.")
@click.argument("uid", metavar="ID")
@_JSON
@click.pass_obj
def show(level: str, uid: str, *, as_json: bool) -> int:
    """Show the entry ID: its wordings, its answer, and who changed it."""
    from bot.engine import knowledge_text as told

    loaded = _begin(level)
    view = _read(loaded, lambda desk: desk.knowledge.entries.show(uid))
    past = _read(loaded, lambda desk: desk.knowledge.entries.history(uid, limit=20))
    _show(view, as_json, lambda: told.entry(view, past, locale_of(loaded), zone=_zone(loaded)))
    return 0


@click.command(short_help="All FAQs as JSONL that can be imported again.")
@click.option("-o", "--output", type=NewFile(), help="Into a file.")
@click.pass_obj
def export(level: str, output: Path | None) -> int:
    """Write all FAQs as JSONL, ids and further wordings kept, to the screen or a file."""
    text = _read(_begin(level), lambda desk: desk.knowledge.entries.export())
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
    return 0


@click.command(short_help="Add an FAQ.")
@click.argument("question")
@click.argument("answer")
@click.pass_obj
def add(level: str, question: str, answer: str) -> int:
    """Add an FAQ, or give the one of the same wording another answer.

    frontdesk kb add "Do you ship to Norway?" "Yes, within five days."
    """
    from bot.engine.knowledge_words import uid_of

    return _change(level, "add", question, answer, said="kb.added", uid=uid_of(question))


@click.command(short_help="Give an FAQ another answer.")
@click.argument("uid", metavar="ID")
@click.argument("answer", nargs=-1, required=True)
@click.pass_obj
def edit(level: str, uid: str, answer: tuple[str, ...]) -> int:
    """Give the FAQ ID another ANSWER. From then on no imported file changes it."""
    return _change(level, "edit", uid, " ".join(answer), said="kb.edited")


@click.command(short_help="Take an entry out.")
@click.argument("uid", metavar="ID")
@click.pass_obj
def remove(level: str, uid: str) -> int:
    """Take the entry ID out. One that a file gave comes back when that file changes."""
    return _change(level, "remove", uid, said="kb.removed")


@click.command(short_help="Go back to an earlier state of the knowledge base.")
@click.argument("number", required=False, type=click.IntRange(1))
@click.pass_obj
def rollback(level: str, number: int | None) -> int:
    """Make the base what it was in state NUMBER. Without it the states are shown."""
    from bot.engine import knowledge_text as told

    if number is not None:
        return _change(level, "rollback", str(number), said="kb.rolled_back")
    loaded = _begin(level)
    known = _read(loaded, lambda desk: desk.knowledge.entries.generations())
    word, zone = "frontdesk kb rollback", _zone(loaded)
    click.echo(printable(told.generations(known, locale_of(loaded), word=word, zone=zone)))
    return 0


@click.command(short_help="Embed now what has no vector yet, and fit the embedder.")
@click.pass_obj
def embed(level: str) -> int:
    """Embed what is missing and measure how the embedder is best weighed, without a desk running.

    A desk that runs does so by itself; then only how far it is gets told.
    """
    from bot.control import running_at, socket_path
    from bot.errors import ConfigError

    loaded = _begin(level)
    if loaded.config.embedder.kind == "none":
        raise ConfigError("embedder.kind: expected openai or local; there is no embedder")
    if asyncio.run(running_at(socket_path(loaded.config.database))):
        click.echo(_read(loaded, lambda desk: _standing(desk, locale_of(loaded))))
    else:
        click.echo(asyncio.run(_embedded(loaded)))
    return 0


async def _embedded(loaded: Loaded) -> str:
    """Under the database's lock, with a bar on a terminal."""
    from bot.desk import open_desk
    from bot.knowledge.embedding import Embedding

    locale = locale_of(loaded)
    async with open_desk(loaded) as desk:
        dense = desk.knowledge.dense
        assert dense is not None, "an embedder is set"
        folder = loaded.config.knowledge.folder
        with progress(say(locale, "kb.embedding")) as tell:
            await Embedding(desk.knowledge, dense, desk.clock, folder=folder).keep_up(
                lambda standing: tell("", standing.done, standing.texts)
            )
        return await _standing(desk, locale)


async def _standing(desk: Desk, locale: str) -> str:
    from bot.engine import knowledge_text as told

    dense = desk.knowledge.dense
    assert dense is not None, "an embedder is set"
    return told.embedder(dense.health(), locale)


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Tells how far an import is, in a bar on a terminal's stderr; elsewhere it is silent."""
    if not sys.stderr.isatty():
        yield lambda _name, _done, _of: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def tell(_name: str, done: int, of: int) -> None:
            bar.length = max(1, of)
            bar.update(done - bar.pos)

        yield tell
        bar.update((bar.length or 1) - bar.pos)


def tell(report: ImportReport, locale: str) -> None:
    """What an import did, to the screen; what failed, to stderr."""
    from bot.engine import knowledge_text as told
    from bot.knowledge.causes import told as cause

    counts = {name: getattr(report, name) for name in COUNTS}
    lines = [say(locale, "cli.imported", **counts)]
    lines += [say(locale, "cli.skipped", text=name) for name in report.skipped]
    lines += [cause(note, locale) for note in report.notes]
    lines += [say(locale, "cli.kept", text=uid) for uid in report.kept]
    lines += told.twins(report.twins, locale)
    click.echo(printable("\n".join(lines)))
    for problem in report.failed:
        text = say(locale, "cli.import_failed", text=cause(problem, locale))
        click.echo(printable(text), err=True)


def _begin(level: str) -> Loaded:
    loaded = load()
    log_to_stderr(loaded, level or "warning")
    return loaded


def _zone(loaded: Loaded) -> ZoneInfo:
    return ZoneInfo(loaded.config.desk.timezone)


def _read(loaded: Loaded, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Work on a desk that changes nothing."""
    from bot.desk import open_desk

    async def worked() -> T:
        async with open_desk(loaded, read_only=True) as desk:
            return await work(desk)

    return asyncio.run(worked())


def _change(
    level: str, word: str, target: str, answer: str = "", *, said: str, uid: str = ""
) -> int:
    from bot.engine import knowledge_text as told

    loaded = _begin(level)
    report = asyncio.run(_changed(loaded, word=word, target=target, answer=answer))
    locale = locale_of(loaded)
    key = "kb.edited" if word == "add" and report.changed else said
    lines = [say(locale, key, uid=uid or target, number=target)]
    click.echo(printable("\n".join([*lines, *told.twins(report.twins, locale)])))
    return 0


async def _changed(loaded: Loaded, **arguments: str) -> ImportReport:
    """By the running desk, or by ourselves when none is running."""
    import msgspec

    from bot.control import call, socket_path
    from bot.desk import change, open_desk
    from bot.errors import DeskDown
    from bot.knowledge.imports import ImportReport

    try:
        found = await call(socket_path(loaded.config.database), "kb_change", **arguments)
    except DeskDown:
        async with open_desk(loaded) as desk:
            found = await change(desk.knowledge, **arguments)
    return msgspec.convert(found, ImportReport)


def _show(found: Any, as_json: bool, text: Callable[[], str]) -> None:  # noqa: FBT001  # a flag as click gives it
    import msgspec

    if as_json:
        made = msgspec.json.format(msgspec.json.encode(found), indent=2)
        click.echo(made.decode())
    else:
        click.echo(printable(text()))


COMMANDS = (
    evaluated,
    explain,
    gaps,
    listed,
    show,
    history,
    export,
    add,
    edit,
    remove,
    rollback,
    embed,
)
