"""A chat at a keyboard: an editor line below, answers that grow in place above it.

prompt_toolkit reads, rich paints; both are imported here only, and this file only when somebody
sits at a terminal.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import HTML
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from adapters.console.clean import clean, clean_rich
from bot.errors import NotWelcome
from bot.i18n import means, say
from bot.types import Frame, RichText, Span

_ENTER = (Keys.ControlM, Keys.ControlJ)
LEAVE = frozenset({"quit", "exit", "/quit", "/exit"})

_REMEMBERED = 64
"""Settled messages whose text is known, so that a repeated edit prints nothing twice."""

_GONE = (errno.EIO, errno.ENXIO, errno.EBADF)
"""What a terminal says whose other end is closed, or that was taken away (tty(4), close(2)). A
process without a controlling terminal gets no SIGHUP then."""

_STYLES: Mapping[str, str] = {
    "bold": "bold",
    "italic": "italic",
    "strike": "strike",
    "code": "cyan",
    "pre": "cyan",
    "link": "underline",
    "quote": "dim",
    "heading": "bold",
    "spoiler": "dim",
}


def paint(content: RichText) -> Text:
    """Marked text as rich shows it; only http links become links of the terminal."""
    content = clean_rich(content)
    text = Text(content.text, overflow="fold")
    for span in content.spans:
        text.stylize(_style(span), span.start, span.end)
    return text


def _style(span: Span) -> str:
    url = clean(span.detail)
    if span.kind == "link" and url.startswith(("https://", "http://")) and " " not in url:
        return f"underline link {url}"
    return _STYLES[span.kind]


class Words(Completer):
    """Completes the desk's commands at the start of a message."""

    def __init__(self) -> None:
        self.known: Sequence[tuple[str, str]] = ()

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        typed = document.text_before_cursor
        if not typed.startswith("/") or " " in typed or "\n" in typed:
            return
        for word, meaning in self.known:
            if word.startswith(typed[1:].lower()):
                yield Completion(f"/{word}", start_position=-len(typed), display_meta=meaning)


