"""Logs for the operator: facts, one event a line, to stderr; never a secret, never what was said.

Libraries that log by themselves pass through the same processors.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without what is misread aloud or on paper: 0 o, 1 i l."""

BODIES = frozenset(
    {"answer", "body", "content", "delta", "message", "payload", "prompt", "question", "raw"}
    | {"reply", "summary", "text", "turns"}
)
"""Names under which people's words could come; only their length is logged."""

_STARS = "•••"
# Unanchored: a token often stands right behind a word, as in /bot<token>/getMe.
_SECRETS = re.compile(
    r"\d{6,}:[A-Za-z0-9_-]{30,}"  # Telegram
    r"|x(?:ox[a-z]|app|oxe\.xox[a-z])-[A-Za-z0-9-]{6,}"  # Slack
    r"|(?<=Bearer )[^\s'\",]+"
    r"|[0-9a-f]{32}\.[A-Za-z0-9]{16}"  # GLM: id.secret
)

_SHORTEST = 6
"""A shorter secret would star half of every line, and protects nothing."""

_QUIET = ("aiohttp", "asyncio", "httpcore", "httpx", "slack_bolt", "slack_sdk", "telegram")


class Revealing(Protocol):
    """A secret as the settings hold it."""

    def reveal(self) -> str:
        """The text itself."""
        ...


def reference(choice: Callable[[Sequence[str]], str]) -> str:
    """Eight characters that tie what a person reads in an error to the operator's log line.

    `choice` picks one of a sequence, as random.choice does; 31**8 leaves room for years of errors.
    """
    return "".join(choice(_ALPHABET) for _ in range(8))


def setup(
    *,
    now: Callable[[], int],
    level: str = "info",
    stream: TextIO | None = None,
    secrets: Iterable[Revealing] = (),
) -> None:
    """Send all logs to `stream` (stderr): JSON, or plain lines when it is a terminal.

    `now` gives ms since the epoch. `secrets` are starred wherever they appear, even in tracebacks.
    May be called again; the last call counts.
    """
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _stamp(now),
        structlog.processors.format_exc_info,
        hide_bodies,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    hidden = [secret.reveal() for secret in secrets]
    handler.setFormatter(_Scrubbed(_renderer(out), shared, hidden))
    _route(handler, level)


def _route(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(out: TextIO) -> Processor:
    if not out.isatty():
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    return structlog.dev.ConsoleRenderer(
        colors=True, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )


def _stamp(now: Callable[[], int]) -> Processor:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        at = datetime.fromtimestamp(now() / 1000, UTC)
        event["at"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    return stamp


def hide_bodies(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor: people's words become their length, at every level."""
    for name in BODIES & event.keys():
        size = len(event[name]) if hasattr(event[name], "__len__") else "?"
        event[name] = f"({size} hidden)"
    return event


class _Scrubbed(structlog.stdlib.ProcessorFormatter):
    """Renders, then stars what is secret in the finished line, wherever it came from."""

    def __init__(
        self, renderer: Processor, foreign: Sequence[Processor], secrets: Sequence[str]
    ) -> None:
        remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
        super().__init__(processors=[remove, renderer], foreign_pre_chain=list(foreign))
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST]

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, _STARS)
        return _SECRETS.sub(_STARS, line)
