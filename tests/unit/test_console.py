"""The console: lines through a pipe, a live screen at a terminal, and nothing that commands it."""

from __future__ import annotations

import asyncio
import io
import os
import pty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input, typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from adapters.console import ConsoleAdapter
from adapters.console import adapter as console_adapter
from adapters.console.clean import clean
from adapters.console.plain import LINE_MAX, Plain
from adapters.console.screen import Screen, Words
from bot.clock import SystemClock
from bot.config import DeskConfig
from bot.errors import LeaseLost, NotWelcome, StorageBusy, StorageFull
from bot.ports import Deletes, Depth, HasMenu, Intake
from bot.types import Frame, LedgerRow, RichText, Usage


def shown(text: str, *, final: bool = True) -> Frame:
    return Frame(content=RichText(text=text), final=final)


async def idle() -> Depth:
    return Depth(waiting=0, leased=0, dead=0, oldest_ms=0)


def free() -> None:
    """A guard that lets everything pass."""


class Sink:
    """Takes intakes in, and tells how many it has."""

    def __init__(self, then: Callable[[Intake], None] | None = None) -> None:
        self.taken: list[Intake] = []
        self._then = then

    async def __call__(self, intakes: Sequence[Intake]) -> None:
        self.taken += intakes
        for intake in intakes:
            if self._then:
                self._then(intake)

    @property
    def texts(self) -> list[str]:
        return [one.message.text for one in self.taken if one.message]


@contextmanager
def piped(content: bytes) -> Iterator[int]:
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    yield read
    os.close(read)


async def lines_of(content: bytes) -> tuple[ConsoleAdapter, Sink]:
    sink = Sink()
    with piped(content) as source:
        adapter = ConsoleAdapter(
            DeskConfig(), SystemClock(), depth=idle, surface=Plain(source, io.BytesIO())
        )
        await asyncio.wait_for(adapter.run(sink), 10)
    return adapter, sink


# --- lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"\n  \n\r\n", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\nlast without newline", ["one", "last without newline"]),
        ("\ufeff你好\n".encode(), ["你好"]),
        (b"bad \xff byte\n", ["bad \ufffd byte"]),
        (b"a\0b\n", ["ab"]),
    ],
)
async def test_each_line_is_one_message(content: bytes, texts: list[str]) -> None:
    adapter, sink = await lines_of(content)
    assert sink.texts == texts
    assert adapter.taken == len(texts)


async def test_messages_are_private_alone_in_order_and_of_different_keys() -> None:
    _, sink = await lines_of(b"same\nsame\nsame\n")
    messages = [one.message for one in sink.taken if one.message]
    assert len({message.key for message in messages}) == 3
    assert len({one.delivery for one in sink.taken}) == 3
    positions = [message.position for message in messages]
    assert positions == sorted(set(positions))
    for message in messages:
        assert message.alone
        assert message.place.private
        assert (message.place.platform, message.place.account) == ("console", "local")


async def test_a_file_is_read_as_a_pipe_is(tmp_path: Path) -> None:
    path = tmp_path / "questions"
    path.write_bytes(b"one\ntwo")
    source = os.open(path, os.O_RDONLY)
    sink = Sink()
    adapter = ConsoleAdapter(
        DeskConfig(), SystemClock(), depth=idle, surface=Plain(source, io.BytesIO())
    )
    await asyncio.wait_for(adapter.run(sink), 10)
    os.close(source)
    assert sink.texts == ["one", "two"]


