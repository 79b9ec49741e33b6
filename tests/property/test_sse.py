"""The SSE decoder sees bytes, not their cuts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ModelUnavailable
from bot.model import sse
from bot.model.sse import ServerEvent, SseDecoder

LINES = st.sampled_from(
    [
        b"data: one",
        b"data:two",
        b"data: \xe4\xbd\xa0\xe5\xa5\xbd \xe2\x80\xa8 \xf0\x9f\x98\x80",
        b"data",
        b"data: [DONE]",
        b": a comment",
        b"event: ping",
        b"event:",
        b"id: 7",
        b"retry: 10",
        b"unknown: x",
        b"\xff\xfe",
        b"",
        b"",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.builds(
    lambda bom, lines, tail: bom + b"".join(a + b for a, b in lines) + tail,
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(st.tuples(LINES, ENDS), max_size=30),
    st.sampled_from([b"", b"data: tail", b"\r", b"\xe4\xbd"]),
)


def decoded(parts: list[bytes]) -> list[ServerEvent]:
    decoder = SseDecoder()
    events = [event for part in parts for event in decoder.feed(part)]
    return events + decoder.close()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    at = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[a:b] for a, b in itertools.pairwise(at)]


@given(STREAMS, st.lists(st.integers(0, 2000), max_size=40))
def test_any_cut_gives_the_same_events(stream: bytes, places: list[int]) -> None:
    assert decoded(cut(stream, places)) == decoded([stream])


@given(STREAMS)
def test_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    assert decoded([bytes([byte]) for byte in stream]) == decoded([stream])


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), min_size=1), ENDS)
def test_what_is_written_is_read(lines: list[str], end: bytes) -> None:
    """Any text but line ends survives, whichever line end the server uses."""
    encoded = [line.encode() for line in lines]
    stream = end.join(b"data: " + line for line in encoded) + end + end
    assert decoded([stream]) == [ServerEvent("message", b"\n".join(encoded))]


def test_a_bom_is_dropped_once_and_only_at_the_start() -> None:
    assert decoded([b"\xef\xbb\xbfdata: \xef\xbb\xbfa\n\n"]) == [
        ServerEvent("message", b"\xef\xbb\xbfa")
    ]


def test_a_name_belongs_to_its_event_only() -> None:
    """`event: ping` without data names nothing that follows."""
    stream = b"event: ping\n\nevent: add\ndata: x\n\ndata: y\n\n"
    assert decoded([stream]) == [ServerEvent("add", b"x"), ServerEvent("message", b"y")]


def test_the_event_without_its_blank_line_is_given_at_the_end() -> None:
    assert decoded([b"data: a\n\ndata: b"]) == [
        ServerEvent("message", b"a"),
        ServerEvent("message", b"b"),
    ]


@pytest.mark.parametrize("size", [1, 10, 63, 64, 65, 1000])
def test_a_line_over_the_limit_ends_the_stream_however_it_is_cut(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without any line end, and also as one event of many lines."""
    monkeypatch.setattr(sse, "LINE_MAX", 64)
    long = b"data: " + b"x" * 65 + b"\n\n"
    many = b"data: xxxxxxxx\n" * 20
    for stream in (long, many, b"y" * 100):
        with pytest.raises(ModelUnavailable):
            decoded([stream[at : at + size] for at in range(0, len(stream), size)])


def test_an_event_of_three_hundred_kilobytes_passes() -> None:
    body = b"z" * 300_000
    assert decoded([b"data: " + body[:7], body[7:], b"\n\n"])[0].data == body
