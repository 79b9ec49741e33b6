"""A platform in a few lines: strict about what every platform is strict about, on any clock.

What it can do besides posting is chosen by the class: `Screen` has no optional ability,
`RichScreen` deletes, shows typing, takes files and shows pictures.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.clock import Clock
from bot.errors import MessageGone, PlatformError, PlatformRefused
from bot.ports import Sink
from bot.types import Frame, Guard, Limits, MessageRef, Place

Fault = Callable[[], PlatformError]


class Screen:
    """Messages by id, each with all it ever showed. `faults` by number of the call, from 1."""

    platform = "screen"
    account = "1"

    def __init__(self, clock: Clock, limits: Limits, *, latency: float = 0.12) -> None:
        self.clock = clock
        self.shown: dict[str, list[str]] = {}
        self.frames: dict[str, Frame] = {}
        self.faults: dict[int, Fault] = {}
        self.calls: list[str] = []
        self._limits = limits
        self._latency = latency

    def limits(self, place: Place) -> Limits:
        return self._limits

    def ready(self, place: Place, *, final: bool) -> float:
        return 0.0

    async def run(self, sink: Sink) -> None:
        raise NotImplementedError

    async def send(
        self, place: Place, frame: Frame, *, guard: Guard, reply_to: str | None = None
    ) -> MessageRef:
        await self._call("send", guard)
        self._check(frame)
        ref = MessageRef(place=place, id=f"m{len(self.shown)}")
        self.shown[ref.id] = [frame.content.text]
        self.frames[ref.id] = frame
        return ref

    async def edit(self, ref: MessageRef, frame: Frame, *, guard: Guard) -> bool:
        await self._call("edit", guard)
        if not self._limits.edits:
            raise PlatformRefused("nothing can be edited here")
        self._check(frame)
        if ref.id not in self.frames:
            raise MessageGone
        self.shown[ref.id].append(frame.content.text)
        self.frames[ref.id] = frame
        return True

    async def close(self) -> None:
        """Nothing is held."""

    def texts(self) -> list[str]:
        """What stands, from top to bottom."""
        return [frame.content.text for frame in self.frames.values()]

    async def _call(self, name: str, guard: Guard) -> None:
        guard()
        self.calls.append(name)
        await self.clock.sleep(self._latency)
        if fault := self.faults.pop(len(self.calls), None):
            raise fault()

    def _check(self, frame: Frame) -> None:
        text = frame.content.text
        if not text.strip():
            raise PlatformRefused("nothing to show")
        if self._limits.measure(text) > self._limits.text_max:
            raise PlatformRefused("too long")
        if any(not 0 <= s.start < s.end <= len(text) for s in frame.content.spans):
            raise PlatformRefused("a span outside of the text")


class RichScreen(Screen):
    """One with every optional ability that delivery asks for."""

    def __init__(self, clock: Clock, limits: Limits, *, latency: float = 0.12) -> None:
        super().__init__(clock, limits, latency=latency)
        self.files: dict[str, bytes] = {}

    async def delete(self, ref: MessageRef, *, guard: Guard) -> None:
        await self._call("delete", guard)
        self.frames.pop(ref.id, None)

    async def typing(self, place: Place) -> None:
        self.calls.append("typing")

    async def send_file(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        return await self._keep("file", place, name, content, guard)

    async def send_picture(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        return await self._keep("picture", place, name, content, guard)

    async def _keep(
        self, call: str, place: Place, name: str, content: bytes, guard: Guard
    ) -> MessageRef:
        await self._call(call, guard)
        self.files[name] = content
        return MessageRef(place=place, id=f"file{len(self.files)}")
