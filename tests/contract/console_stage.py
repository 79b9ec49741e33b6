"""The console for the adapter contract: plain lines through a pipe, and a live screen.

A terminal loses no answer, limits nobody and delivers nothing twice; one person sits at it, in one
conversation. Behind a pipe the reader may leave: that is its "block".
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from adapters.console import ConsoleAdapter
from adapters.console.plain import Plain
from adapters.console.screen import Screen
from bot.clock import SystemClock
from bot.config import DeskConfig
from bot.ports import Depth, Sink
from bot.types import Place

if TYPE_CHECKING:
    from bot.ports import Adapter
    from tests.contract.adapters import Fault

_WIDTH = 200_000
"""Columns: the longest text on one line, so that a line of the screen is a message."""

_STEP = re.compile(r"\x1b\[(\?)?(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


async def idle() -> Depth:
    """Nothing is left to answer."""
    return Depth(waiting=0, leased=0, dead=0, oldest_ms=0)


def standing(paper: str) -> list[str]:
    """The lines that a terminal shows after this was written to it, without the empty ones."""
    lines, row = [""], 0
    for private, number, command, move, text in _STEP.findall(paper):
        match command or move:
            case "A" if not private:
                row = max(0, row - int(number or 1))
            case "K":
                lines[row] = ""
            case "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            case "":
                lines[row] += text
    return [line for line in lines if line]


class PipeStage:
    """Questions through a pipe, answers to bytes that somebody reads."""

    faults: frozenset[Fault] = frozenset({"block"})

    def __init__(self, source: int, questions: int) -> None:
        self._questions = questions
        self._out = io.BytesIO()
        surface = Plain(source, self._out)
        console = ConsoleAdapter(DeskConfig(), SystemClock(), depth=idle, surface=surface)
        self.adapter: Adapter = console
        self.here = self.there = console.place

    async def say(self, place: Place, text: str) -> None:
        os.write(self._questions, f"{text}\n".encode())

    def screen(self, place: Place) -> list[str]:
        text = self._out.getvalue().decode()
        return text.removesuffix("\n").split("\n\n") if text else []

    async def cause(self, fault: Fault, place: Place) -> None:
        assert fault == "block"
        self._out.close()


class _Followed(ConsoleAdapter):
    """What is shown belongs to an answer that is being followed, until the next line is read."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(DeskConfig(), SystemClock(), depth=idle, surface=screen)
        self._done = asyncio.Event()
        self._following = asyncio.create_task(screen.follow(self._over, self._over))

    async def _over(self) -> None:
        await self._done.wait()

    async def run(self, sink: Sink) -> None:
        await self.settle()
        await super().run(sink)

    async def settle(self) -> None:
        self._done.set()
        await self._following


class ScreenStage:
    """Keys pressed at a live screen, and what its paper shows."""

    faults: frozenset[Fault] = frozenset()

    def __init__(self, keys: PipeInput) -> None:
        self._keys = keys
        self._paper = io.StringIO()
        paper = Console(file=self._paper, force_terminal=True, width=_WIDTH, height=12)
        screen = Screen("en", keyboard=keys, display=DummyOutput(), console=paper)
        self.console = _Followed(screen)
        self.adapter: Adapter = self.console
        self.here = self.there = self.console.place

    async def say(self, place: Place, text: str) -> None:
        self._keys.send_text(f"{text}\r")

    def screen(self, place: Place) -> list[str]:
        return standing(self._paper.getvalue())

    async def cause(self, fault: Fault, place: Place) -> None:
        raise AssertionError("a terminal has no faults")


@asynccontextmanager
async def console_pipe() -> AsyncIterator[PipeStage]:
    """Lines in, whole answers out."""
    source, questions = os.pipe()
    try:
        yield PipeStage(source, questions)
    finally:
        os.close(questions)
        for reader in threading.enumerate():
            if reader.name == "console-input":
                await asyncio.to_thread(reader.join, 5)
        os.close(source)


@asynccontextmanager
async def console_screen() -> AsyncIterator[ScreenStage]:
    """A terminal with a person at it. What was shown live stands on the paper at the end."""
    with create_pipe_input() as keys:
        stage = ScreenStage(keys)
        await asyncio.sleep(0)
        try:
            yield stage
            live = stage.screen(stage.here)
            await stage.console.settle()
            settled = stage.screen(stage.here)
            assert settled[: len(live)] == live
        finally:
            await stage.console.settle()
