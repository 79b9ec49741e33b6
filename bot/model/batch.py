"""Many prompts from a file, answered in order into another; can be killed and taken up again.

Each line of the output stands for the line of the input with its number, and is written once:
answers are put into order before they are written, so what the file holds is always a prefix of
the work, and a new run goes on behind it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import msgspec

from bot.clock import Clock
from bot.errors import KnowledgeError, ModelError
from bot.model.wire import UNREADABLE
from bot.ports import Model
from bot.types import ChatRequest, ChatTurn, ModelDone, ModelReset, ModelText, value

PROMPT_SECONDS = 180.0
"""For one prompt, waiting for its turn included; as long as one attempt at an answer (DESIGN 6)."""
AHEAD = 4
"""How many prompts per worker may be answered before the first open one: what a kill can waste."""

T = TypeVar("T")


class Prompt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the input: {"prompt": …, "id": …, "system": …}, or just a string."""

    prompt: str
    id: str | int | None = None
    system: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the output. `of` is a hash of the input line; `error` stands instead of text."""

    line: int
    of: str
    id: str | int | None = None
    text: str | None = None
    error: str = ""
    finish: str = ""
    model: str = ""
    cached: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0


@value
class Progress:
    """How far a run is. `seconds_left` is None until a prompt of this run was answered."""

    done: int
    total: int
    failed: int
    cached: int
    tokens: int
    seconds: float
    seconds_left: float | None


class Ordered(Generic[T]):
    """Takes numbered things as they come and gives them in order. Pure."""

    def __init__(self, first: int) -> None:
        self.next = first
        self._early: dict[int, T] = {}

    def put(self, number: int, item: T) -> Iterator[T]:
        """All that is now in line."""
        self._early[number] = item
        while self.next in self._early:
            yield self._early.pop(self.next)
            self.next += 1


def plain_request(prompt: Prompt) -> ChatRequest:
    """The prompt as it stands; what a skill would make of it is the caller's to say."""
    system = (ChatTurn(role="system", content=prompt.system),) if prompt.system else ()
    turns = (*system, ChatTurn(role="user", content=prompt.prompt))
    return ChatRequest(turns=turns, question=prompt.prompt, cacheable=True)


def parse(line: bytes) -> Prompt:
    """One input line. Raises ValueError, saying what was expected."""
    try:
        prompt = msgspec.json.decode(line, type=str | Prompt)
    except UNREADABLE as error:
        raise ValueError(f'expected {{"prompt": "…"}} or a string: {error}') from error
    if isinstance(prompt, str):
        prompt = Prompt(prompt=prompt)
    if not prompt.prompt.strip():
        raise ValueError("the prompt is empty")
    return prompt


def digest(line: bytes) -> str:
    """What tells whether an output line was made from this input line."""
    return hashlib.sha256(line.strip()).hexdigest()[:16]


class Answering:
    """What becomes of one line. `make` turns a prompt into a request."""

    def __init__(
        self,
        model: Model,
        clock: Clock,
        *,
        make: Callable[[Prompt], ChatRequest] = plain_request,
    ) -> None:
        self._model = model
        self._clock = clock
        self._make = make

    async def row(self, number: int, line: bytes) -> Row:
        """The row of one line; a line that cannot be read or answered is a row with its error."""
        row = Row(line=number, of=digest(line))
        try:
            prompt = parse(line)
            return await self._asked(msgspec.structs.replace(row, id=prompt.id), prompt)
        except (ValueError, ModelError) as error:
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            return msgspec.structs.replace(row, error=f"{kind}{error}")

    async def _asked(self, row: Row, prompt: Prompt) -> Row:
        request = replace(self._make(prompt), deadline=self._clock.monotonic() + PROMPT_SECONDS)
        pieces: list[str] = []
        done = ModelDone()
        async with aclosing(self._model.stream(request)) as events:
            async for event in events:
                match event:
                    case ModelText(delta=delta):
                        pieces.append(delta)
                    case ModelReset():
                        pieces.clear()
                    case ModelDone():
                        done = event
        return msgspec.structs.replace(
            row,
            text="".join(pieces),
            finish=done.finish,
            model=done.model,
            cached=done.cached,
            prompt_tokens=done.usage.prompt,
            completion_tokens=done.usage.completion,
        )


