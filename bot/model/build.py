"""The chain of models that the settings ask for, and the one real call of a health check."""

from __future__ import annotations

import random
from collections.abc import Collection
from contextlib import aclosing
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bot.clock import Clock
from bot.config import Config, EmbedderConfig, ModelConfig
from bot.errors import ConfigError, ModelError, ReplyEmpty
from bot.model.extractive import ExtractiveModel
from bot.ports import Embedder, Model
from bot.types import ChatRequest, ChatTurn, ProviderHealth

if TYPE_CHECKING:
    from bot.model.fallback import Report

PROBE_SECONDS = 25.0
_PROBE = ChatRequest(
    turns=(ChatTurn(role="user", content="ping"),), max_tokens=1, temperature=0.0, thinking=False
)


def usable(config: ModelConfig) -> bool:
    """Whether there is a key, or a server that needs none (any but GLM's own service)."""
    from bot.model import wire

    return bool(config.api_key) or not wire.is_glm(config)


def build_model(config: Config, clock: Clock, *, report: Report | None = None) -> Model:
    """Every usable model of the chain in order, then the extract; without one only the extract.

    `report` is told of each failure that the next one makes good; without it they are logged.
    """
    last = ExtractiveModel(clock)
    chain = [entry for entry in config.models if usable(entry)]
    if not chain:
        return last
    # With no model configured neither an HTTP client nor tenacity is loaded.
    from bot.model.client import HttpModel
    from bot.model.fallback import Fallback, log_failure
    from bot.model.minute import Minute
    from bot.model.paced import Paced
    from bot.model.retrying import Retrying
    from bot.model.thrifty import Thrifty, cheapest_first

    def one(entry: ModelConfig) -> Model:
        minute = Minute(requests=entry.requests_per_minute, tokens=entry.tokens_per_minute)
        paced = Paced(HttpModel(entry, clock), clock, most=entry.concurrency, minute=minute)
        return Retrying(paced, clock, random=random.random, thinking=entry.thinking)

    def either(links: list[Model]) -> Model:
        return Fallback([*links, last], clock, report=report or log_failure)

    links = [one(entry) for entry in chain]
    cheap = [links[at] for at in cheapest_first(chain)]
    return Thrifty(either(links), thrifty=either(cheap), knowledge=last)


def build_embedder(
    config: EmbedderConfig, clock: Clock, *, mask: Collection[str] = ()
) -> Embedder | None:
    """What the settings ask for; questions leave the machine masked. Raises ConfigError where the
    extra for it is not installed.
    """
    if config.kind == "none":
        return None
    from bot.model.local import LocalEmbedder, missing

    if config.kind == "local":
        return LocalEmbedder()
    if find_spec("numpy") is None:
        raise ConfigError(missing(config.kind))
    from bot.model.embedding import HttpEmbedder

    return HttpEmbedder(config, clock, random=random.random, mask=mask)


async def ask_once(model: Model, clock: Clock) -> None:
    """One real call for one token. Raises ModelError.

    A model that spends the token on thinking is up all the same.
    """
    from dataclasses import replace

    request = replace(_PROBE, deadline=clock.monotonic() + PROBE_SECONDS)
    try:
        async with aclosing(model.stream(request)) as events:
            async for _ in events:
                pass
    except ReplyEmpty:
        pass


async def probe(model: Model, clock: Clock) -> ProviderHealth:
    """One real call, and what is known of its provider then. Never raises ModelError."""
    from dataclasses import replace

    error = ""
    try:
        await ask_once(model, clock)
    except ModelError as failure:
        error = str(failure)
    health = model.health()[0]
    return health if not error else replace(health, last_error=health.last_error or error)
