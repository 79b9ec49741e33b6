"""A desk without its platforms: stores, knowledge, model, reports and the engine over them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bot.clock import Clock, SystemClock
from bot.config import Config, Loaded
from bot.engine.admission import Admission
from bot.engine.answer import Answerer
from bot.engine.broadcasting import Broadcasting
from bot.engine.commands import Command, Commands
from bot.engine.continuing import Continuing
from bot.engine.drafting import Drafting
from bot.engine.engine import Engine
from bot.engine.handoff import Handoff
from bot.engine.knowledge_words import KnowledgeWords
from bot.engine.numbers import Numbers
from bot.engine.owners import Owners
from bot.engine.personal import Personal
from bot.engine.reports import Reports
from bot.engine.sent import Fetch as FetchUpTo
from bot.engine.sharing import Sharing
from bot.engine.skills import Author, Skills, load_skills
from bot.engine.skills.run import Fetch
from bot.engine.summary import Summariser
from bot.errors import UserError
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.imports import ImportReport, Progress, quiet
from bot.knowledge.meaning import Vectors
from bot.model import build_model, probe
from bot.model.build import build_embedder, usable
from bot.model.layers import Cached, Metered
from bot.model.masked import Masked
from bot.model.tokens import cost, tokens
from bot.ports import Model
from bot.reply.deliver import Price
from bot.reply.record import Cost
from bot.types import ProviderHealth, Usage, value
from storage import Stores, open_stores

if TYPE_CHECKING:
    # It stands on numpy, which a desk without an embedder does not load.
    from bot.knowledge.dense import Dense

CONSOLE_OWNER = "console:local"
"""Whoever sits at the console runs the process, and could read its files anyway."""


@value
class Desk:
    """What the CLI's commands and the running service share. `sources` as in Loaded."""

    config: Config
    clock: Clock
    stores: Stores
    knowledge: KnowledgeBase
    model: Model
    reports: Reports
    summariser: Summariser
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def admins(self) -> frozenset[str]:
        """Who may use the owners' words."""
        return self.config.admins | {CONSOLE_OWNER}


@asynccontextmanager
async def open_desk(
    loaded: Loaded,
    *,
    read_only: bool = False,
    database: str | None = None,
    knowledge: str | None = None,
) -> AsyncIterator[Desk]:
    """Open the stores and the model. Raises AlreadyRunning when another process writes.

    `knowledge` names another database, whose knowledge is read instead of this one's.
    """
    config, clock = loaded.config, SystemClock()
    config = replace(config, database=database or config.database)
    async with AsyncExitStack() as stack:
        stores = await open_stores(config.database, clock, read_only=read_only)
        stack.push_async_callback(stores.close)
        passages, vectors = stores.passages, stores.vectors
        if knowledge is not None:
            read = await open_stores(knowledge, clock, read_only=True)
            stack.push_async_callback(read.close)
            passages, vectors = read.passages, read.vectors
        model = _model(config, clock)
        stack.push_async_callback(model.close)
        dense = await _dense(config, vectors, clock, stack, read_only=read_only)

        async def ask_model() -> ProviderHealth | None:
            return await probe(model, clock) if speaks(config) else None

        yield Desk(
            config=config,
            sources=loaded.sources,
            clock=clock,
            stores=stores,
            knowledge=KnowledgeBase(
                passages, clock, file_max=config.knowledge.file_max_bytes, dense=dense
            ),
            model=model,
            reports=Reports(
                config.desk,
                clock,
                stores.ledger,
                stores.inbox,
                ask_model,
                embedder=dense.health if dense else None,
            ),
            summariser=Summariser(
                stores.summaries,
                model,
                clock,
                estimate=tokens,
                history_turns=config.desk.history_turns,
            ),
        )


async def _dense(
    config: Config, vectors: Vectors, clock: Clock, stack: AsyncExitStack, *, read_only: bool
) -> Dense | None:
    """Search by meaning where an embedder is set; a desk that runs loads its vectors beside it."""
    embedder = build_embedder(config.embedder, clock, mask=config.privacy.mask)
    if embedder is None:
        return None
    from bot.knowledge.dense import Dense

    stack.push_async_callback(embedder.close)
    dense = Dense(embedder, vectors, clock)
    stack.push_async_callback(dense.close)
    if read_only:
        await dense.load()
    return dense


def speaks(config: Config) -> bool:
    """There is a language model, so more can be given than excerpts."""
    return any(usable(model) for model in config.models)


def _model(config: Config, clock: Clock) -> Model:
    """The chain of models, counted; equal questions asked before are not paid for again."""
    chain = build_model(config, clock)
    if not speaks(config):
        return chain
    prices = {model.name: model for model in config.models}
    model: Model = Metered(Cached(chain, clock), clock, prices=prices)
    # Outermost, so that the cache keeps placeholders only.
    return Masked(model, config.privacy.mask) if config.privacy.mask else model


def price_of(config: Config) -> Price:
    """What tokens of a model cost, by the prices in the settings; unknown rather than a guess."""
    prices = {model.name: model for model in config.models}

    def price(name: str, usage: Usage) -> Cost:
        model = prices.get(name)
        amount = cost(usage, model) if model else None
        return Cost(amount=amount, currency=model.currency if model and amount is not None else "")

    return price