async def test_a_line_without_end_is_kept_to_its_limit_only(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(b"x" * (LINE_MAX * 3) + b"\nnext\n")
    source = os.open(path, os.O_RDONLY)
    sink = Sink()
    adapter = ConsoleAdapter(
        DeskConfig(), SystemClock(), depth=idle, surface=Plain(source, io.BytesIO())
    )
    await asyncio.wait_for(adapter.run(sink), 10)
    os.close(source)
    assert [len(text) for text in sink.texts] == [LINE_MAX, 4]


async def test_a_message_is_stored_before_the_next_is_read() -> None:
    stored = asyncio.Event()
    entered: list[str] = []

    async def slow(intakes: Sequence[Intake]) -> None:
        entered.append(intakes[0].message.text if intakes[0].message else "")
        await stored.wait()

    with piped(b"one\ntwo\n") as source:
        adapter = ConsoleAdapter(
            DeskConfig(), SystemClock(), depth=idle, surface=Plain(source, io.BytesIO())
        )
        task = asyncio.create_task(adapter.run(slow))
        while not entered:
            await asyncio.sleep(0)
        assert (entered, adapter.taken) == (["one"], 0)
        stored.set()
        await task
    assert entered == ["one", "two"]


async def test_a_line_waits_for_a_store_that_is_busy_and_ends_with_one_that_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another program's lock passes; nobody delivers the line again, so it is tried again here."""
    monkeypatch.setattr(console_adapter, "_BUSY", 0.001)
    troubles = [StorageBusy("locked"), None, StorageBusy("locked"), StorageBusy("locked"), None]
    keys: list[str] = []

    def troubled(intake: Intake) -> None:
        keys.append(str(intake.delivery))
        trouble = troubles.pop(0) if troubles else StorageFull("full")
        if trouble is not None:
            raise trouble

    with piped(b"one\ntwo\nthree\nfour\n") as source:
        surface = Plain(source, io.BytesIO())
        adapter = ConsoleAdapter(DeskConfig(), SystemClock(), depth=idle, surface=surface)
        await asyncio.wait_for(adapter.run(Sink(troubled)), 10)
    first, second, third = dict.fromkeys(keys)
    assert keys == [first, first, second, second, second, third]
    assert adapter.taken == 2


def plain(out: Any) -> ConsoleAdapter:
    return ConsoleAdapter(DeskConfig(), SystemClock(), depth=idle, surface=Plain(0, out))


async def test_answers_are_written_once_whole_and_set_off() -> None:
    out = io.BytesIO()
    adapter = plain(out)
    limits = adapter.limits(adapter.place)
    assert (limits.edits, limits.placeholder) == (False, False)
    await adapter.send(adapter.place, shown("Seven days.\nSource: returns"), guard=free)
    await adapter.send(adapter.place, shown("七天"), guard=free)
    assert out.getvalue().decode() == "Seven days.\nSource: returns\n\n七天\n"


async def test_a_reader_that_left_is_not_welcome_and_no_crash() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb", buffering=0) as out:
        adapter = plain(out)
        with pytest.raises(NotWelcome):
            await adapter.send(adapter.place, shown("x"), guard=free)


async def test_nothing_is_shown_when_the_guard_objects() -> None:
    def lost() -> None:
        raise LeaseLost

    out = io.BytesIO()
    adapter = plain(out)
    with pytest.raises(LeaseLost):
        await adapter.send(adapter.place, shown("x"), guard=lost)
    assert out.getvalue() == b""


# --- the screen ------------------------------------------------------------------------------


class Terminal:
    """A screen with keys to press and paper to read."""

    def __init__(self, keys: Any, **more: Any) -> None:
        self.keys = keys
        self.paper = io.StringIO()
        console = Console(file=self.paper, force_terminal=True, width=60, height=12)
        self.screen = Screen("en", keyboard=keys, display=DummyOutput(), console=console, **more)

    @property
    def text(self) -> str:
        return clean(self.paper.getvalue())


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with create_pipe_input() as keys:
        yield Terminal(keys)


async def session(
    terminal: Terminal,
    answer: Callable[[ConsoleAdapter], Any] | None = None,
    **more: Any,
) -> Sink:
    """A whole session: whatever comes in is answered by `answer`."""
    open_answers: set[asyncio.Task[Any]] = set()

    def answered(intake: Intake) -> None:
        if intake.message and answer:
            open_answers.add(asyncio.ensure_future(answer(adapter)))

    async def depth() -> Depth:
        leased = sum(not task.done() for task in open_answers)
        return Depth(waiting=0, leased=leased, dead=0, oldest_ms=0)

    sink = Sink(answered)
    adapter = ConsoleAdapter(
        DeskConfig(), SystemClock(), surface=terminal.screen, depth=depth, **more
    )
    await asyncio.wait_for(adapter.run(sink), 20)
    await asyncio.gather(*open_answers)
    return sink


async def reply(adapter: ConsoleAdapter, *texts: str) -> None:
    """One message that grows, as delivery makes it grow."""
    ref = await adapter.send(adapter.place, shown("Looking…", final=False), guard=free)
    for index, text in enumerate(texts):
        await asyncio.sleep(0)
        final = index == len(texts) - 1
        await adapter.edit(ref, shown(text, final=final), guard=free)


@pytest.mark.parametrize("leave", ["quit\r", " EXIT \r", "\x04"])
async def test_quit_and_ctrl_d_leave(terminal: Terminal, leave: str) -> None:
    terminal.keys.send_text(f"hello\r{leave}")
    assert (await session(terminal)).texts == ["hello"]
    assert terminal.text.rstrip().endswith("Goodbye.")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("two\x1b\rlines\r", "two\nlines"),
        ("two\\\rlines\r", "two\nlines"),
        ("\x1b[200~pasted\nas\nit is\x1b[201~\r", "pasted\nas\nit is"),
        ("given up\x03kept\r", "kept"),
        ("a \x1b[31mred\x1b[0m lamp\r", "a red lamp"),
        ("你好\r", "你好"),
    ],
)
async def test_lines_are_edited_as_in_a_good_terminal_program(
    terminal: Terminal, keys: str, text: str
) -> None:
    terminal.keys.send_text(keys + "\x04")
    assert (await session(terminal)).texts == [text]


