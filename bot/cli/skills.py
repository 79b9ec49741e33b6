"""`frontdesk skill` and `frontdesk batch`: the model at work from the command line.

A batch imports little more than the model's client: it is started often, from scripts.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.start import NewFile, load, locale_of, log_to_stderr, printable
from bot.errors import ConfigError, ModelError, UserError
from bot.i18n import LOCALES, say

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.config import Config, Loaded
    from bot.engine.skills import Given, Skill
    from bot.model.batch import Progress, Prompt
    from bot.model.fallback import Report
    from bot.ports import Knowledge, Model
    from bot.types import ChatRequest

STOPPED = 130
"""128 + SIGINT, as shells report it."""
BAR = 20
"""Columns of the progress bar."""
REDRAW_SECONDS = 0.1

_temperature = click.option(
    "--temperature", type=click.FloatRange(0, 2), help="0 is steady, 1 and more is inventive."
)
_max_tokens = click.option(
    "--max-tokens", type=click.IntRange(16, 131_072), help="The longest answer."
)
_language = click.option("--lang", type=click.Choice(LOCALES), help="The language of the answers.")


@click.command("skill", short_help="Use a skill, as /blog or /code in a chat.")
@click.argument("name")
@click.argument("words", nargs=-1)
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="What to work on: a text file, or - for what is piped in.",
)
@_temperature
@_max_tokens
@_language
@click.pass_obj
def skill(
    level: str,
    name: str,
    words: tuple[str, ...],
    *,
    file: Path | None,
    temperature: float | None,
    max_tokens: int | None,
    lang: str | None,
) -> int:
    """Use the skill NAME, as /NAME does in a chat. WORDS are its arguments.

    frontdesk skill blog "Winter lamps, 300 words"

    frontdesk skill product "Aurora | warm light, dimmable | families"

    frontdesk skill summarize --file minutes.txt words=80
    """
    loaded = load()
    locale = lang or locale_of(loaded)
    found = _found(loaded, name)
    if found.knowledge:
        log_to_stderr(loaded, level or "warning")
    given = _complete(found, _understood(found, words, file), locale)
    given = _bent(given, temperature, max_tokens)
    return asyncio.run(_tell(loaded, found, given, locale, _late_log(loaded, level)))


def _found(loaded: Loaded, name: str) -> Skill:
    """Raises UserError for a skill that is none, ConfigError for a wrong file."""
    from bot.engine.skills import load_skills

    table = load_skills(Path(loaded.config.skills))
    if name not in table:
        raise UserError("skill.unknown", word=name, known=", ".join(table))
    return table[name]


def _understood(skill: Skill, words: tuple[str, ...], file: Path | None) -> Given:
    """What the command line tells, a file included. Raises UserError."""
    from bot.engine.skills import understood
    from bot.engine.skills.run import text_of

    quoted = ""
    if file is not None:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        quoted = text_of(file.name, content)
    return understood(skill, " ".join(words), quoted=quoted)


def _complete(skill: Skill, given: Given, locale: str) -> Given:
    """Ask a person at a terminal for what is missing; tell a script what is. Raises UserError."""
    from bot.engine.skills import answered
    from bot.engine.skills.run import question_of

    while missing := given.lacks(skill):
        question = question_of(missing, locale)
        if not sys.stdin.isatty():
            raise UserError("skill.missing", name=missing.name, ask=question)
        given = answered(skill, given, click.prompt(question, err=True))
    return given


def _bent(given: Given, temperature: float | None, max_tokens: int | None) -> Given:
    """With the options of this call."""
    import msgspec

    if temperature is not None:
        given = msgspec.structs.replace(given, temperature=temperature)
    if max_tokens is not None:
        given = msgspec.structs.replace(given, max_tokens=max_tokens)
    return given


async def _tell(loaded: Loaded, skill: Skill, given: Given, locale: str, report: Report) -> int:
    """Write the answer to stdout as it comes; status 1 when it is not whole."""
    from bot.engine.skills import Author, Occasion
    from bot.model.batch import PROMPT_SECONDS
    from bot.types import Done, Replace, Retract, Text

    whole = True
    async with _at_work(loaded, knowing=skill.knowledge, report=report) as (
        clock,
        model,
        knowledge,
    ):
        author = Author(loaded.config.desk, model, knowledge)
        deadline = clock.monotonic() + PROMPT_SECONDS
        occasion = Occasion(locale=locale, deadline=deadline)
        async with aclosing(author.answer(skill, given, occasion)) as events:
            async for event in events:
                match event:
                    case Text(delta=delta):
                        click.echo(printable(delta), nl=False)
                    case Replace():
                        click.echo("\n---")  # the reply was cut and begins anew
                    case Retract(key=key):
                        click.echo("\n" + say(locale, key), err=True)
                        whole = False
                    case Done(finish=finish):
                        whole = whole and finish == "whole"
                    case _:
                        pass
    click.echo()
    return 0 if whole else 1


@asynccontextmanager
async def _at_work(
    loaded: Loaded, *, knowing: bool, report: Report | None = None
) -> AsyncIterator[tuple[Clock, Model, Knowledge | None]]:
    """The models, and the knowledge base where it is needed."""
    if knowing:
        from bot.desk import open_desk

        async with open_desk(loaded, read_only=True) as desk:
            yield desk.clock, _speaking(loaded.config, desk.model), desk.knowledge
        return
    from bot.clock import SystemClock
    from bot.model import build_model

    clock = SystemClock()
    model = _speaking(loaded.config, build_model(loaded.config, clock, report=report))
    try:
        yield clock, model, None
    finally:
        await model.close()


def _late_log(loaded: Loaded, level: str) -> Report:
    """A log that is set up for its first line, since most uses have none: half of their start."""

    def report(name: str, error: ModelError) -> None:
        from bot.model.fallback import log_failure

        log_to_stderr(loaded, level or "warning")
        log_failure(name, error)

    return report


def _speaking(config: Config, model: Model) -> Model:
    """The model, if there is one that can do more than quote. Raises ConfigError."""
    from bot.model.build import usable

    if not any(usable(one) for one in config.models):
        raise ConfigError("MODEL_API_KEY: expected one (or MODEL_BASE_URL), for a model to ask")
    return model


# --- many prompts ------------------------------------------------------------------------------


@click.command("batch", short_help="Answer many prompts from a file; can be killed and resumed.")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--out", "target", required=True, type=NewFile(),
    help="Where the answers go, one a line in the order of the prompts.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256), default=8, show_default=True)
@click.option("--no-cache", is_flag=True, help="Ask again even what was asked before.")
@click.option("--skill", "name", help="Take each prompt for the arguments of this skill.")
@_temperature
@_max_tokens
@_language
@click.pass_obj
def batch(
    level: str,
    source: Path,
    target: Path,
    *,
    workers: int,
    no_cache: bool,
    name: str | None,
    temperature: float | None,
    max_tokens: int | None,
    lang: str | None,
) -> int:
    """Answer the prompts in SOURCE, one a line: {"prompt": "…", "id": …, "system": "…"} or "…".

    Can be killed at any time: the same command goes on where it was. A prompt that fails is a line
    with its error, and status 1 at the end.
    """
    loaded = load()
    locale = lang or locale_of(loaded)
    bent = _bend(temperature=temperature, max_tokens=max_tokens, cacheable=not no_cache)
    make = _maker(loaded, _found(loaded, name) if name else None, bent, locale)
    try:
        total = asyncio.run(
            _batch(loaded, source, target, make, workers=workers, locale=locale, level=level)
        )
    except KeyboardInterrupt:
        click.echo("\n" + say(locale, "skill.batch_stopped", path=str(target)), err=True)
        return STOPPED
    click.echo(_summary(total, locale), err=True)
    return 1 if total.failed else 0


def _bend(
    *, temperature: float | None, max_tokens: int | None, cacheable: bool
) -> Callable[[ChatRequest], ChatRequest]:
    """What the options of the call change in every request."""

    def bent(request: ChatRequest) -> ChatRequest:
        return replace(
            request,
            temperature=request.temperature if temperature is None else temperature,
            max_tokens=max_tokens or request.max_tokens,
            cacheable=cacheable,
        )

    return bent


def _maker(
    loaded: Loaded, skill: Skill | None, bent: Callable[[ChatRequest], ChatRequest], locale: str
) -> Callable[[Prompt], ChatRequest]:
    """What makes a request of a line: the prompt as it is, or the arguments of a skill."""
    from bot.model.batch import plain_request

    if skill is None:
        return lambda prompt: bent(replace(plain_request(prompt), locale=locale))
    from bot.engine.skills import request_for, understood

    def request(prompt: Prompt) -> ChatRequest:
        """Raises ValueError, which becomes the error of the line."""
        try:
            given = understood(skill, prompt.prompt)
        except UserError as error:
            raise ValueError(say(locale, error.key, **error.values)) from error
        if missing := given.lacks(skill):
            raise ValueError(say(locale, "skill.missing", name=missing.name, ask="").strip())
        made = request_for(skill, given, loaded.config.desk, locale=locale)
        # The cache folds case and closing marks of a question, which material cannot bear.
        exact = hashlib.sha256(made.turns[-1].content.encode()).hexdigest()
        return bent(replace(made, question=exact))

    return request


async def _batch(
    loaded: Loaded,
    source: Path,
    target: Path,
    make: Callable[[Prompt], ChatRequest],
    *,
    workers: int,
    locale: str,
    level: str,
) -> Progress:
    from bot.model.batch import Answering, run
    from bot.model.cached import Cached

    report = _late_log(loaded, level)
    async with _at_work(loaded, knowing=False, report=report) as (clock, model, _):
        answering = Answering(Cached(model, clock), clock, make=make)
        line = _Line(clock, locale) if sys.stderr.isatty() else None
        tell = line.show if line else lambda progress: None
        try:
            return await run(answering, source, target, clock=clock, workers=workers, tell=tell)
        finally:
            if line:
                line.end()


class _Line:
    """The progress on one line of a terminal, drawn anew at most ten times a second."""

    def __init__(self, clock: Clock, locale: str) -> None:
        self._clock = clock
        self._locale = locale
        self._drawn = float("-inf")

    def show(self, progress: Progress) -> None:
        """Draw it, unless it was drawn just now."""
        now = self._clock.monotonic()
        if now - self._drawn >= REDRAW_SECONDS or progress.done == progress.total:
            self._drawn = now
            click.echo(f"\r\x1b[2K{bar(progress, self._locale)}", nl=False, err=True)

    def end(self) -> None:
        """Leave the line."""
        click.echo(err=True)


def bar(progress: Progress, locale: str) -> str:
    """How far a batch is, in one line."""
    full = BAR * progress.done // max(1, progress.total)
    left = progress.seconds_left
    text = say(
        locale,
        "skill.progress",
        done=progress.done,
        total=progress.total,
        failed=progress.failed,
        cached=progress.cached,
        left="–" if left is None else f"{int(left) // 60}:{int(left) % 60:02}",
    )
    return f"[{'#' * full}{'-' * (BAR - full)}] {text}"


def _summary(total: Progress, locale: str) -> str:
    return say(
        locale,
        "skill.batch_done",
        done=total.done,
        total=total.total,
        failed=total.failed,
        cached=total.cached,
        tokens=total.tokens,
        seconds=f"{total.seconds:.1f}",
    )


COMMANDS = (skill, batch)
"""What the command line gains by this file."""