async def build_engine(desk: Desk, *, fetch: FetchUpTo | None = None) -> tuple[Engine, Commands]:
    """The engine over a desk, and the words it knows. `fetch` brings files sent with messages."""
    config, stores = desk.config, desk.stores
    handoff = Handoff(config.desk, stores.tickets, config.staff)
    skills = _skills(desk, fetch)
    answerer = Answerer(
        config.desk,
        desk.knowledge,
        stores.history,
        desk.model,
        handoff,
        speaks=speaks(config),
        estimate=tokens,
        context_tokens=min((model.context_tokens for model in config.models), default=0),
    )
    continuing = Continuing(config.desk, answerer, skills, stores.continuations)
    commands = Commands(
        config.desk,
        stores.history,
        handoff,
        health=desk.reports.health,
        more=(
            *(continuing.command(), *_rows(desk), _kb(desk, fetch).command()),
            *skills.commands(),
        ),
    )
    # What person ids are masked with towards the provider; made once per database.
    salt = await stores.settings.get_or_set("salt", secrets.token_hex(32))
    engine = Engine(
        config.desk,
        stores.people,
        answerer,
        commands,
        admins=desk.admins,
        staff=config.staff,
        salt=bytes.fromhex(salt),
        access=config.access,
        spending=stores.spending,
        clock=desk.clock,
        forms=stores.forms,
        summariser=desk.summariser if speaks(config) else None,
    )
    return engine, commands


def _kb(desk: Desk, fetch: FetchUpTo | None) -> KnowledgeWords:
    """The word /kb; it drafts entries where there is a language model."""
    drafting = Drafting(desk.knowledge, desk.model) if speaks(desk.config) else None
    return KnowledgeWords(
        desk.knowledge,
        desk.clock,
        drafting=drafting,
        fetch=fetch,
        timezone=desk.config.desk.timezone,
    )


def _skills(desk: Desk, fetch: Fetch | None) -> Skills:
    """The shipped skills and the operator's own. Raises ConfigError for a file that is wrong."""
    config = desk.config
    return Skills(
        load_skills(Path(config.skills)),
        Author(config.desk, desk.model, desk.knowledge),
        desk.clock,
        desk.stores.uses,
        timezone=config.desk.timezone,
        speaks=speaks(config),
        fetch=fetch,
    )


def _rows(desk: Desk) -> tuple[Command, ...]:
    """The words for those who run the desk, and for everybody about their own data."""
    stores = desk.stores
    broadcasting = Broadcasting(
        desk.clock, stores.broadcasts, code=lambda: f"{secrets.randbelow(10**6):06}"
    )
    return (
        *Personal(desk.config.privacy, stores.exports).commands(),
        *Owners(desk.config.desk, stores.directory, stores.audits, admins=desk.admins).commands(),
        broadcasting.command(),
        *numbers(desk).commands(),
        Admission(
            desk.config.http, desk.clock, token=lambda: secrets.token_bytes(32).hex()
        ).command(),
        Sharing(stores.history).command(),
    )


def numbers(desk: Desk) -> Numbers:
    """What those who run the desk ask it about itself, and the digest it sends unasked."""
    return Numbers(
        desk.config.desk,
        desk.clock,
        desk.reports,
        directory=desk.stores.directory,
        inbox=desk.stores.inbox,
        staff=desk.config.staff,
    )


async def take_in(
    knowledge: KnowledgeBase,
    path: Path,
    *,
    by: str = "cli",
    progress: Progress = quiet,
    refit: bool = False,
) -> dict[str, Any]:
    """Import a file or a folder; the ImportReport as plain JSON, as the control socket carries it.

    Raises KnowledgeError for what is neither.
    """
    if await asyncio.to_thread(path.is_dir):
        report = await knowledge.import_folder(path, by=by, progress=progress, refit=refit)
    else:
        report = await knowledge.import_file(path, by=by)
        if refit and report.moved:
            await knowledge.refit()
    made: dict[str, Any] = msgspec.to_builtins(report)
    return made


async def change(
    knowledge: KnowledgeBase, *, word: str, target: str, answer: str = "", by: str = "cli"
) -> dict[str, Any]:
    """`add`, `edit` and `remove` of an entry, or `rollback` to a state; the ImportReport as JSON.

    `target` is the question, the entry or the state. Raises what entries raise.
    """
    match word:
        case "add":
            report = await knowledge.entries.add(target, answer, by=by)
        case "edit":
            report = await knowledge.entries.edit(target, by=by, answer=answer)
        case "remove":
            report = await knowledge.entries.remove(target, by=by)
        case "rollback":
            if target not in {str(one.id) for one in await knowledge.entries.generations()}:
                raise UserError("kb.no_generation", number=target)
            report = ImportReport(generation=await knowledge.entries.rollback(int(target), by=by))
        case _:
            raise UserError("kb.usage")
    made: dict[str, Any] = msgspec.to_builtins(report)
    return made
