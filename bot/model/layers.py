"""The behaviours that wrap a model and are one: stack them, and read the order in one line."""

from __future__ import annotations

from bot.model.retrying import RetryBudget, Retrying

__all__ = ["RetryBudget", "Retrying"]
