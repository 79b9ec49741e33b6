"""The console as a platform like any other: what is typed is stored first and answered then."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.console.clean import clean
from adapters.console.history import history_file
from adapters.console.plain import Plain
from adapters.console.saving import save
from bot.clock import Clock
from bot.config import DeskConfig
from bot.errors import NotWelcome, StorageBusy, StorageError
from bot.i18n import LOCALES, means, say
from bot.ports import Depth, Intake, Sink
from bot.types import (
    Frame,
    Guard,
    IncomingMessage,
    LedgerRow,
    Limits,
    MessageRef,
    Place,
    Sender,
    Signal,
)

if TYPE_CHECKING:
    from adapters.console.screen import Screen

USER = "local"

LIVE = Limits(
    text_max=1_000_000,
    first_characters=1,
    first_seconds=0.05,
    interval=0.1,
    interval_max=0.25,
    growth=1.0,
)
"""At a terminal nobody limits us; ten frames a second look like writing."""

WHOLE = Limits(text_max=1_000_000, edits=False, placeholder=False)
"""Through a pipe nothing can be taken back: answers are written once, whole."""

_POLL = 0.02
"""Seconds between looks at whether an answer has settled: below what a person notices."""


_BUSY = 0.5
"""Seconds until a store that was busy is tried again; it waited some itself."""


class ConsoleAdapter:
    """One person, one private place. A live screen when both ends are a terminal, else lines.

    `run` returns at the end of input; at a terminal, when the person leaves. `taken` then says how
    many messages came in. `depth` (Inbox.depth) tells the screen when an answer has settled and
    `rows` (Ledger.rows) what it took. `locale` is the terminal's, where the settings name none.
    Typed lines are kept in `history`, else in the user's state.
    """

    platform = "console"
    account = "local"

    def __init__(
        self,
        desk: DeskConfig,
        clock: Clock,
        *,
        depth: Callable[[], Awaitable[Depth]],
        locale: str = "",
        rows: Callable[[int, int], Awaitable[list[LedgerRow]]] | None = None,
        history: Path | None = None,
        surface: Plain | Screen | None = None,
    ) -> None:
        self._locale = desk.locale or locale or LOCALES[0]
        self._clock = clock
        self._depth = depth
        self._rows = rows
        self._surface = surface or _surface(self._locale, history)
        self._live = not isinstance(self._surface, Plain)
        self._position = 0
        self._sent = 0
        self._session = clock.now()
        self.taken = 0

    @property
    def place(self) -> Place:
        """Where everything here is said."""
        return Place(platform=self.platform, account=self.account, channel=USER, private=True)

    def limits(self, place: Place) -> Limits:
        return LIVE if self._live else WHOLE

    def ready(self, place: Place, *, final: bool) -> float:
        return 0.0

    # --- in ---------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Take in what is typed or piped; each message is on disk before the next is read.

        A store that fails ends it, for nobody delivers a line again; who owns the store tells why.
        So does a terminal that went away.
        """
        async with aclosing(self._surface.texts()) as texts:
            with suppress(StorageError, NotWelcome):
                async for text in texts:
                    since = self._clock.now()
                    await self._store(sink, self._intake(text))
                    self.taken += 1
                    if not isinstance(self._surface, Plain):
                        await self._follow(self._surface, sink, since)

    async def _store(self, sink: Sink, intake: Intake) -> None:
        """As often as it takes while somebody else has the store: that passes. Raises StorageError
        for what does not.
        """
        while True:
            try:
                await sink([intake])
            except StorageBusy:
                await self._clock.sleep(_BUSY)
            else:
                return

    async def _follow(self, screen: Screen, sink: Sink, since: int) -> None:
        async def stop() -> None:
            await self._store(sink, self._stop())

        await screen.follow(self._settled, stop)
        if note := await self._note(since):
            screen.note(note)

    async def _settled(self) -> None:
        """Until nothing is left to answer."""
        while (depth := await self._depth()).waiting or depth.leased:
            await self._clock.sleep(_POLL)

    async def _note(self, since: int) -> str:
        """Timing and tokens of the answer just given, as the ledger has them."""
        rows = await self._rows(since, self._clock.now() + 1) if self._rows else []
        if not rows or not _answers(rows[-1]):
            return ""
        row, parts = rows[-1], []
        total = _seconds(row.total_ms)
        if row.first_text_ms is None:
            parts.append(say(self._locale, "console.timing_plain", total=total))
        else:
            first = _seconds(row.first_text_ms)
            parts.append(say(self._locale, "console.timing", total=total, first=first))
        if row.usage.total:
            parts.append(say(self._locale, "console.tokens", tokens=row.usage.total))
        return " · ".join((*parts, row.model) if row.model else parts)

    def _intake(self, text: str) -> Intake:
        position = self._next()
        key = f"console:{USER}:{position}"
        typed, text = text, "/stop" if means(text, "answer.stop") else text
        message = IncomingMessage(
            key=key,
            place=self.place,
            sender=Sender(user=USER, locale=self._locale),
            text=text,
            said_at=self._clock.now(),
            position=position,
            # Piped lines wait together and are answered one by one. Who types waits for the answer,
            # and may stop it: a message that stands alone cannot be stopped.
            alone=not self._live or text.startswith("/"),
        )
        return Intake(raw=json.dumps({"text": typed}), delivery=key, message=message)

    def _stop(self) -> Intake:
        position = self._next()
        signal = Signal(kind="stop", conversation=self.place.conversation, position=position)
        return Intake(raw="{}", delivery=f"console:{USER}:{position}", signal=signal)

    def _next(self) -> int:
        """Later than any before, in this run and in earlier ones on the same database."""
        self._position = max(self._position + 1, self._clock.now() * 1000)
        return self._position

    # --- out --------------------------------------------------------------------------------

    async def send(
        self, place: Place, frame: Frame, *, guard: Guard, reply_to: str | None = None
    ) -> MessageRef:
        guard()
        self._sent += 1
        ref = MessageRef(place=place, id=f"{self._session}-{self._sent}")
        self._surface.show(ref.id, frame)
        return ref

    async def edit(self, ref: MessageRef, frame: Frame, *, guard: Guard) -> bool:
        guard()
        self._surface.show(ref.id, frame)
        return True

    async def delete(self, ref: MessageRef, *, guard: Guard) -> None:
        guard()
        self._surface.drop(ref.id)

    async def set_menu(
        self, commands: Sequence[tuple[str, dict[str, str]]], *, only: Sequence[str] = ()
    ) -> None:
        """The commands to complete while typing."""
        if not isinstance(self._surface, Plain):
            self._surface.words.known = [
                (word, meanings.get(self._locale, "")) for word, meanings in commands
            ]

    async def close(self) -> None:
        """Nothing is held."""


