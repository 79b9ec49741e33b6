"""The app's manifest: as shipped for Socket Mode, derived for HTTP, and held against reality."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection
from importlib import resources
from typing import Any

SCOPES = {
    "app_mentions:read": "answer when mentioned in a channel",
    "assistant:write": "appear as an agent, with suggested prompts and a Stop button",
    "channels:history": "follow up in threads of public channels and read what was said before",
    "chat:write": "answer at all",
    "commands": "take /ask, /stats, /frontdesk and the message shortcuts",
    "files:read": "read the files that come with a message",
    "files:write": "send documents",
    "groups:history": "follow up in threads of private channels and read what was said before",
    "im:history": "answer direct messages",
    "im:write": "send a document to one person only",
    "mpim:history": "follow up in group direct messages",
    "usergroups:read": "take the members of a user group for admins",
    "users:read": "know names and languages of people",
}
"""Each scope that the desk needs, with the feature that is missing without it."""


def manifest() -> dict[str, Any]:
    """The manifest for Socket Mode, which needs no public address."""
    text = resources.files("adapters.slack").joinpath("manifest.json").read_text("utf-8")
    shipped: dict[str, Any] = json.loads(text)
    return shipped


def over_http(shipped: dict[str, Any], url: str) -> dict[str, Any]:
    """The same app with its events, presses and commands sent to `url` instead of a socket."""
    variant = copy.deepcopy(shipped)
    for command in variant["features"]["slash_commands"]:
        command["url"] = url
    settings = variant["settings"]
    settings["event_subscriptions"]["request_url"] = url
    settings["interactivity"]["request_url"] = url
    settings["socket_mode_enabled"] = False
    return variant


def missing(granted: Collection[str]) -> dict[str, str]:
    """Scopes that the token lacks, each with what will not work."""
    return {scope: feature for scope, feature in SCOPES.items() if scope not in granted}
