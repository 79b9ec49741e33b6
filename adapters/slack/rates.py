"""How fast Slack may be called: per method and workspace, posts per channel too.

Slack's tiers are promises of a minimum ("50+ per minute" for tier 3) to each app in each workspace;
all answers of a workspace share them. A refusal rests the first gate of a call.
"""

from __future__ import annotations

from bot.pace import Gate, Rate

TIER_2 = Rate(burst=4, every=3.6, reserve=1)
TIER_3 = Rate(burst=5, every=1.34, reserve=2)
"""5 + 60/1.34 = 49.8 calls in any minute, two of the burst kept for finals."""
TIER_4 = Rate(burst=10, every=0.67, reserve=2)
CHANNEL = Rate(burst=3, every=1.05, reserve=1)
"""chat.postMessage: about one a second and channel, short bursts allowed."""
WORKSPACE = Rate(burst=20, every=0.25, reserve=4)
"""All posts of a workspace: "several hundred per minute"."""

POST = "chat.postMessage"
UPDATE = "chat.update"
START = "chat.startStream"
APPEND = "chat.appendStream"
STOP = "chat.stopStream"

_TIERS = {
    "auth.test": Rate(burst=20, every=0.1),
    "apps.connections.open": Rate(burst=5, every=6.0),
    UPDATE: TIER_3,
    START: TIER_2,
    APPEND: TIER_4,
    STOP: TIER_2,
    "agents.sessions.setStatus": TIER_3,
    "chat.delete": TIER_3,
    "conversations.history": TIER_3,
    "conversations.replies": TIER_3,
    "conversations.open": TIER_3,
    "chat.postEphemeral": TIER_4,
    "users.info": TIER_4,
    "files.info": TIER_4,
    "files.getUploadURLExternal": TIER_4,
    "files.completeUploadExternal": TIER_4,
}


def gates(method: str, account: str, channel: str = "") -> tuple[Gate, ...]:
    """What governs a call of this method."""
    key = f"{account}:{method}"
    if method == POST:
        return (f"{key}:{channel}", CHANNEL), (key, WORKSPACE)
    return ((key, _TIERS.get(method, TIER_2)),)
