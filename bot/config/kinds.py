"""What a setting may hold: each kind turns raw text or a TOML value into the value itself.

A kind raises ValueError with what it expected, as the end of "NAME: expected …". It never repeats
what it was given, since that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.config.values import Secret
from bot.types import Place

Kind = Callable[[object], object]

_TELEGRAM_TOKEN = re.compile(r"\d+:\S+", re.ASCII)
_WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # Bot API, setWebhook: secret_token
_SLACK_USER = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")
_SLACK_PLACE = re.compile(r"[A-Z0-9]+/[A-Z0-9]+(/\d+\.\d+)?")
_TELEGRAM_PLACE = re.compile(r"-?\d+(/\d+)?", re.ASCII)
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_TIME = re.compile(r"(?:([01]?\d|2[0-3]):([0-5]\d))?", re.ASCII)
_ON = {"true", "yes", "on", "1"}
_OFF = {"false", "no", "off", "0"}


def text(raw: object) -> str:
    """Any text."""
    if not isinstance(raw, str) or "\0" in raw:
        raise ValueError("expected text in quotes")
    return raw.strip()


def secret(raw: object) -> Secret:
    """Any text without blanks, kept from view."""
    if not isinstance(raw, str) or re.search(r"\s", raw.strip()):
        raise ValueError("expected a key without blanks")
    return Secret(raw.strip())


def shaped_secret(pattern: re.Pattern[str], expected: str) -> Kind:
    """A secret of a known shape, so that one pasted into the wrong line is noticed."""

    def kind(raw: object) -> Secret:
        if not isinstance(raw, str) or not pattern.fullmatch(raw.strip()):
            raise ValueError(f"expected {expected}")
        return Secret(raw.strip())

    return kind


telegram_token = shaped_secret(_TELEGRAM_TOKEN, "a token as BotFather gives it, 123456:ABC…")
webhook_secret = shaped_secret(_WEBHOOK_SECRET, "1 to 256 of the characters A-Z a-z 0-9 _ -")
slack_bot_token = shaped_secret(
    re.compile(r"(xoxe\.)?xoxb-\S+"), "a bot token, which begins with xoxb-"
)
slack_app_token = shaped_secret(re.compile(r"xapp-\S+"), "an app token, which begins with xapp-")


def one_of(*words: str) -> Kind:
    """One word of a few; "" stands for none where it is among them."""

    def kind(raw: object) -> str:
        if not isinstance(raw, str) or raw.strip().lower() not in words:
            raise ValueError("expected one of " + ", ".join(filter(None, words)))
        return raw.strip().lower()

    return kind


def time_of_day(raw: object) -> str:
    """Hour and minute on a 24-hour clock, with both digits; "" for none."""
    found = _TIME.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if found is None:
        raise ValueError("expected a time such as 09:00, or nothing")
    return f"{int(found[1]):02}:{found[2]}" if found[1] else ""


def whole(low: int, high: int) -> Kind:
    """A whole number within bounds, both included."""
    expected = f"expected a whole number from {low} to {high}"

    def kind(raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch(r"\s*-?\d{1,18}\s*", raw, re.ASCII):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(expected)
        return raw

    return kind


def number(low: float, high: float) -> Kind:
    """A number within bounds, both included."""
    expected = f"expected a number from {low:g} to {high:g}"

    def kind(raw: object) -> float:
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not low <= raw <= high:
            raise ValueError(expected)
        return float(raw)

    return kind


def flag(raw: object) -> bool:
    """Yes or no."""
    word = str(raw).strip().lower()
    if word in _ON | _OFF:
        return word in _ON
    raise ValueError("expected true or false")


def thinking(raw: object) -> bool | None:
    """Yes, no, or "default": what the provider does by itself."""
    word = str(raw).strip().lower()
    if word == "default":
        return None
    if word in _ON | _OFF:
        return word in _ON
    raise ValueError('expected true, false or "default"')


def url(raw: object) -> str:
    """An http or https address, without a trailing slash."""
    if not isinstance(raw, str) or not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", raw.strip()):
        raise ValueError("expected an address that begins with https:// or http://")
    return raw.strip().rstrip("/")


def api_root(raw: object) -> str:
    """The address of a Web API, with a trailing slash, as Slack's library joins it."""
    return url(raw) + "/"


def listener(raw: object) -> str:
    """host:port to listen on; "off" or "" is none."""
    word = raw.strip() if isinstance(raw, str) else "?"
    if word.lower() in {"", "off"}:
        return ""
    found = _ADDRESS.fullmatch(word)
    if not found or int(found[1]) > 65535:
        raise ValueError("expected host:port, as 127.0.0.1:8080, or off")
    return word


def zone(raw: object) -> str:
    """The IANA name of a time zone that this machine knows."""
    from zoneinfo import ZoneInfo  # few commands need it

    try:
        return ZoneInfo(raw.strip() if isinstance(raw, str) else "").key
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError("expected a time zone name, as Europe/Berlin or Asia/Shanghai") from None


def currency(raw: object) -> str:
    """The three letters of a currency."""
    word = raw.strip().upper() if isinstance(raw, str) else ""
    if not _CURRENCY.fullmatch(word):
        raise ValueError("expected three letters, as USD or CNY")
    return word


def database(raw: object) -> str:
    """A file path. Other engines have no place here yet."""
    word = text(raw)
    if "://" in word:
        raise ValueError("expected the path of a file; PostgreSQL is not supported yet")
    if not word:
        raise ValueError("expected the path of a file")
    return word


def some_of(*words: str) -> Kind:
    """Any of a few words, comma-separated or a list."""

    def kind(raw: object) -> frozenset[str]:
        items = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ValueError("expected a list of " + ", ".join(words))
        found = {item.strip().lower() for item in items if item.strip()}
        if not found <= set(words):
            raise ValueError("expected a list of " + ", ".join(words))
        return frozenset(found)

    return kind


def people(raw: object) -> frozenset[str]:
    """People by platform, as `telegram:123` and `slack:T1/U1`, comma-separated or a list."""
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("expected a list, as telegram:123,slack:T1/U1")
    return frozenset(_admin(item.strip()) for item in items if item.strip())


admins = people
"""Those who run the desk are named like anybody."""


def _admin(item: str) -> str:
    platform, _, user = item.partition(":")
    known = (platform == "telegram" and user.isascii() and user.isdigit()) or (
        platform == "slack" and _SLACK_USER.fullmatch(user)
    )
    if not known:
        raise ValueError("expected people as telegram:123 or slack:T1/U1, by commas")
    return f"{platform}:{user}"


def place(raw: object) -> Place | None:
    """Where staff are: `telegram:-100123[/topic]` or `slack:T1/C042[/ts]`; "" is nowhere.

    A Telegram place has no account yet; it is the bot's own id, which only its token tells.
    """
    platform, _, rest = str(raw).strip().partition(":")
    if not platform:
        return None
    if platform == "telegram" and _TELEGRAM_PLACE.fullmatch(rest):
        channel, _, thread = rest.partition("/")
        return Place(platform=platform, account="", channel=channel, thread=thread or None)
    if platform == "slack" and _SLACK_PLACE.fullmatch(rest):
        account, channel, *more = rest.split("/")
        thread = more[0] if more else ""
        return Place(platform=platform, account=account, channel=channel, thread=thread or None)
    raise ValueError("expected a place, as telegram:-100123 or slack:T1/C042")