async def test_an_answer_grows_in_place_and_stands_once(terminal: Terminal) -> None:
    terminal.keys.send_text("q\rquit\r")
    await session(terminal, lambda adapter: reply(adapter, "Seven", "Seven days."))
    after = terminal.text.rpartition("Seven days.")
    assert "Looking…" in after[0]
    assert "Seven" not in after[2]


async def test_the_next_question_waits_for_the_answer(terminal: Terminal) -> None:
    order: list[str] = []

    async def answer(adapter: ConsoleAdapter) -> None:
        order.append("asked")
        await reply(adapter, "Done.")
        order.append("answered")

    terminal.keys.send_text("one\rtwo\r\x04")
    await session(terminal, answer)
    assert order == ["asked", "answered"] * 2


async def test_time_and_tokens_stand_under_the_answer(terminal: Terminal) -> None:
    async def rows(since: int, until: int) -> list[LedgerRow]:
        usage = Usage(prompt=40, completion=2)
        return [
            LedgerRow(
                at=since,
                route="grounded",
                outcome="answered",
                total_ms=1234,
                first_text_ms=210,
                usage=usage,
                model="glm-x",
            )
        ]

    terminal.keys.send_text("q\rquit\r")
    await session(terminal, lambda adapter: reply(adapter, "A."), rows=rows)
    assert "1.2 s, first text after 0.2 s · 42 tokens · glm-x" in terminal.text


async def test_a_text_longer_than_the_screen_shows_its_end_and_is_printed_whole(
    terminal: Terminal,
) -> None:
    story = "\n".join(f"line {number}" for number in range(100))
    terminal.keys.send_text("q\rquit\r")
    await session(terminal, lambda adapter: reply(adapter, story, story))
    head, _, printed = terminal.text.rpartition("line 0\n")
    assert "line 99" in head
    assert "line 98\nline 99" in printed.replace(" \n", "\n")