class _Tail:
    """As much of the end of a text as the terminal has lines for: what grows stays in view."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._text, options, pad=False)
        for line in lines[-max(3, console.height - 2) :]:
            yield from line
            yield Segment.line()


class Screen:
    """The terminal. Messages stand in the order of their first sight.

    What is to be shown raises NotWelcome once the terminal is gone.
    """

    def __init__(
        self,
        locale: str,
        *,
        history: Path | None = None,
        keyboard: Input | None = None,
        display: Output | None = None,
        console: Console | None = None,
    ) -> None:
        self._locale = locale
        self._console = console or Console(highlight=False, soft_wrap=False)
        self._open: dict[str, Frame] = {}
        self._settled: dict[str, str] = {}
        self._live: Live | None = None
        self.words = Words()
        self._session: PromptSession[str] = PromptSession(
            multiline=True,
            completer=self.words,
            complete_while_typing=True,
            key_bindings=_keys(),
            history=_history(history),
            input=keyboard,
            output=display,
            prompt_continuation="  ",
        )

    # --- reading ----------------------------------------------------------------------------

    async def texts(self) -> AsyncGenerator[str, None]:
        """What is typed, until Ctrl-D, quit, or the end of the terminal itself. Ctrl-C gives up the
        line, not the session.

        The terminal stays raw from the first prompt to the last: between two of them it would
        swallow what is pressed (a Ctrl-D becomes an end of file that nobody reads) or raise SIGINT.
        """
        self._print(Text(say(self._locale, "console.welcome"), style="dim"))
        with self._session.app.input.raw_mode():
            while (text := await self._typed()) is not None:
                if text.strip().lower() in LEAVE:
                    break
                if text.strip():
                    yield text
        self._print(Text(say(self._locale, "console.bye"), style="dim"))

    async def _typed(self) -> str | None:
        label = HTML("<b>{}</b> › ").format(say(self._locale, "console.prompt"))
        try:
            with _terminal(), patch_stdout(raw=True):
                return await self._session.prompt_async(label, handle_sigint=False)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    async def follow(
        self, settled: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
    ) -> None:
        """Show answers as they grow until `settled` returns.

        The first Ctrl-C calls `stop`, and the answer ends as it stands; a second one returns at
        once. So does the word for it on a line of its own. Other keys are kept for the next line,
        as a shell keeps them. Returns, or raises NotWelcome, when the terminal goes away.
        """
        waiting = asyncio.ensure_future(settled())
        stops: list[asyncio.Future[None]] = []

        def interrupt() -> None:
            if stops:
                waiting.cancel()
                return
            self._print(Text(say(self._locale, "console.stopping"), style="dim"))
            stops.append(asyncio.ensure_future(stop()))

        with self._listening(interrupt, waiting.cancel), self._growing():
            try:
                await asyncio.wait([waiting])
                await asyncio.gather(*stops)
            finally:
                waiting.cancel()
        if not waiting.cancelled():
            waiting.result()

    @contextmanager
    def _listening(
        self, interrupt: Callable[[], None], gone: Callable[[], object]
    ) -> Iterator[None]:
        """Keys arrive as keys, Ctrl-C included, while no line is being edited."""
        keyboard, line = self._session.app.input, list[KeyPress]()

        def pressed() -> None:
            for key in keyboard.read_keys():
                if key.key is Keys.ControlC:
                    interrupt()
                    continue
                line.append(key)
                if key.key in _ENTER:
                    if _stops(line):
                        interrupt()
                    else:
                        store_typeahead(keyboard, line)
                    line.clear()
            if keyboard.closed:
                gone()

        with keyboard.attach(pressed):
            try:
                yield
            finally:
                store_typeahead(keyboard, line)

    @contextmanager
    def _growing(self) -> Iterator[None]:
        with (
            _terminal(),
            Live(
                console=self._console, transient=True, auto_refresh=False, vertical_overflow="crop"
            ) as live,
        ):
            self._live = live
            try:
                yield
            finally:
                self._live = None
        self._settle(list(self._open))

    # --- showing ----------------------------------------------------------------------------

    def show(self, name: str, frame: Frame) -> None:
        """Let message `name` show this.

        While an answer is followed it grows in place and is printed for good at the end, whatever
        calls itself final before; outside of that a final frame is printed at once.
        """
        if self._settled.get(name) == clean(frame.content.text):
            return
        if self._session.app.input.closed:
            raise NotWelcome("the terminal is gone")
        self._open[name] = frame
        if self._live is not None:
            self._refresh()
        elif frame.final:
            self._settle([name])

    def drop(self, name: str) -> None:
        """Take an unsettled message away."""
        self._open.pop(name, None)
        self._refresh()

    def note(self, text: str) -> None:
        """A quiet line of our own; nobody misses it where nobody reads."""
        with suppress(NotWelcome):
            self._print(Text(text, style="dim"), end="\n\n")

    def _settle(self, names: list[str]) -> None:
        """Out of what grows first, then onto the paper: no moment shows a message twice."""
        frames = [self._open.pop(name) for name in names]
        self._refresh()
        for name, frame in zip(names, frames, strict=True):
            self._settled[name] = clean(frame.content.text)
            self._print(paint(frame.content), end="\n\n")
        while len(self._settled) > _REMEMBERED:
            del self._settled[next(iter(self._settled))]

    def _refresh(self) -> None:
        if self._live is not None:
            frames = list(self._open.values())
            grown = Text("\n\n").join(paint(frame.content) for frame in frames)
            with _terminal():
                self._live.update(_Tail(grown) if frames else Text(""), refresh=True)

    def _print(self, text: Text, end: str = "\n") -> None:
        with _terminal():
            self._console.print(text, end=end)


@contextmanager
def _terminal() -> Iterator[None]:
    """NotWelcome for the error of a terminal that is not there any more."""
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE:
            raise
        raise NotWelcome("the terminal is gone") from error


def _stops(keys: Sequence[KeyPress]) -> bool:
    """Whether a line that was typed while an answer grew is the word that stops it."""
    typed = ""
    for key in keys:
        typed = typed[:-1] if key.key is Keys.ControlH else typed + _letters(key)
    return typed.strip().lower() == "/stop" or means(typed, "answer.stop")


def _letters(key: KeyPress) -> str:
    """What a key writes; a key that does something else writes what is in no word."""
    if key.key in _ENTER:
        return ""
    return key.key if len(key.key) == 1 else key.data if key.key is Keys.BracketedPaste else "\0"


def _keys() -> KeyBindings:
    """Enter sends, Alt-Enter begins a new line, and so does Enter behind a backslash."""
    keys = KeyBindings()

    @keys.add("enter")
    @keys.add("c-j")
    def _send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _newline(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add(Keys.Vt100MouseEvent)
    def _no_mouse(event: KeyPressEvent) -> None:
        """No mouse is asked for: what looks like its news is a pasted colour, as `ESC [31m`.

        The library would read three numbers in it, and end the prompt over one.
        """

    return keys


def _history(path: Path | None) -> History:
    """Lines of earlier sessions, in a file that only its owner reads."""
    if path is None:
        return InMemoryHistory()
    os.close(os.open(path, os.O_CREAT | os.O_APPEND, 0o600))
    return FileHistory(path)
