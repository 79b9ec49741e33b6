"""The conversation engine: from a lease to the stream of reply events that answers it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from dataclasses import replace
from zoneinfo import ZoneInfo

from bot.config import AccessConfig, DeskConfig
from bot.engine.access import MINUTE_MS, counts, day, entry, names_of, verdict
from bot.engine.answer import Answerer
from bot.engine.commands import ADMINS, Call, Commands, below
from bot.engine.language import language
from bot.engine.leaning import Question
from bot.engine.route import (
    Ask,
    Courtesy,
    Decline,
    Relay,
    Run,
    Step,
    answering,
    may_answer,
    memory_of,
    role_of,
    route,
)
from bot.engine.summary import Summariser
from bot.errors import UserError
from bot.i18n import say
from bot.ports import Clock, Forms, People, Spending
from bot.types import (
    Await,
    Begin,
    Buttons,
    Done,
    Lease,
    MemoryId,
    Notice,
    Person,
    PersonId,
    Place,
    ReplyEvent,
    Role,
    Route,
    Say,
    Text,
    value,
)

RATED: frozenset[Route] = frozenset({"direct", "grounded", "open", "excerpt"})
"""Answers that can be good or bad; an abstention has told whom it concerns already."""

_SENTENCE = re.compile(r"\s|[^\x00-\x7f]")
"""What is more than one plain word, so that its language can be told."""

BROADCAST = "broadcast:"
"""Keys of messages to everybody begin so; such are never sent twice to be on the safe side."""


DIGEST = "digest:"
"""Keys of timers that have the digest written begin so: their text is its command, not its words,
since those are known only when it is due."""
STATS = "stats:"
"""The same for numbers that were asked for among others, and are shown to the one who asked alone;
the language they asked in follows."""


@value
class Asked:
    """Who asks, where and in which language, once that is looked up."""

    person: Person
    locale: str
    step: Step
    call: Call
    until: str = ""


class Engine:
    """Answers leases. Holds no state of its own: everything it knows comes with the lease or from
    the ports, so that any number of leases run at once.
    """

    def __init__(
        self,
        desk: DeskConfig,
        people: People,
        answerer: Answerer,
        commands: Commands,
        *,
        admins: Collection[str],
        staff: Place | None,
        salt: bytes,
        forms: Forms | None = None,
        summariser: Summariser | None = None,
        access: AccessConfig | None = None,
        spending: Spending | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._salt = salt
        self._access = access or AccessConfig()
        self._spending = spending
        self._clock = clock
        self._forms = forms
        self._summariser = summariser
        self._desk = desk
        self._people = people
        self._answerer = answerer
        self._commands = commands
        self._admins = frozenset(admins)
        self._staff = staff

    async def handle(
        self, lease: Lease, *, deadline: float | None = None
    ) -> AsyncGenerator[ReplyEvent, None]:
        """The reply to a lease's run of messages: Begin, what is said, Done.

        Raises ModelError or StorageError for what the worker must retry or apologise for.
        """
        asked = await self._look_up(lease)
        text = "\n".join(received.message.text for received in lease.messages).strip()
        yield Begin(
            locale=asked.locale,
            person=asked.person.id,
            memory=asked.call.memory,
            question=self._kept(asked) or text,
            asker="" if lease.place.private else lease.sender.name,
        )
        try:
            asked = await self._limited(asked)
            async for event in self._reply(lease, asked, deadline):
                yield event
        except UserError as error:
            yield Notice(key=error.key, values=dict(error.values))
            yield Done(route="declined", outcome="declined", remember=False)

    def _kept(self, asked: Asked) -> str:
        """What history keeps instead of a word that nobody says."""
        step = asked.step
        command = self._commands.table.get(step.word) if isinstance(step, Run) else None
        return say(asked.locale, command.kept) if command and command.kept else ""

    async def locale(self, lease: Lease) -> str:
        """The language to apologise in when no reply could begin."""
        return (await self._look_up(lease)).locale

    async def _look_up(self, lease: Lease) -> Asked:
        """Person, role, language and what to do. A relay is ours: nobody is looked up."""
        if lease.messages[0].message.origin == "relay":
            return self._ours(lease)
        messages = [received.message for received in lease.messages]
        place, sender = lease.place, lease.sender
        person = await self._people.person(place, sender)
        role = role_of(
            place,
            sender.user,
            person,
            admins=self._admins,
            staff=self._staff,
            groups=sender.groups,
        )
        memory = memory_of(place, person)
        step = route(messages, role, self._commands.table.keys())
        if refusal := entry(role, person, names_of(place, sender.user), self._access):
            step = Decline(key=refusal)
        spoken = "\n".join(message.text for message in messages)
        asked = None
        if may_answer(step, spoken):
            asked = await self._asked(memory, person, lease.messages[0].received_at)
        if asked is not None:
            step = answering(asked, step, spoken)
        locale = language(
            self._telling(spoken, step),
            chosen=person.locale or (asked.locale if asked else None),
            platform=sender.locale,
            default=self._desk.locale,
        )
        files = tuple(file for message in messages for file in message.attachments)
        call = Call(
            argument=step.argument if isinstance(step, Run) else "",
            person=person,
            role=role,
            place=place,
            locale=locale,
            memory=memory,
            quoted="\n".join(message.quoted for message in messages if message.quoted),
            quoted_user=messages[-1].quoted_user,
            attachments=files,
            torn=len(files) == 1 and messages[-1].album is not None,
            asked=asked,
            end_user=self._masked(lease),
        )
        return Asked(person=person, locale=locale, step=step, call=call)

    def _telling(self, spoken: str, step: Step) -> str:
        """The words that tell a language: of a command, refused or not, those behind it.

        An unknown word, a span of days or a name is in none; nor is what an administrator's command
        is given, but for its Chinese: the ids among it are Latin.
        """
        if not spoken.startswith("/"):
            return spoken
        argument = step.argument if isinstance(step, Run) else spoken.partition(" ")[2]
        command = self._commands.table.get(step.word) if isinstance(step, Run) else None
        if command is not None and command.roles == ADMINS:
            argument = "".join(one for one in argument if not one.isascii())
        return argument if _SENTENCE.search(argument) else ""

    async def _limited(self, asked: Asked) -> Asked:
        """The same with what may be spent on it, or with the sentence that says why nothing may."""
        if self._spending is None or self._clock is None or not self._spends(asked.step):
            return asked
        if not counts(self._access, asked.person):
            return asked
        now, zone = self._clock.now(), ZoneInfo(self._desk.timezone)
        spent = await self._spending.spent(
            asked.person.id,
            asked.call.place,
            minute=now - MINUTE_MS,
            day=day(now, zone)[0],
            desk=bool(self._access.tokens_per_day or self._access.cost_per_day),
        )
        role = asked.call.role
        may = verdict(spent, asked.person, role, self._access, now=now, zone=zone)
        if may.means == "knowledge" and isinstance(asked.step, Run):
            may = replace(may, refusal="access.budget_spent")
        if may.refusal:
            return replace(asked, step=Decline(key=may.refusal, values=may.values))
        if may.means == asked.call.means:
            return asked
        return replace(asked, call=replace(asked.call, means=may.means), until=may.until)

    def _spends(self, step: Step) -> bool:
        """A model may be asked because of this."""
        return isinstance(step, Ask) or (
            isinstance(step, Run)
            and step.word in self._commands.table
            and self._commands.table[step.word].spends
        )

    async def _asked(self, memory: MemoryId, person: Person, at: int) -> Await | None:
        """The question of a command that is open between us."""
        if self._forms is None:
            return None
        form = await self._forms.open_for(memory, person.id, at=at)
        return form if form is not None and form.word in self._commands.table else None

    def _ours(self, lease: Lease) -> Asked:
        """A message of ours on its way to another place, or the digest, which is written now."""
        message = lease.messages[0].message
        nobody = Person(id=PersonId(0))
        locale = self._desk.locale or "en"
        call = Call(
            argument=message.text,
            person=nobody,
            role=Role.ADMIN,
            place=lease.place,
            locale=locale,
            memory=MemoryId(""),
        )
        step: Step = Relay(text=message.text, once=message.key.startswith(BROADCAST))
        if message.key.startswith(DIGEST):
            step = Run(word="digest", argument=message.text)
        elif message.key.startswith(STATS):
            step = Run(word="stats", argument=message.text)
            locale = message.key.removeprefix(STATS).partition(":")[0]
        return Asked(person=nobody, locale=locale, step=step, call=replace(call, locale=locale))

    async def _reply(
        self, lease: Lease, asked: Asked, deadline: float | None
    ) -> AsyncIterator[ReplyEvent]:
        """What the step says."""
        match asked.step:
            case Relay(text=text, once=once):
                yield Say(text=text, once=once)
                yield Done(route="relay", remember=False)
            case Decline(key=key, values=values):
                yield Notice(key=key, values=dict(values))
                yield Done(route="declined", outcome="declined", remember=False)
            case Courtesy(key=key):
                yield Notice(key=key, values={"desk": self._desk.name})
                yield Done(route="command", remember=False)
            case Run(word=word):
                call = replace(asked.call, deadline=deadline)
                async for event in self._commands.run(word, call):
                    if isinstance(event, Done) and event.route in RATED:
                        yield self._below(lease)
                    yield event
            case Ask(question=text):
                question = Question(
                    text=text,
                    locale=asked.locale,
                    person=asked.person,
                    place=lease.place,
                    memory=asked.call.memory,
                    end_user=asked.call.end_user,
                    deadline=deadline,
                    means=asked.call.means,
                )
                async for event in self._answerer.answer(question):
                    if isinstance(event, Done) and (remarks := _remarks(asked, event)):
                        yield Text(delta=remarks)
                    if isinstance(event, Done) and event.route in RATED:
                        yield self._below(lease)
                    yield event
                if self._summariser is not None:
                    self._summariser.offer(question.memory)

    def _below(self, lease: Lease) -> Buttons:
        """What can be pressed under an answer."""
        return Buttons(rows=below(lease.id, lease.place, staffed=self._staff is not None))

    def _masked(self, lease: Lease) -> str:
        """A stable name for the provider's abuse control, from which no platform id can be told."""
        plain = f"{lease.place.platform}:{lease.place.account}:{lease.sender.user}"
        return hashlib.blake2s(plain.encode(), key=self._salt[:32]).hexdigest()[:32]


def _remarks(asked: Asked, done: Done) -> str:
    """What is said below an answer: that a file was not looked at, that the model was not asked."""
    remarks = []
    if asked.call.attachments and done.route in RATED:
        remarks.append(say(asked.locale, "answer.unseen"))
    if asked.call.means == "knowledge":
        remarks.append(say(asked.locale, "access.saving", until=asked.until))
    return "".join(f"\n\n{remark}" for remark in remarks)
