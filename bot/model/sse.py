"""Server-sent events out of bytes: any cut of the same bytes gives the same events.

Pure. Follows the WHATWG parsing rules (CR, LF and CRLF end a line; one leading BOM is dropped;
comments and unknown fields are skipped), works on bytes so that no character can be split, and
treats nothing but CR and LF as a line end: U+2028 in an answer stays in its line.
"""

from __future__ import annotations

import msgspec

from bot.errors import ModelUnavailable

LINE_MAX = 8 * 1024 * 1024
"""Bytes of one line, or of one event's data, before the stream is given up as hostile."""

_BOM = b"\xef\xbb\xbf"


class ServerEvent(msgspec.Struct, frozen=True, gc=False):
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
        return self._events(self._lines(data))

    def close(self) -> list[ServerEvent]:
        """At the end of the stream: the event that lacks its blank line, if there is one.

        The standard drops it; here the caller judges whether what it holds can be believed.
        """
        line = bytes(self._tail)
        self._tail.clear()
        return self._events([line, b""] if line else [b""])

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

    def _events(self, lines: list[bytes]) -> list[ServerEvent]:
        """Lines without their ends: fields, comments, and the blank lines that end events.

        One loop without calls, because a burst brings hundreds of lines.
        """
        events: list[ServerEvent] = []
        held, known = self._data, len(self._data)
        for line in lines:
            if line.startswith(b"data: "):
                held.append(line[6:])
            elif not line:
                if held:
                    whole = held[0] if len(held) == 1 else self._joined(held)
                    events.append(ServerEvent(self._name, whole))
                    held = self._data = []
                    known = self._size = 0
                self._name = "message"
            elif line.startswith(b"data:"):
                held.append(line[5:])
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ").decode("utf-8", "replace") or "message"
            elif line == b"data":
                held.append(b"")
        self._size += sum(map(len, held[known:])) + len(held) - known
        self._bound(self._size - 1)
        return events

    def _joined(self, held: list[bytes]) -> bytes:
        """The data of several lines; that each of them is within the limit is known."""
        joined = b"\n".join(held)
        self._bound(len(joined))
        return joined
