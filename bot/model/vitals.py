"""How a provider fares, from real traffic. Pure."""

from __future__ import annotations

from typing import Literal

from bot.errors import ModelError, ModelRefused
from bot.types import ProviderHealth

DOWN_AFTER = 5
"""Failures in a row; as many as open the breaker (DESIGN 6)."""


class Vitals:
    """What the last calls showed; wall times in ms."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._refused = False
        self._last_success: int | None = None
        self._latency_ms: int | None = None
        self._last_error = ""
        self._last_error_at: int | None = None

    def succeeded(self, *, at: int, latency: float) -> None:
        """A reply came; `latency` is seconds to its first visible text."""
        self.alive(at=at)
        self._latency_ms = round(latency * 1000)

    def alive(self, *, at: int) -> None:
        """The provider answered as it should, if not with text (a blocked or too long prompt)."""
        self._failures = 0
        self._refused = False
        self._last_success = at

    def failed(self, error: ModelError, *, at: int) -> None:
        """A call failed by the provider's doing."""
        self._failures += 1
        self._refused = isinstance(error, ModelRefused)
        self._last_error = f"{type(error).__name__}: {error}"[:200]
        self._last_error_at = at

    def health(self) -> ProviderHealth:
        """Unknown before the first call; degraded from the first failure, down when it lasts."""
        return ProviderHealth(
            name=self._name,
            state=self._state(),
            last_success=self._last_success,
            last_error=self._last_error,
            last_error_at=self._last_error_at,
            latency_ms=self._latency_ms,
        )

    def _state(self) -> Literal["unknown", "up", "degraded", "down"]:
        if self._refused or self._failures >= DOWN_AFTER:
            return "down"
        if self._failures:
            return "degraded"
        return "unknown" if self._last_success is None else "up"
