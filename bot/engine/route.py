"""What a run of messages asks for and whether its sender may; pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from functools import cache
from importlib import resources

from bot.ports import Intake
from bot.text.width import blank
from bot.types import Await, IncomingMessage, MemoryId, Person, Place, Role, Scalar, Signal, value

QUESTION_MAX = 12_000
"""Characters of one question (a whole run): some 4,000-9,000 tokens, about the default context."""

_COMMAND = re.compile(r"^/([A-Za-z][A-Za-z0-9_-]{0,31})(?:@\S+)?(?:\s+(.*))?$", re.DOTALL)

_EDGE = re.compile(r"^[\s\W_]+|[\s\W_]+$")


@value
class Run:
    """A command: its word without the slash, and what stands behind it."""

    word: str
    argument: str


@value
class Ask:
    """A question for the answer station."""

    question: str


@value
class Courtesy:
    """Small talk that deserves a friendly line and no search: catalogue key."""

    key: str


@value
class Relay:
    """Text of ours that is to be posted as it is; `once`: at most once, come what may."""

    text: str
    once: bool = False


@value
class Decline:
    """Nothing will be done; the catalogue key says why."""

    key: str
    values: Mapping[str, Scalar] = field(default_factory=dict)


Step = Run | Ask | Courtesy | Relay | Decline

_STOP = Run(word="stop", argument="")
_CANCEL = Run(word="", argument="cancel")


def route(messages: Sequence[IncomingMessage], role: Role, words: Collection[str]) -> Step:
    """What to do about a run of consecutive messages of one sender. `words`: the commands known."""
    if role is Role.BLOCKED:
        return Decline(key="decline.blocked")
    text = "\n".join(message.text.strip() for message in messages).strip()
    if len(messages) == 1 and (command := _COMMAND.match(text)):
        word, argument = command.group(1).lower(), (command.group(2) or "").strip()
        return Run(word=word, argument=argument) if word in words else Run(word="", argument=word)
    if blank(text):
        attached = any(message.attachments for message in messages)
        wordless = "decline.attachment_of_admin" if role is Role.ADMIN else "decline.attachment"
        return Decline(key=wordless if attached else "decline.empty")
    if len(text) > QUESTION_MAX:
        return Decline(key="decline.long")
    return _courtesy(text) or Ask(question=text)


def answering(asked: Await, step: Step, text: str) -> Step:
    """What a message that `may_answer` means while a command waits: its answer, or that there is
    to be none, which is a /stop.
    """
    if step in (_STOP, _CANCEL) or _phrases().get(_bare(text)) == "drop":
        return _STOP
    return Run(word=asked.word, argument=text.strip())


def may_answer(step: Step, text: str) -> bool:
    """Whether a message may be about a command's question: no command is, but what takes it back,
    nor the wish for a person. A bare "help" is as good an answer as any.
    """
    if isinstance(step, Run) and not text.startswith("/"):
        return step.word == "help"
    return isinstance(step, Ask | Courtesy) or step in (_STOP, _CANCEL)


def interrupting(intake: Intake) -> Intake:
    """With `busy = interrupt`: what is said in private also stops the answer that runs there.

    Commands and presses stop nothing; in a group the running answer may be somebody else's.
    """
    said = intake.message
    if said is None or intake.signal is not None or said.alone or not said.place.private:
        return intake
    # No key: unlike a /stop, the message that stops is still to be answered.
    stop = Signal(kind="stop", conversation=said.place.conversation, position=said.position, key="")
    return replace(intake, signal=stop)


def _courtesy(text: str) -> Step | None:
    """A greeting, thanks, or a plain wish for a person or for help with the desk itself."""
    match _phrases().get(_bare(text)):
        case None | "drop":
            return None
        case "person" | "help" as word:
            return Run(word=word, argument="")
        case meaning:
            return Courtesy(key=f"courtesy.{meaning}")


def _bare(text: str) -> str:
    """A message as the phrase that it may be."""
    return " ".join(_EDGE.sub("", text.lower()).replace(",", " ").split())


@cache
def _phrases() -> dict[str, str]:
    """What a whole message means that needs no search, from phrases.toml."""
    text = resources.files(__package__).joinpath("phrases.toml").read_text("utf-8")
    return {
        phrase: meaning for meaning, phrases in tomllib.loads(text).items() for phrase in phrases
    }


def role_of(
    place: Place,
    user: str,
    person: Person,
    *,
    admins: Collection[str],
    staff: Place | None,
    groups: Collection[str] = (),
) -> Role:
    """What this person may do here.

    A block bites all but admins, who are named themselves or by one of their `groups`; whoever
    writes in the staff place is staff, since only staff are let in there.
    """
    names = {f"{place.platform}:{place.account}/{name}" for name in (user, *groups)}
    if (names | {f"{place.platform}:{user}"}) & set(admins):
        return Role.ADMIN
    if person.role in (Role.BLOCKED, Role.ADMIN, Role.STAFF):
        return person.role
    here = (place.platform, place.account, place.channel)
    if staff is not None and here == (staff.platform, staff.account, staff.channel):
        return Role.STAFF
    return Role.CUSTOMER


def memory_of(place: Place, person: Person) -> MemoryId:
    """What history clusters on: the person in private, the conversation elsewhere."""
    return MemoryId(f"person:{person.id}" if place.private else place.conversation)