async def test_parts_of_an_answer_are_printed_in_order_and_repeats_not_again(
    terminal: Terminal,
) -> None:
    async def parts(adapter: ConsoleAdapter) -> None:
        one = await adapter.send(adapter.place, shown("part one", final=False), guard=free)
        two = await adapter.send(adapter.place, shown("part two", final=False), guard=free)
        gone = await adapter.send(adapter.place, shown("surplus", final=False), guard=free)
        await adapter.edit(two, shown("PART TWO"), guard=free)
        await adapter.edit(one, shown("PART ONE"), guard=free)
        await adapter.edit(one, shown("PART ONE"), guard=free)
        await adapter.delete(gone, guard=free)

    terminal.keys.send_text("q\rquit\r")
    await session(terminal, parts)
    assert terminal.text.endswith("\nPART ONE\n\nPART TWO\n\nGoodbye.\n")


async def test_what_comes_while_nobody_asks_is_printed_when_final(terminal: Terminal) -> None:
    adapter = ConsoleAdapter(DeskConfig(), SystemClock(), depth=idle, surface=terminal.screen)
    ref = await adapter.send(adapter.place, shown("gro", final=False), guard=free)
    assert terminal.text == ""
    await adapter.edit(ref, shown("grown"), guard=free)
    await adapter.edit(ref, shown("grown"), guard=free)
    assert terminal.text == "grown\n\n"


async def test_commands_are_completed_at_the_start_only(terminal: Terminal) -> None:
    adapter = ConsoleAdapter(
        DeskConfig(locale="zh"), SystemClock(), depth=idle, surface=terminal.screen
    )
    await adapter.set_menu([("stats", {"en": "numbers", "zh": "统计"}), ("stop", {})])
    words = terminal.screen.words
    assert isinstance(words, Words)

    def offered(typed: str) -> list[tuple[str, str]]:
        found = words.get_completions(Document(typed), CompleteEvent())
        return [(one.text, one.display_meta_text) for one in found]

    assert offered("/sta") == [("/stats", "统计")]
    assert [text for text, _ in offered("/")] == ["/stats", "/stop"]
    assert offered("hello /sta") == offered("/stats ") == offered("sta") == []


async def test_typed_lines_are_kept_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "history"
    with create_pipe_input() as keys:
        terminal = Terminal(keys, history=path)
        keys.send_text("remember me\r\x04")
        await session(terminal)
    assert mode_of(path) == 0o600
    with create_pipe_input() as keys:
        terminal = Terminal(keys, history=path)
        keys.send_text("\x1b[A\r\x04")
        assert (await session(terminal)).texts == ["remember me"]


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_keys_typed_during_an_answer_are_the_next_line(terminal: Terminal) -> None:
    async def answer(adapter: ConsoleAdapter) -> None:
        ref = await adapter.send(adapter.place, shown("…", final=False), guard=free)
        if not sent:
            sent.append("ahead")
            terminal.keys.send_text("ahead\r\x04")
            while not any(typeahead._buffer.values()):
                await asyncio.sleep(0)
        await adapter.edit(ref, shown("Done."), guard=free)

    sent: list[str] = []
    terminal.keys.send_text("q\r")
    assert (await session(terminal, answer)).texts == ["q", "ahead"]


@pytest.mark.parametrize(("keys", "texts"), [("\x04", []), ("next\r\x04", ["next"])])
async def test_keys_pressed_between_an_answer_and_the_next_prompt_are_not_lost(
    keys: str, texts: list[str]
) -> None:
    """A terminal that is not raw just then would swallow Ctrl-D and echo the rest."""
    there, here = pty.openpty()
    with os.fdopen(here, closefd=True) as file:
        terminal = Terminal(Vt100Input(file))
        pressed: list[int] = []

        async def rows(since: int, until: int) -> list[LedgerRow]:
            if not pressed:
                pressed.append(os.write(there, keys.encode()))
            return []

        os.write(there, b"q\r")
        sink = await session(terminal, lambda adapter: reply(adapter, "A."), rows=rows)
    os.close(there)
    assert sink.texts == ["q", *texts]


async def test_the_console_can_delete_and_has_a_menu(terminal: Terminal) -> None:
    adapter = ConsoleAdapter(DeskConfig(), SystemClock(), depth=idle, surface=terminal.screen)
    assert isinstance(adapter, Deletes)
    assert isinstance(adapter, HasMenu)
