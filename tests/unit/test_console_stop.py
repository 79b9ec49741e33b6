"""Stopping an answer at a keyboard: by Ctrl-C, or by the word on a line of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from adapters.console import ConsoleAdapter
from bot.clock import SystemClock
from bot.config import DeskConfig
from bot.ports import Depth, Intake
from tests.unit.test_console import Sink, Terminal, free, lines_of, reply, session, shown, terminal

__all__ = ["terminal"]


@pytest.mark.parametrize(
    "keys", ["\x03", "stop\r", "Stop!\r", "停止\r", "/stop\r", "stoo\x7fp\r", "why not\rstop\r"]
)
async def test_ctrl_c_or_the_word_stops_the_answer_and_keeps_the_session(
    terminal: Terminal, keys: str
) -> None:
    """The word is no question then; what was typed before it is kept for afterwards."""
    begun = asyncio.Event()
    stopped = asyncio.Event()

    async def endless(adapter: ConsoleAdapter) -> None:
        if begun.is_set():
            await reply(adapter, "Second answer.")
            return
        ref = await adapter.send(adapter.place, shown("Once upon", final=False), guard=free)
        begun.set()
        terminal.keys.send_text(keys)
        await stopped.wait()
        await adapter.edit(ref, shown("Once upon (stopped)"), guard=free)
        terminal.keys.send_text("more\r\x04")

    class Stopping(Sink):
        async def __call__(self, intakes: Sequence[Intake]) -> None:
            await super().__call__(intakes)
            if intakes[0].signal:
                stopped.set()
            else:
                tasks.append(asyncio.ensure_future(endless(adapter)))

    tasks: list[asyncio.Task[None]] = []

    async def depth() -> Depth:
        leased = sum(not task.done() for task in tasks)
        return Depth(waiting=0, leased=leased, dead=0, oldest_ms=0)

    adapter = ConsoleAdapter(DeskConfig(), SystemClock(), surface=terminal.screen, depth=depth)
    sink = Stopping()
    terminal.keys.send_text("tell me a story\r")
    await asyncio.wait_for(adapter.run(sink), 20)
    signals = [one.signal for one in sink.taken if one.signal]
    assert [signal.kind for signal in signals] == ["stop"]
    assert signals[0].conversation == adapter.place.conversation
    assert sink.texts == ["tell me a story", *(["why not"] if "why" in keys else []), "more"]
    assert "Once upon (stopped)" in terminal.text
    assert "Second answer." in terminal.text


@pytest.mark.parametrize("typed", ["stop", "停止", " Stop. "])
async def test_where_nothing_runs_the_word_is_the_command_and_no_question(
    terminal: Terminal, typed: str
) -> None:
    """As on the other platforms, where it says that there is nothing to stop."""
    terminal.keys.send_text(f"{typed}\rstop it please\r\x04")
    assert (await session(terminal)).texts == ["/stop", "stop it please"]
    _, sink = await lines_of(f"{typed}\n".encode())
    assert sink.texts == ["/stop"]


async def test_a_second_ctrl_c_gives_the_line_back_though_nothing_stops(
    terminal: Terminal,
) -> None:
    hanging = Depth(waiting=0, leased=1, dead=0, oldest_ms=0)

    async def depth() -> Depth:
        return hanging

    sink = Sink(lambda intake: terminal.keys.send_text("\x03\x03\x04" if intake.message else ""))
    adapter = ConsoleAdapter(DeskConfig(), SystemClock(), surface=terminal.screen, depth=depth)
    terminal.keys.send_text("q\r")
    await asyncio.wait_for(adapter.run(sink), 20)
    assert sink.texts == ["q"]
    assert "Stopping…" in terminal.text
