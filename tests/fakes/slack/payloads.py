"""Payloads as Slack sends them: events, slash commands, presses, message shortcuts."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Mapping
from typing import Any

from tests.fakes.slack.core import BOT, TEAM

_numbers = itertools.count(1)


def signature(secret: str, timestamp: str, body: str) -> str:
    """The v0 signature of a request."""
    base = f"v0:{timestamp}:{body}".encode()
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def envelope(event: Mapping[str, Any], *, event_id: str = "") -> dict[str, Any]:
    """An event in its envelope, with an id of its own unless one is given."""
    return {
        "token": "verification-token",
        "team_id": TEAM,
        "api_app_id": "A0DESK",
        "type": "event_callback",
        "event": dict(event),
        "event_id": event_id or f"Ev{next(_numbers):08d}",
        "event_time": int(float(event.get("event_ts", "0"))),
        "authorizations": [{"team_id": TEAM, "user_id": BOT, "is_bot": True}],
    }


def message(channel: str, kind: str, user: str, text: str, ts: str, **more: Any) -> dict[str, Any]:
    """A `message` event; keys with None are left out."""
    event = {
        "type": "message",
        "channel": channel,
        "channel_type": kind,
        "user": user,
        "text": text,
        "ts": ts,
        "event_ts": ts,
        "team": TEAM,
        **more,
    }
    return {key: item for key, item in event.items() if item is not None}


def twin(event: Mapping[str, Any]) -> dict[str, Any]:
    """The `app_mention` of a message: same channel and ts, no channel type."""
    kept = {key: item for key, item in event.items() if key not in ("channel_type", "subtype")}
    return {**kept, "type": "app_mention"}


def command(user: str, channel: str, word: str, text: str, url: str) -> dict[str, Any]:
    """A slash command, as a form."""
    return {
        "token": "verification-token",
        "team_id": TEAM,
        "channel_id": channel,
        "user_id": user,
        "user_name": user.lower(),
        "command": word,
        "text": text,
        "response_url": url,
        "trigger_id": f"{next(_numbers)}.1.trigger",
        "api_app_id": "A0DESK",
    }


def press(
    user: str, channel: str, on: Mapping[str, Any], value: str, url: str, *, whispered: bool
) -> dict[str, Any]:
    """A press of a button; of a whispered message, Slack does not tell what it says."""
    box = {
        "type": "message",
        "message_ts": on["ts"],
        "channel_id": channel,
        "is_ephemeral": whispered,
    }
    if on.get("thread_ts"):
        box["thread_ts"] = on["thread_ts"]
    number = next(_numbers)
    body = {
        "type": "block_actions",
        "token": "verification-token",
        "user": {"id": user, "username": user.lower(), "team_id": TEAM},
        "team": {"id": TEAM},
        "channel": {"id": channel},
        "container": box,
        "actions": [
            {
                "type": "button",
                "action_id": "press:0:0",
                "value": value,
                "action_ts": f"{number}.0",
            }
        ],
        "response_url": url,
        "trigger_id": f"{number}.2.trigger",
    }
    return body if whispered else {**body, "message": dict(on)}


def shortcut(
    user: str, channel: str, on: Mapping[str, Any], callback: str, url: str, *, at: str
) -> dict[str, Any]:
    """A message shortcut, used on the message `on`."""
    return {
        "type": "message_action",
        "token": "verification-token",
        "action_ts": at,
        "team": {"id": TEAM, "domain": "desk"},
        "user": {"id": user, "username": user.lower(), "name": user.lower(), "team_id": TEAM},
        "channel": {"id": channel, "name": "somewhere"},
        "is_enterprise_install": False,
        "enterprise": None,
        "callback_id": callback,
        "trigger_id": f"{next(_numbers)}.3.trigger",
        "response_url": url,
        "message_ts": on["ts"],
        "message": dict(on),
    }
