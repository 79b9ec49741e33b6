"""How the fake says no."""

from __future__ import annotations


class Refusal(Exception):
    """Slack says no: `ok: false` with this error, or a 429."""

    def __init__(self, error: str, *, retry_after: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.retry_after = retry_after
