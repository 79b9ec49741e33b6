"""What a provider's failure means: business codes and HTTP status to the classes of our tree. Pure.

Codes from docs.bigmodel.cn ("API error codes") and the official SDKs; HTTP 429 alone says nothing,
it stands around "slow down", "overloaded", "no money" and "plan ended" alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from bot.errors import (
    ContentBlocked,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    QuotaSpent,
    TooLong,
)
from bot.types import value

BEIJING = timezone(timedelta(hours=8))
"""Daily quotas end at midnight there, and reset times are told in its time."""
QUOTA_SECONDS = 3600.0
"""How long a spent window is believed when its reset time cannot be read."""

_REFUSED = (
    "1000 1001 1002 1003 1004 1100 1110 1111 1112 1113 1121 1210 1211 1212 1213 1214 1215 "
    "1220 1221 1222 1309 1311 1313 "
    "insufficient_quota model_not_found invalid_api_key"
)
_UNAVAILABLE = "500 1120 1200 1230 1231 1234 server_error"
_BUSY = "1302 1303 1305 1312 rate_limit_exceeded"
_SPENT = "1304 1308 1310"
_BLOCKED = "1300 1301 content_filter content_policy_violation"
_TOO_LONG = "1261 context_length_exceeded"
_KINDS: dict[str, type[ModelError]] = {
    **dict.fromkeys(_REFUSED.split(), ModelRefused),
    **dict.fromkeys(_UNAVAILABLE.split(), ModelUnavailable),
    **dict.fromkeys(_BUSY.split(), ModelBusy),
    **dict.fromkeys(_SPENT.split(), QuotaSpent),
    **dict.fromkeys(_BLOCKED.split(), ContentBlocked),
    **dict.fromkeys(_TOO_LONG.split(), TooLong),
}
_STATUS: dict[int, type[ModelError]] = {
    **dict.fromkeys((400, 401, 402, 403, 404, 405, 422, 434), ModelRefused),
    413: TooLong,
    429: ModelBusy,
    529: ModelBusy,
}
OVERLOADED = frozenset({"1305", "1312", "http 529"})
"""The model, not we, is the cause: minutes, not seconds."""
STALE_TOKEN = frozenset({"1002", "1003", "1004"})
"""A signed token was not accepted; a fresh one is tried once."""
OUR_REQUEST = frozenset({"1210", "1213", "1214", "1215", "http 400", "http 422"})
"""Refusals of this one request; all others of their class concern the account or the model."""

_RESET = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})")
_CONTEXT = re.compile(
    r"context.{0,20}(length|window)|maximum context|prompt.{0,20}too long", re.IGNORECASE
)


@value
class Failed:
    """What the provider said when it did not serve us."""

    code: str = ""
    message: str = ""
    status: int = 200
    retry_after: float | None = None


def error_of(failed: Failed, *, now: int) -> ModelError:
    """The error that this failure is; `now` is wall time in ms, for quotas that name an hour."""
    code = failed.code if failed.code in _KINDS else f"http {failed.status}"
    kind = _KINDS.get(failed.code) or _by_status(failed)
    detail = f"{failed.code or failed.status}: {failed.message[:300]}".strip(": ")
    if kind is ModelBusy:
        return ModelBusy(
            detail, code=code, retry_after=failed.retry_after, overloaded=code in OVERLOADED
        )
    if kind is QuotaSpent:
        return QuotaSpent(detail, code=code, retry_after=_quota_seconds(failed, now))
    return kind(detail, code=code, retry_after=failed.retry_after)


def _by_status(failed: Failed) -> type[ModelError]:
    if failed.status == 400 and _CONTEXT.search(failed.message):
        return TooLong
    if 300 <= failed.status < 400:
        return ModelRefused
    return _STATUS.get(failed.status, ModelUnavailable)


def _quota_seconds(failed: Failed, now: int) -> float:
    if failed.retry_after is not None:
        return failed.retry_after
    if failed.code == "1304":
        return 86_400 - (now / 1000 + 8 * 3600) % 86_400
    if told := _RESET.search(failed.message):
        try:
            reset = datetime.fromisoformat("T".join(told.groups())).replace(tzinfo=BEIJING)
        except ValueError:
            return QUOTA_SECONDS
        return max(1.0, reset.timestamp() - now / 1000)
    return QUOTA_SECONDS


def envelope(found: Any, *, status: int = 200, retry_after: float | None = None) -> Failed | None:
    """The failure in an error object: {"error": {code, message}}, or the old {code, msg}."""
    if not isinstance(found, dict):
        return None
    error = found.get("error")
    if error is None:
        if found.get("code") is None or not found.get("msg"):
            return None
        error = {"code": found["code"], "message": found["msg"]}
    if not isinstance(error, dict):
        error = {"message": str(error)}
    code = error.get("code") or error.get("type") or ""
    message = str(error.get("message") or "")
    return Failed(code=str(code), message=message, status=status, retry_after=retry_after)


def error_page(body: bytes, status: int, headers: Mapping[str, str], *, now: int) -> ModelError:
    """The error of a reply that is no stream: an envelope, or a page of anything."""
    wait = retry_after(headers, now=now)
    text = body.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    try:
        failed = envelope(json.loads(text), status=status, retry_after=wait)
    except (ValueError, RecursionError):
        failed = None
    if failed:
        return error_of(failed, now=now)
    if text.startswith("<") and status in {200, 405}:
        # The edge firewall answers with a page, also for single odd prompts: no verdict on us.
        return ModelUnavailable(f"{status}: a web page instead of a reply", code=f"http {status}")
    if status == 200:
        return ModelUnavailable("200: no stream and no error object", code="http 200")
    return error_of(Failed(message=text[:200], status=status, retry_after=wait), now=now)


def retry_after(headers: Mapping[str, str], *, now: int) -> float | None:
    """Seconds the provider asks us to wait: retry-after-ms, or Retry-After as seconds or date."""
    if (seconds := _number(headers.get("retry-after-ms"))) is not None:
        return seconds / 1000
    told = headers.get("Retry-After")
    if told is None or (seconds := _number(told)) is not None:
        return seconds if told is not None else None
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - now / 1000)
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
