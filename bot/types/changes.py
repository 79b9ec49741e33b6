"""What an answer changes beside being said; each is done in its settlement."""

from __future__ import annotations

from bot.types.places import AnswerId, MemoryId, PersonId, Place, Role
from bot.types.values import value


@value
class OpenTicket:
    """A person is needed: why, and where staff see it."""

    reason: str
    staff: Place
    summary: str = ""


@value
class Forget:
    """History of this memory starts anew; `/new`."""

    memory: MemoryId


@value
class SetLocale:
    """The person wants this language from now on; None: as they write."""

    locale: str | None


@value
class Gap:
    """A question that the knowledge base could not answer."""

    question: str
    locale: str
    confidence: float | None = None


@value
class Feedback:
    """A person's verdict on an answer."""

    answer: AnswerId
    good: bool


@value
class Await:
    """The person was asked for something: their next plain message in this memory is the answer.

    It goes to the command `word`, together with `given`, which only that command understands, and
    is answered in `locale`. Not waited for after `until` (ms), nor once anything else was settled
    with this person here.
    """

    word: str
    given: str
    locale: str
    until: int


@value
class UseSkill:
    """A skill did its work once more; daily quotas count these."""

    skill: str


@value
class Audit:
    """An act of somebody who runs the desk, or their attempt; `detail` holds no text of others."""

    action: str
    detail: str = ""


@value
class SetRole:
    """A person may do more or less from now on; `allowed` lets them in where not all are.

    `reason` is kept with a block, for those who run the desk.
    """

    person: PersonId
    role: Role
    allowed: bool
    reason: str = ""


@value
class SetQuota:
    """Answers a day for this person; None: as everybody; 0: without end."""

    person: PersonId
    answers: int | None


@value
class Erase:
    """What the settled person said and was told goes; the numbers stay."""


@value
class DraftBroadcast:
    """A text shown to the one who may confirm it with `code`, until then sent to nobody."""

    code: str
    text: str


@value
class StartBroadcast:
    """The draft with this code goes out to everybody who can be reached."""

    code: str


@value
class AdmitAdmin:
    """Whoever was settled may open the admin pages once before `until`; `token` is a hash."""

    token: str
    until: int


@value
class GoOn:
    """The answer that settles with this is the rest of that one, which broke off."""

    answer: AnswerId


Change = (
    OpenTicket
    | Forget
    | SetLocale
    | Gap
    | Feedback
    | Await
    | UseSkill
    | Audit
    | SetRole
    | SetQuota
    | Erase
    | DraftBroadcast
    | StartBroadcast
    | AdmitAdmin
    | GoOn
)
"""What a reply does to the desk besides text; applied only with the settlement, once."""
