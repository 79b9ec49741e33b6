"""What each refusal of a provider means: one row per business code and status."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from bot.errors import (
    ContentBlocked,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    QuotaSpent,
    TooLong,
)
from bot.model.failures import Failed, error_of, error_page, retry_after

NOON = 1_764_000_000_000  # 2025-11-24 16:00:00 UTC: midnight in Beijing
CODES: dict[type[ModelError], str] = {
    ModelRefused: "1000 1001 1002 1003 1004 1100 1110 1111 1112 1121 1113 1210 1211 1212 1213 1214 "
    "1215 1220 1221 1222 1309 1311 1313",
    ModelUnavailable: "1120 1200 1230 1231 1234 500",
    ModelBusy: "1302 1303 1305 1312",
    QuotaSpent: "1304 1308 1310",
    ContentBlocked: "1300 1301",
    TooLong: "1261",
}
ROWS = [(code, kind) for kind, codes in CODES.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "kind"), ROWS)
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_the_business_code_decides_whatever_the_status(
    code: str, kind: type[ModelError], status: int
) -> None:
    page = json.dumps({"error": {"code": code, "message": "m"}}).encode()
    error = error_page(page, status, {}, now=NOON)
    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize("code", ["1305", "1312"])
def test_an_overloaded_model_is_told_from_our_own_haste(code: str) -> None:
    overloaded = error_of(Failed(code=code, status=429), now=NOON)
    hasty = error_of(Failed(code="1302", status=429), now=NOON)
    assert isinstance(overloaded, ModelBusy)
    assert isinstance(hasty, ModelBusy)
    assert (overloaded.overloaded, hasty.overloaded) == (True, False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ModelRefused), (400, ModelRefused), (401, ModelRefused), (402, ModelRefused),
        (403, ModelRefused), (404, ModelRefused), (405, ModelRefused), (408, ModelUnavailable),
        (413, TooLong), (422, ModelRefused), (429, ModelBusy), (434, ModelRefused),
        (500, ModelUnavailable), (502, ModelUnavailable), (503, ModelUnavailable),
        (504, ModelUnavailable), (529, ModelBusy),
    ],
)  # fmt: skip
def test_without_a_known_code_the_status_decides(status: int, kind: type[ModelError]) -> None:
    for page in (b"", b"plain words", b'{"error": {"code": "odd", "message": "?"}}', b"[1]"):
        assert type(error_page(page, status, {}, now=NOON)) is kind


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("insufficient_quota", 429, ModelRefused),
        ("rate_limit_exceeded", 429, ModelBusy),
        ("context_length_exceeded", 400, TooLong),
        ("content_filter", 400, ContentBlocked),
        ("invalid_api_key", 401, ModelRefused),
    ],
)
def test_openai_codes(code: str, status: int, kind: type[ModelError]) -> None:
    page = json.dumps({"error": {"code": code, "message": "m", "type": "t"}}).encode()
    assert type(error_page(page, status, {}, now=NOON)) is kind


def test_a_context_complaint_without_a_code_is_too_long() -> None:
    page = b'{"error": {"message": "This model\'s maximum context length is 8192 tokens"}}'
    assert type(error_page(page, 400, {}, now=NOON)) is TooLong


def test_a_firewall_page_is_no_verdict_on_the_account() -> None:
    page = b"<!doctype html><html>405</html>"
    assert type(error_page(page, 405, {}, now=NOON)) is ModelUnavailable


def test_the_daily_quota_lasts_until_midnight_in_beijing() -> None:
    error = error_of(Failed(code="1304", status=429), now=NOON - 3_600_000)
    assert error.retry_after == 3600


def test_a_window_ends_when_its_message_says() -> None:
    message = "已达到 5 小时的使用上限。您的限额将在 2025-11-25 00:30:00 重置。"
    error = error_of(Failed(code="1308", message=message, status=429), now=NOON)
    assert error.retry_after == 1800


@pytest.mark.parametrize("message", ["no time told", "2025-13-45 99:00:00"])
def test_a_window_without_a_readable_end_is_believed_for_an_hour(message: str) -> None:
    error = error_of(Failed(code="1310", message=message, status=429), now=NOON)
    assert error.retry_after == 3600


def test_retry_after_in_all_its_forms() -> None:
    date = format_datetime(datetime.fromtimestamp(NOON / 1000 + 7, tz=UTC), usegmt=True)
    forms = [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After": date}, 7.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ]
    for headers, seconds in forms:
        assert retry_after(headers, now=NOON) == seconds
