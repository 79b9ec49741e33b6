"""Server-sent events out of bytes: any cut of the same bytes gives the same events.

Pure. Follows the WHATWG parsing rules (CR, LF and CRLF end a line; one leading BOM is dropped;
comments and unknown fields are skipped), works on bytes so that no character can be split, and
treats nothing but CR and LF as a line end: U+2028 in an answer stays in its line.
"""

from __future__ import annotations

from typing import NamedTuple

from bot.errors import ModelUnavailable

LINE_MAX = 8 * 1024 * 1024
"""Bytes of one line, or of one event's data, before the stream is given up as hostile."""

_BOM = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One event with data. `name` is "message" where the server gave none."""

    name: str
    data: bytes


class SseDecoder:
    """Takes bytes as they come and gives events as they are complete."""

    def __init__(self) -> None:
        self._tail = bytearray()
        self._name = "message"
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._opening = True

    def feed(self, data: bytes) -> list[ServerEvent]:
        """The events that `data` completes. Raises ModelUnavailable over the line limit."""
        if self._opening:
            data = self._open(data)
        events: list[ServerEvent] = []
        for line in self._lines(data):
            self._take(line, events)
        return events

    def close(self) -> list[ServerEvent]:
        """At the end of the stream: the event that lacks its blank line, if there is one.

        The standard drops it; here the caller judges whether what it holds can be believed.
        """
        rest: list[ServerEvent] = []
        line = bytes(self._tail)
        self._tail.clear()
        if line:
            self._take(line, rest)
        self._take(b"", rest)
        return rest

    def _open(self, data: bytes) -> bytes:
        """Hold bytes back while they may still be the start of a BOM."""
        held = bytes(self._tail) + data
        self._tail.clear()
        if len(held) < len(_BOM) and _BOM.startswith(held):
            self._tail += held
            return b""
        self._opening = False
        return held.removeprefix(_BOM)

    def _lines(self, data: bytes) -> list[bytes]:
        """The whole lines up to here; what follows the last line end is kept."""
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, end, tail = data.rpartition(b"\n")
        if not end:
            self._tail += tail
            self._bound(len(self._tail) if not self._opening else 0)
            return []
        if self._tail:
            head = bytes(self._tail) + head
            self._tail.clear()
        self._tail += tail
        self._bound(len(tail))
        lines = head.split(b"\n")
        if len(head) > LINE_MAX:
            self._bound(max(map(len, lines)))
        return lines

    def _bound(self, size: int) -> None:
        if size > LINE_MAX:
            raise ModelUnavailable(f"the stream has a line over {LINE_MAX} bytes")

    def _take(self, line: bytes, events: list[ServerEvent]) -> None:
        """One line without its end: a field, a comment, or the blank line that ends an event."""
        if line.startswith(b"data:"):
            self._add(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            if self._data:
                events.append(ServerEvent(self._name, b"\n".join(self._data)))
                self._data, self._size = [], 0
            self._name = "message"
        elif line.startswith(b"event:"):
            self._name = line[6:].removeprefix(b" ").decode("utf-8", "replace") or "message"
        elif line == b"data":
            self._add(b"")

    def _add(self, data: bytes) -> None:
        self._size += len(data) + 1
        self._bound(self._size - 1)
        self._data.append(data)
