"""How the doctor learns the facts: each probe asks one part of the world, and leaves it as it was.

Beside `app`, the other place that knows platforms and databases by name.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import SystemRandom
from urllib.parse import urlsplit

import aiohttp

from bot.clock import Clock, SystemClock
from bot.config import Config, Loaded, ModelConfig
from bot.control import running_at, socket_path
from bot.desk import open_desk, take_in
from bot.doctor import (
    ChartFacts,
    DatabaseFacts,
    EmbedderFacts,
    Probe,
    Probes,
    SkillFacts,
    SlackFacts,
    StaffFacts,
    TelegramFacts,
    skew_seconds,
)
from bot.engine.skills import load_skills
from bot.errors import BotError, ConfigError, PlatformError
from bot.knowledge.meaning import Standing
from bot.model.build import ask_once, build_embedder, usable
from bot.stats.picture import letters
from storage import open_stores
from storage.examine import entries, examine, sqlite_version

TIME_SECONDS = 10.0
FONT_SECONDS = 25.0
"""Within the doctor's patience; looking through a machine's fonts for the first time is slow."""
MEMORY = ":memory:"


def probes(loaded: Loaded) -> Probes:
    """A probe for each part that is configured. None of them leaves anything behind."""
    config, clock = loaded.config, SystemClock()

    async def database() -> DatabaseFacts:
        return await _database(config)

    async def knowledge() -> int:
        return await _knowledge(loaded)

    async def charts() -> ChartFacts:
        return ChartFacts(letters=await letters(seconds=FONT_SECONDS))

    return Probes(
        database=database,
        knowledge=knowledge,
        skills=_skills(Path(config.skills)),
        charts=charts,
        skew=_skew(config, clock),
        telegram=_telegram(config, clock) if config.telegram.token else None,
        slack=_slack(config, clock) if config.slack.bot_token else None,
        staff=_staff(config, clock),
        embedder=_embedder(config, clock) if config.embedder.kind != "none" else None,
        models={name: _model(entry, clock) for name, entry in _named(config).items()},
    )


def _skills(folder: Path) -> Probe[SkillFacts] | None:
    """None where the operator has no skills of their own."""
    names = tuple(sorted(file.stem for file in folder.glob("*.toml")))

    async def probe() -> SkillFacts:
        try:
            await asyncio.to_thread(load_skills, folder)
        except ConfigError as error:
            return SkillFacts(names=names, problems=tuple(str(error).splitlines()))
        return SkillFacts(names=names)

    return probe if names else None


async def _database(config: Config) -> DatabaseFacts:
    file = await asyncio.to_thread(examine, config.database)
    return DatabaseFacts(
        path=file.path,
        writable=file.writable,
        full=file.full,
        free=file.free,
        mode=file.mode,
        sqlite=sqlite_version(),
        running=await running_at(socket_path(config.database)),
        damage=file.damage,
        behind=file.behind,
        network=file.network,
    )


def _embedder(config: Config, clock: Clock) -> Probe[EmbedderFacts]:
    """Two questions, the second timed: the first opens a connection, or reads the weights."""

    async def ask() -> EmbedderFacts:
        embedder = build_embedder(config.embedder, clock)
        assert embedder is not None, "asked only where one is set"
        try:
            await embedder.embed(["ping"], query=True)
            begun = clock.monotonic()
            await embedder.embed(["How is it today?"], query=True)
            took = clock.monotonic() - begun
        finally:
            await embedder.close()
        standing = await _embedded(config, embedder.name, clock)
        return EmbedderFacts(
            name=embedder.name,
            milliseconds=round(took * 1000),
            texts=standing.texts,
            done=standing.done,
        )

    return ask


async def _embedded(config: Config, name: str, clock: Clock) -> Standing:
    """How far the texts in the file are embedded."""
    if not await asyncio.to_thread(Path(config.database).exists):
        return Standing(generation=0, texts=0, done=0)
    stores = await open_stores(config.database, clock, read_only=True)
    try:
        return await stores.vectors.standing(name)
    finally:
        await stores.close()


async def _knowledge(loaded: Loaded) -> int:
    """What is in the file; before the first start, what the folder would give."""
    config = loaded.config
    folder = Path(config.knowledge.folder)
    if not config.knowledge.folder or await asyncio.to_thread(Path(config.database).exists):
        return await asyncio.to_thread(entries, config.database)
    async with open_desk(loaded, database=MEMORY) as desk:
        return int((await take_in(desk.knowledge, folder))["added"])


# --- the clock ----------------------------------------------------------------------------------


def _skew(config: Config, clock: Clock) -> Probe[float] | None:
    """By the Date of whoever is asked anyway; None when nobody is."""
    roots = [model.base_url for model in config.models if usable(model)]
    if config.slack.bot_token:
        roots.insert(0, config.slack.api_root)
    if config.telegram.token:
        roots.insert(0, config.telegram.api_root)
    if not roots:
        return None

    async def skew() -> float:
        return await _ahead(roots, clock)

    return skew


async def _ahead(roots: list[str], clock: Clock) -> float:
    """Seconds by which our clock is ahead of the first that tells the time. Raises BotError."""
    timeout = aiohttp.ClientTimeout(total=TIME_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        for root in roots:
            url = urlsplit(root)
            try:
                async with session.head(f"{url.scheme}://{url.netloc}/") as answer:
                    ahead = skew_seconds(answer.headers.get("Date", ""), now=clock.now())
            except (aiohttp.ClientError, OSError, TimeoutError):
                continue
            if ahead is not None:
                return ahead
    raise BotError("nobody could be asked for the time")


# --- platforms ----------------------------------------------------------------------------------


def _telegram(config: Config, clock: Clock) -> Probe[TelegramFacts]:
    async def ask() -> TelegramFacts:
        from adapters.telegram.examine import examine as examine_bot

        url = config.http.public_url
        facts = await examine_bot(config.telegram, clock, SystemRandom(), public_url=url)
        return TelegramFacts(
            username=facts.username,
            reads_all=facts.reads_all,
            webhook=facts.webhook,
            expected=facts.expected,
            pending=facts.pending,
            last_error=facts.last_error,
        )

    return ask


def _slack(config: Config, clock: Clock) -> Probe[SlackFacts]:
    async def ask() -> SlackFacts:
        from adapters.slack.adapter import SlackAdapter
        from adapters.slack.manifest import SCOPES

        adapter = SlackAdapter(config.slack, clock, random=SystemRandom())
        try:
            identity = await adapter.identity()
        except KeyError as error:
            raise PlatformError(f"Slack's answer to auth.test has no {error}") from error
        finally:
            await adapter.close()
        return SlackFacts(
            team=identity.team, user=identity.name, granted=identity.scopes, needed=SCOPES
        )

    return ask


def _staff(config: Config, clock: Clock) -> Probe[StaffFacts] | None:
    """None where there is no such place, or its platform is not served: the loader says so."""
    place = config.staff
    if place is None:
        return None
    if place.platform == "telegram" and config.telegram.token:

        async def title() -> StaffFacts:
            from adapters.telegram.examine import look_at

            name = await look_at(config.telegram, clock, SystemRandom(), place)
            return StaffFacts(name=name)

        return title
    if place.platform == "slack" and config.slack.bot_token:

        async def channel() -> StaffFacts:
            from adapters.slack.adapter import SlackAdapter

            adapter = SlackAdapter(config.slack, clock, random=SystemRandom())
            try:
                # To look for a post there takes what posting takes: the bot is in the channel.
                await adapter.find(place, "doctor")
            finally:
                await adapter.close()
            return StaffFacts(name=place.channel)

        return channel
    return None


# --- models -------------------------------------------------------------------------------------


def _named(config: Config) -> dict[str, ModelConfig]:
    """Every usable model of the chain; one that stands twice is told apart by its address."""
    named: dict[str, ModelConfig] = {}
    for entry in filter(usable, config.models):
        host = urlsplit(entry.base_url).netloc
        named[entry.name if entry.name not in named else f"{entry.name} ({host})"] = entry
    return named


def _model(entry: ModelConfig, clock: Clock) -> Probe[int]:
    """One call to this model alone, past the layers that would hide its failure."""

    async def ask() -> int:
        from bot.model.client import HttpModel

        model, begun = HttpModel(entry, clock), clock.monotonic()
        try:
            await ask_once(model, clock)
        finally:
            await model.close()
        return round((clock.monotonic() - begun) * 1000)

    return ask
