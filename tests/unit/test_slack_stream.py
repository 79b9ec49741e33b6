"""What is appended to a stream: it stands for good, it is whole by itself, and it adds up to V."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.slack.render import shown
from adapters.slack.stream import (
    LIFE_SECONDS,
    STREAM_BYTES,
    Append,
    Close,
    Keep,
    Leave,
    Move,
    Stream,
    settled,
)
from bot.text.markdown import Markdown, render
from bot.types import ConversationId, Frame, RichText
from tests.flow.answers import answer

HERE = ConversationId("slack:T1:D1")


def stream(text: str = "") -> Stream:
    """A stream in which this stands, begun at 0."""
    begun = Stream(HERE, 0.0)
    begun.text = text
    return begun


def moved(
    begun: Stream, text: str, *, now: float = 1.0, final: bool = False, full: bool = False
) -> Move:
    """What a frame of this source leads to."""
    content = render(text, final=final or full)
    return begun.move(Frame(content=content, final=final, full=full), now)


def grown(source: str, rhythm: list[int]) -> tuple[list[str], str | None]:
    """The pieces appended while a text grew, and the rest at its end; None: it was left."""
    markdown, begun, at, turn = Markdown(), stream(), 0, 0
    pieces: list[str] = []
    while at < len(source):
        at, turn = at + rhythm[turn % len(rhythm)], turn + 1
        growing = Frame(content=markdown(source[:at], final=False), final=False)
        match begun.move(growing, 1.0):
            case Append(text=text):
                pieces.append(text)
                begun.text += text
            case Leave():
                return pieces, None
    end = begun.move(Frame(content=markdown(source, final=True)), 1.0)
    return pieces, end.rest if isinstance(end, Close) else None


RHYTHMS = st.lists(st.integers(1, 60), min_size=1, max_size=4)


@settings(max_examples=25)
@given(st.integers(0, 10**9), st.lists(st.integers(7, 60), min_size=1, max_size=4))
def test_an_answer_is_appended_to_its_end(seed: int, rhythm: list[int]) -> None:
    """Whatever the rhythm: nothing ever had to be taken back, and the pieces add up to V."""
    source, _ = answer(Random(seed), 300)
    pieces, rest = grown(source, rhythm)
    assert rest is not None
    assert "".join(pieces) + rest == shown(render(source))
    assert not [piece for piece in (*pieces, rest) if piece[:1].isspace()]


_PARTS = (
    *("<!channel>", "<@U1>", "<!here|x>", "<https://e.vil|click>", "&lt;!channel&gt;", "&", "<"),
    *("**", "*", "_", "`", "```\n", "~~", "[a](", "https://e.vil)", "![", "]", "(", "|", "> "),
    *("\n", "\n\n", "- ", "1. ", "# ", "  ", " ", "中文。", "word", "\\", "\u200b", "@channel"),
    *("| a | b |\n|---|---|\n", "| 1 | 22 |\n"),
)


@example("- 1. ", [1])
@given(st.lists(st.sampled_from(_PARTS), max_size=30).map("".join), RHYTHMS)
def test_no_piece_can_ping_and_none_breaks_what_it_belongs_to(
    source: str, rhythm: list[int]
) -> None:
    """Each is escaped by itself, and all of them together are the escaped whole: so a token that
    is cut by a seam is none on either side, and none when joined.
    """
    pieces, rest = grown(source, rhythm)
    assert "<" not in "".join(pieces)
    assert not [piece for piece in pieces if piece[:1].isspace()]
    if rest is not None:
        assert "".join(pieces) + rest == shown(render(source))


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("", ""),
        ("a", ""),
        ("Seven days.", "Seven days"),
        ("Seven **working da", "Seven "),
        ("Seven **working** days", "Seven **working** day"),
        ("see [the docs](https://a.b) for", "see [the docs](https://a.b) fo"),
        ("see [the docs](https://a.b)", "see "),
        ("use `rm", "use "),
        ("AT&T rocks", "AT&T rock"),
        ("a & b", "a & "),
        ("x &am", "x "),
        ("1 < 2", "1 &lt; "),
        ("ends \\", "ends "),
        ("one\n\ntwo", "one\n\ntw"),
        ("one\n", "on"),
        ("one\n- ", "on"),
        ("one\n- two", "one\n\n• tw"),
        ("> quoted text", "> quoted tex"),
        ("## Title", "# Titl"),
        ("x\n```py\ndef f():\n    return 1", "x\n\n```py\ndef f():\n    "),
        ("x\n```py\ndef f", "x\n\n"),
        ("x\n```py\na\n\n", "x\n\n"),
        ("x\n```\na\n```\nafter", "x\n\n```\na\n```\n\nafte"),
        ("x\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "x\n\n"),
        ("x\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nend", "x\n\n```\na | b\n--+--\n1 | 2\n```\n\nen"),
    ],
)
def test_what_stands_whatever_comes_next(text: str, stands: str) -> None:
    assert settled(render(text, final=False)) == stands


def test_a_placeholder_and_its_progress_are_not_appended() -> None:
    waiting = Frame(content=RichText(text="Looking it up…"), final=False, grows=True)
    assert stream().move(waiting, 1.0) == Keep()


def test_a_frame_adds_what_is_new_or_nothing() -> None:
    assert moved(stream("Seven "), "Seven working days") == Append(text="working day")
    assert moved(stream("Seven "), "Seven **working") == Keep()


@pytest.mark.parametrize("end", ["final", "full"])
def test_the_end_adds_the_rest(end: str) -> None:
    """A message that is full ends as well, though the answer goes on below it."""
    assert moved(stream("Seven "), "Seven days.", **{end: True}) == Close(rest="days.")
    assert moved(stream("Seven days."), "Seven days.", **{end: True}) == Close(rest="")


@pytest.mark.parametrize("end", [False, True])
def test_a_stream_is_left_when_it_cannot_show_the_frame(end: bool) -> None:
    """Another text, too old, too long, or nobody knows what stands there."""
    assert moved(stream("Eight "), "Seven days.", final=end) == Leave()
    assert moved(stream("Seven "), "Seven days.", final=end, now=LIFE_SECONDS) == Leave()
    assert moved(stream("数" * 100), "数" * (STREAM_BYTES // 3 + 2), final=end) == Leave()
    doubtful = stream("Seven ")
    doubtful.sure = False
    assert moved(doubtful, "Seven days.", final=end) == Leave()


def test_what_a_person_stopped_shows_no_more_until_the_end() -> None:
    stopped = stream("Seven ")
    stopped.stopped = True
    assert moved(stopped, "Seven working days") == Keep()
    assert moved(stopped, "Seven (stopped)", final=True) == Leave()
