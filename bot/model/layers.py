"""The behaviours that wrap a model and are one: stack them, and read the order in one line."""

from __future__ import annotations

from bot.model.cached import Cached, KeptReply, MemoryShelf, ReplyShelf
from bot.model.fallback import Breaker, Fallback
from bot.model.metered import Metered, ModelCounts
from bot.model.paced import Paced
from bot.model.retrying import RetryBudget, Retrying

__all__ = [
    "Breaker",
    "Cached",
    "Fallback",
    "KeptReply",
    "MemoryShelf",
    "Metered",
    "ModelCounts",
    "Paced",
    "ReplyShelf",
    "RetryBudget",
    "Retrying",
]