class _Sheet:
    """The output file of one run: rows go in as they come, and are written in order."""

    def __init__(self, out: BinaryIO, rows: Sequence[Row], total: int, clock: Clock) -> None:
        self._out = out
        self._total = total
        self._clock = clock
        self._started = clock.monotonic()
        self._before = self._done = len(rows)
        self._ordered: Ordered[Row] = Ordered(len(rows) + 1)
        self._failed = self._cached = self._tokens = 0
        for row in rows:
            self._count(row)

    def put(self, row: Row) -> Iterator[Progress]:
        """Write what is in line now. A kill tears at most the last line: `resume` takes it away."""
        for ready in self._ordered.put(row.line, row):
            self._out.write(msgspec.json.encode(ready) + b"\n")
            self._out.flush()
            self._done = ready.line
            self._count(ready)
            yield self.progress()

    def open(self, number: int, ahead: int) -> bool:
        """Whether line `number` may be asked already."""
        return number < self._ordered.next + ahead

    def progress(self) -> Progress:
        """As of now."""
        seconds = self._clock.monotonic() - self._started
        fresh = self._done - self._before
        return Progress(
            done=self._done,
            total=self._total,
            failed=self._failed,
            cached=self._cached,
            tokens=self._tokens,
            seconds=seconds,
            seconds_left=(self._total - self._done) * seconds / fresh if fresh else None,
        )

    def _count(self, row: Row) -> None:
        self._failed += bool(row.error)
        self._cached += row.cached
        self._tokens += row.prompt_tokens + row.completion_tokens


async def run(
    answering: Answering,
    source: Path,
    target: Path,
    *,
    clock: Clock,
    workers: int = 8,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Answer every line that has no answer yet; `tell` hears of each line that is written.

    The numbers count earlier runs too, the seconds do not. Raises KnowledgeError when the input
    cannot be read or the output holds the answers to another one.
    """
    lines = await asyncio.to_thread(_lines, source)
    rows = await asyncio.to_thread(resume, target, lines)
    numbers = iter(range(len(rows) + 1, len(lines) + 1))
    room = asyncio.Condition()
    with await asyncio.to_thread(target.open, "ab") as out:
        sheet = _Sheet(out, rows, len(lines), clock)

        async def work() -> None:
            for number in numbers:
                async with room:
                    await room.wait_for(partial(sheet.open, number, AHEAD * workers))
                row = await answering.row(number, lines[number - 1])
                for progress in sheet.put(row):
                    tell(progress)
                async with room:
                    room.notify_all()

        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, workers)):
                group.create_task(work())
    return sheet.progress()


def resume(target: Path, lines: Sequence[bytes]) -> list[Row]:
    """The rows that stand already; a torn last line is cut off the file.

    Raises KnowledgeError when a row was made from another input.
    """
    if not target.exists():
        return []
    found = target.read_bytes()
    whole = found[: found.rfind(b"\n") + 1]
    rows = []
    for number, text in enumerate(whole.split(b"\n")[:-1], 1):
        try:
            row = msgspec.json.decode(text, type=Row)
        except msgspec.DecodeError as error:
            raise KnowledgeError(f"{target}, line {number}: no row of a batch: {error}") from error
        if number > len(lines) or row.of != digest(lines[number - 1]) or row.line != number:
            raise KnowledgeError(f"{target}, line {number}: is the answer to another prompt")
        rows.append(row)
    if len(whole) < len(found):
        with target.open("r+b") as out:
            out.truncate(len(whole))
    return rows


def _lines(source: Path) -> list[bytes]:
    """The input's lines that are not blank."""
    try:
        text = source.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise KnowledgeError(f"{source}: cannot be read: {error.strerror}") from error
    return [line for line in text.split(b"\n") if line.strip()]