class TerminalAdapter(ConsoleAdapter):
    """The same where a person sits, who gets files into the folder they work in."""

    async def send_file(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        """Save it, its place named first; what is there already is never overwritten."""
        guard()
        path = save(Path.cwd(), name, content, tell=self._tell)
        if caption:
            self.note(caption)
        return MessageRef(place=place, id=f"file:{path}")

    def _tell(self, path: str) -> None:
        self.note(say(self._locale, "console.saving", path=path))

    def note(self, text: str) -> None:
        """A quiet line of our own beside the talk."""
        if not isinstance(self._surface, Plain):
            self._surface.note(clean(text))


def open_console(
    desk: DeskConfig,
    clock: Clock,
    *,
    depth: Callable[[], Awaitable[Depth]],
    rows: Callable[[int, int], Awaitable[list[LedgerRow]]],
    locale: str,
) -> ConsoleAdapter:
    """The console of this process: a pipe takes no files, a person does."""
    kind = TerminalAdapter if sys.stdin.isatty() and sys.stdout.isatty() else ConsoleAdapter
    return kind(desk, clock, depth=depth, rows=rows, locale=locale)


def _answers(row: LedgerRow) -> bool:
    """Whether its time is worth a line: no command, refusal, notice, or question of ours."""
    asks = row.route == "skill" and not row.usage.total
    return row.route not in ("command", "declined", "asked", "relay") and not asks


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f}" if milliseconds >= 100 else f"{milliseconds / 1000:.2f}"


def _surface(locale: str, history: Path | None) -> Plain | Screen:
    if sys.stdin.isatty() and sys.stdout.isatty():
        from adapters.console.screen import Screen

        return Screen(locale, history=history or history_file(os.environ))
    return Plain(sys.stdin.fileno(), sys.stdout.buffer, sys.stdout.encoding)
