"""How fast Telegram may be called, per kind of chat.

The Bot API documents about one message a second in a private chat and 20 a minute in a group;
edits draw on the same budget as sends, and topics share that of their group.
"""

from __future__ import annotations

from bot.pace import Gate, Rate
from bot.types import Place

GROUP = Rate(burst=5, every=4.2, reserve=2)
"""5 + 60/4.2 = 19.3 calls in any minute: the missing call to 20 forgives 3 s of network jitter."""
PRIVATE = (Rate(burst=3, every=1.0, reserve=1), Rate(burst=8, every=3.0, reserve=2))
"""One a second for the first five after a burst of three; in the long run one each 3 s."""
TYPING = Rate(burst=1, every=4.0, reserve=0)
"""A chat action lasts 5 s and has a budget of its own, but respects the chat's bans."""
DRAFTS = Rate(burst=15, every=1.43, reserve=0)
"""At most 18 drafts in 5 s and 35 in 30 s: no number is documented, and bots were refused at 20 and
40. They are counted apart from messages.
"""
OVERALL = Rate(burst=25, every=0.04, reserve=0)
"""25 a second over all chats, below the 30 that the documentation allows for bulk messages."""


def private_gates(key: str) -> tuple[Gate, ...]:
    """What governs sends and edits in a private chat."""
    return tuple((key, rate) for rate in PRIVATE)


def group_gates(key: str) -> tuple[Gate, ...]:
    """What governs sends and edits in a group, over all its topics."""
    return ((key, GROUP),)


def is_private(place: Place) -> bool:
    """Users have positive ids on Telegram, groups and channels negative ones."""
    return place.private or not place.channel.startswith("-")


def chat_gates(place: Place) -> tuple[Gate, ...]:
    """What governs sends and edits at this place."""
    key = f"{place.account}:{place.channel}"
    return private_gates(key) if is_private(place) else group_gates(key)


def typing_gates(place: Place) -> tuple[Gate, ...]:
    """What governs chat actions at this place; the key is the chat's, so its bans bind them too."""
    return ((f"{place.account}:{place.channel}", TYPING),)


def draft_gates(place: Place) -> tuple[Gate, ...]:
    """What governs drafts in a private chat, over all its topics."""
    return ((f"{place.account}:{place.channel}", DRAFTS),)
