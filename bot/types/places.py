"""Where and who."""

from __future__ import annotations

import enum
from typing import NewType

from bot.types.values import value

ConversationId = NewType("ConversationId", str)
"""The unit of order: one chat, topic or thread on one account of one platform."""

MemoryId = NewType("MemoryId", str)
"""What history clusters on: a person in private, the conversation in a group."""

PersonId = NewType("PersonId", int)

AnswerId = NewType("AnswerId", int)
"""The inbox id of the first message that an answer covers; it names the answer for ever."""


@value
class Place:
    """Where something is said. `account` is the bot's id (Telegram) or the team's id (Slack)."""

    platform: str
    account: str
    channel: str
    thread: str | None = None
    private: bool = False

    @property
    def conversation(self) -> ConversationId:
        """The key of the conversation held here; `private` is a fact about it, not part of it."""
        return ConversationId(
            ":".join((self.platform, self.account, self.channel, self.thread or ""))
        )

    @property
    def whispered(self) -> bool:
        """Only the person "@id" sees what is said here, though others meet in the channel."""
        return self.private and (self.thread or "").startswith("@")


@value
class MessageRef:
    """A message that stands on a platform. `id` is the platform's own, as text."""

    place: Place
    id: str


@value
class Sender:
    """Who spoke, as the platform tells it. The role is looked up later, in the engine.

    `groups` are the platform's own groups of users that the settings name and they belong to.
    """

    user: str
    name: str = ""
    locale: str | None = None
    groups: tuple[str, ...] = ()


class Role(enum.StrEnum):
    """What a person may do; looked up each time a message is worked, so a change bites at once."""

    BLOCKED = "blocked"
    CUSTOMER = "customer"
    STAFF = "staff"
    ADMIN = "admin"


@value
class Person:
    """Somebody known to the desk, over all their identities. `locale` is None until known.

    `allowed`: let in by name where not everybody is. `quota`: answers a day for this person
    instead of the desk's own number; 0 is without end.
    """

    id: PersonId
    name: str = ""
    locale: str | None = None
    role: Role = Role.CUSTOMER
    allowed: bool = False
    quota: int | None = None

    @property
    def listed(self) -> str:
        """As lists show them: the name with the number, which alone is there for the nameless."""
        return f"{self.name} (#{self.id})" if self.name else f"#{self.id}"
