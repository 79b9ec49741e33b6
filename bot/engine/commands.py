"""The commands, as a table; each is a function from a call to reply events."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import field

from bot.config import DeskConfig
from bot.engine.handoff import Handoff
from bot.errors import ConfigError
from bot.i18n import LOCALES, say
from bot.ports import History
from bot.types import (
    AnswerId,
    Attachment,
    Await,
    Button,
    ButtonRows,
    Change,
    Done,
    Feedback,
    Forget,
    Means,
    MemoryId,
    Notice,
    Person,
    Place,
    ReplyEvent,
    Role,
    Say,
    SetLocale,
    value,
)

HISTORY_SHOWN = 10
"""Turns that /history shows."""
LINE_MAX = 300
"""Characters of each."""
_LANGUAGE = re.compile(r"\s+(?:en|zh|auto)", re.IGNORECASE)
_VERDICT = re.compile(r"(up|down) (\d{1,18})", re.ASCII)

Report = Callable[[str, str], Awaitable[str]]
"""(argument, locale) to text; raises UserError for an argument that cannot be understood."""


@value
class Call:
    """One use of a command. With `asked` the argument is the answer to a question of the command's.

    `quoted` is the text of the message replied to and `quoted_user` who wrote it; `end_user` names
    the person to the provider. `means` is what may be spent on them. `torn`: its file was sent
    together with others, of which none came along.
    """

    argument: str
    person: Person
    role: Role
    place: Place
    locale: str
    memory: MemoryId
    quoted: str = ""
    quoted_user: str | None = None
    attachments: tuple[Attachment, ...] = ()
    torn: bool = False
    asked: Await | None = None
    end_user: str = ""
    deadline: float | None = None
    means: Means = "full"


@value
class Command:
    """A row of the table: who may use the word, and what it does. The menu text by language is
    `about`, or else `command.<word>` in the catalogue. `spends`: a model is asked, so it counts
    against limits. `kept`: catalogue key of what history keeps instead of the word. `behind`: what
    only an argument of this command can look like, and no question that begins with the word.
    """

    word: str
    run: Callable[[Call], AsyncIterator[ReplyEvent]]
    roles: frozenset[Role] = frozenset({Role.CUSTOMER, Role.STAFF, Role.ADMIN})
    listed: bool = True
    about: Mapping[str, str] = field(default_factory=dict)
    spends: bool = False
    kept: str = ""
    behind: re.Pattern[str] | None = None


ADMINS = frozenset({Role.ADMIN})


class Commands:
    """The words this desk knows."""

    def __init__(
        self,
        desk: DeskConfig,
        history: History,
        handoff: Handoff,
        *,
        health: Report,
        more: Iterable[Command] = (),
    ) -> None:
        self._desk = desk
        self._history = history
        self._handoff = handoff
        self._health_text = health
        own = (
            Command(word="start", run=self._start, listed=False),
            Command(word="help", run=self._help),
            Command(word="person", run=self._person),
            Command(word="new", run=self._new),
            Command(word="history", run=self._show_history),
            Command(word="stop", run=self._stop),
            Command(word="lang", run=self._lang, behind=_LANGUAGE),
            Command(word="feedback", run=self._feedback, listed=False),
            Command(word="quiet", run=self._quiet, listed=False),
            Command(word="health", run=self._health, roles=ADMINS),
        )
        self.table = {command.word: command for command in own}
        for command in more:
            if command.word in self.table:
                raise ConfigError(f"{command.word}: is a command already; name it otherwise")
            self.table[command.word] = command

    def menu(self, role: Role) -> list[tuple[str, dict[str, str]]]:
        """The words shown to this role, each with its description by language; those for admins
        alone come last, however many there are.
        """
        shown = [one for one in self.table.values() if one.listed and role in one.roles]
        shown.sort(key=lambda one: one.roles == ADMINS)
        return [(one.word, dict(one.about) or _told(one.word)) for one in shown]

    def bare(self) -> dict[str, re.Pattern[str] | None]:
        """The words for a platform where some have to be said without a slash: each with what may
        stand behind it then, all of it; None: nothing.
        """
        return {word: command.behind for word, command in self.table.items()}

    async def run(self, word: str, call: Call) -> AsyncIterator[ReplyEvent]:
        """Carry out a command; one that is unknown or not allowed is declined, never ignored."""
        command = self.table.get(word)
        if command is None:
            yield Notice(key="command.unknown", values={"word": call.argument})
            yield Done(route="declined", outcome="declined", remember=False)
        elif call.role not in command.roles:
            yield Notice(key="command.not_allowed", values={"word": word})
            yield Done(route="declined", outcome="declined", remember=False)
        else:
            async for event in command.run(call):
                yield event

    async def _start(self, call: Call) -> AsyncIterator[ReplyEvent]:
        greeting = self._desk.greeting or say(call.locale, "desk.greeting", desk=self._desk.name)
        yield Say(text=greeting)
        yield _done()

    async def _help(self, call: Call) -> AsyncIterator[ReplyEvent]:
        lines = [f"/{word} — {text[call.locale]}" for word, text in self.menu(call.role)]
        yield Say(
            text=say(call.locale, "desk.help", desk=self._desk.name) + "\n" + "\n".join(lines)
        )
        yield _done()

    async def _new(self, call: Call) -> AsyncIterator[ReplyEvent]:
        yield Notice(key="history.fresh")
        yield _done(Forget(memory=call.memory))

    async def _show_history(self, call: Call) -> AsyncIterator[ReplyEvent]:
        turns = await self._history.last(call.memory, HISTORY_SHOWN)
        if not turns:
            yield Notice(key="history.none")
        else:
            who = {role: say(call.locale, f"history.{role}") for role in ("user", "assistant")}
            lines = [
                say(
                    call.locale,
                    "history.line",
                    who=turn.name or who[turn.role],
                    text=_line(turn.text),
                )
                for turn in turns
            ]
            yield Say(text="\n".join(lines))
        yield _done()

    async def _stop(self, call: Call) -> AsyncIterator[ReplyEvent]:
        # A /stop that found a running answer was a signal and is settled with it.
        if call.asked is not None:
            yield Notice(key="stop.dropped", values={"word": call.asked.word})
        else:
            yield Notice(key="stop.nothing")
        yield _done()

    async def _person(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if not self._handoff.staffed:
            if contact := self._desk.contact:
                yield Notice(key="ticket.none", values={"contact": contact})
            else:
                yield Notice(key="ticket.nobody")
            yield _done()
            return
        if await self._handoff.is_open(call.person, call.place):
            yield Notice(key="ticket.already")
            yield _done()
            return
        # In a group the last words may be somebody else's, and are not this person's to pass on.
        last = await self._history.last(call.memory, 2) if call.place.private else []
        asked = call.argument or next((t.text for t in last if t.role == "user"), "")
        opened = await self._handoff.open(call.person, call.place, asked, "ticket.reason_asked")
        yield Notice(key="ticket.opened")
        for forward in opened.forwards:
            yield forward
        yield Done(route="ticket", changes=opened.changes, remember=False)

    async def _lang(self, call: Call) -> AsyncIterator[ReplyEvent]:
        wanted = call.argument.lower().strip()
        if wanted in LOCALES:
            yield Say(text=say(wanted, "lang.set"))
            yield _done(SetLocale(locale=wanted))
        elif wanted == "auto":
            yield Notice(key="lang.auto")
            yield _done(SetLocale(locale=None))
        else:
            yield Notice(key="lang.usage")
            yield _done()

    async def _quiet(self, call: Call) -> AsyncIterator[ReplyEvent]:
        # In a thread the exchange ended when the word arrived; this only says so.
        yield Notice(key="quiet.private" if call.place.private else "quiet.here")
        yield _done()

    async def _feedback(self, call: Call) -> AsyncIterator[ReplyEvent]:
        # A thumb was pressed; the platform has thanked for it where the press was.
        found = _VERDICT.fullmatch(call.argument)
        if found is None:
            yield Notice(key="command.unknown", values={"word": "feedback"})
            yield Done(route="declined", outcome="declined", remember=False)
        else:
            yield _done(Feedback(answer=AnswerId(int(found[2])), good=found[1] == "up"))

    async def _health(self, call: Call) -> AsyncIterator[ReplyEvent]:
        yield Say(text=await self._health_text(call.argument, call.locale))
        yield _done()


def _told(word: str) -> dict[str, str]:
    """What the catalogue says about a word."""
    return {locale: say(locale, f"command.{word}") for locale in LOCALES}


def below(answer: AnswerId, place: Place, *, staffed: bool) -> ButtonRows:
    """What can be pressed under a finished answer: verdicts, a person where there is one, and,
    where only one person sees it, to show it to the others.
    """
    thumbs = (
        Button(label="answer.good", action=f"/feedback up {answer}"),
        Button(label="answer.bad", action=f"/feedback down {answer}"),
    )
    person = Button(label="answer.person", action="/person")
    share = Button(label="answer.share", action=f"/share {answer}")
    more = (*((share,) if place.whispered else ()), *((person,) if staffed else ()))
    return (thumbs, more) if more else (thumbs,)


def _done(*changes: Change) -> Done:
    """A command is over; what is said in commands is no part of the conversation's memory."""
    return Done(route="command", changes=changes, remember=False)


def _line(text: str) -> str:
    """One line of a turn."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LINE_MAX else flat[: LINE_MAX - 1] + "…"
