"""Payloads to intakes, without a wire: what `tests/flow` shows once, shown here for the rest."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.failures import refusal
from adapters.slack.normalise import Me, Setting, joined_thread, normalise, position, subject
from bot.engine.skills.arguments import opening
from bot.engine.skills.recipe import load_skills
from bot.errors import (
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformError,
    PlatformLocked,
    PlatformRefused,
    PlatformUnavailable,
)
from bot.types import Sender
from tests.fakes.slack import BOT, payloads

ME = Me(account="T0DESK", user=BOT, bot="B0BOT")
WORDS = {
    "stats": re.compile(r"\s+\d+d"),
    "explain": opening(load_skills()["explain"]),
    "code": opening(load_skills()["code"]),
    "help": None,
}
NOW = Setting(now=1_700_000_000_000, words=WORDS)
TS = "1700000000.000100"


def said(text: str, *, channel: str = "C1", kind: str = "channel", **more: Any) -> dict[str, Any]:
    return payloads.envelope(payloads.message(channel, kind, "U1", text, TS, **more))


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999), st.integers(1, 10**9))
def test_positions_order_as_timestamps_do(seconds: int, micros: int, later: int) -> None:
    total = seconds * 1_000_000 + micros
    after = total + later
    first = position(f"{seconds}.{micros:06d}")
    assert first == total * 1000
    assert first < position(f"{after // 1_000_000}.{after % 1_000_000:06d}")


@pytest.mark.parametrize(
    ("text", "words", "alone"),
    [
        (f"<@{BOT}> stats", "/stats", True),
        (f"<@{BOT}> Stats!", "/stats", True),
        (f"<@{BOT}> /stats week", "/stats week", True),
        (f"<@{BOT}> stats of last week please", "stats of last week please", False),
        (f"<@{BOT}> stats 7d", "/stats 7d", True),
        (f"<@{BOT}> stats 7d and last week", "stats 7d and last week", False),
        (f"<@{BOT}> help\nmy order is late", "help\nmy order is late", False),
        (f"<@{BOT}> help: my order is late", "help: my order is late", False),
        (f"<@{BOT}> explain\nx = 1", "/explain \nx = 1", True),
        (f"<@{BOT}> Explain: ```x = 1```", "/explain ```x = 1```", True),
        (f"<@{BOT}> explain level=expert code=x", "/explain level=expert code=x", True),
        (f"<@{BOT}> explain how returns work", "explain how returns work", False),
        (f"<@{BOT}> explain: how do returns work?", "explain: how do returns work?", False),
        (f"<@{BOT}> explain why tax=0 on my bill", "explain why tax=0 on my bill", False),
        (f"<@{BOT}> code language=Go task=sort", "/code language=Go task=sort", True),
        (f"<@{BOT}> code\nE42 is on the display", "code\nE42 is on the display", False),
        (f"<@{BOT}> code discount=10 is refused", "code discount=10 is refused", False),
        (f"<@{BOT}> explain\n", "/explain", True),
        (f"<@{BOT}> 安静", "/quiet", True),
        (f"<@{BOT}>", "", False),
    ],
)
def test_only_what_can_be_no_question_is_taken_for_a_command(
    text: str, words: str, alone: bool
) -> None:
    message = normalise(said(text), ME, NOW).message
    assert message is not None
    assert (message.text, message.alone) == (words, alone)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/ban <@U7> rude to <@U8>", "/ban <@U7> rude to @U8"),
        ("/ban <@U7|Ann Lee>: rude", "/ban <@U7|Ann Lee>: rude"),
        ("/ban  <@U9>", "/ban <@U9>"),
        ("/ban\n<@U9> rude", "/ban <@U9> rude"),
        ("/ban @Ann Lee", "/ban @Ann Lee"),
        ("/ban @Ann Lee as <@U9> asked", "/ban @Ann Lee as @Ann Lee asked"),
        ("/ban @Ann Leeds as <@U9> asked", "/ban @Ann Leeds as @Ann Lee asked"),
        ("/explain why <@U7> says so", "/explain why @U7 says so"),
        ("ask <@U7> about it", "ask @U7 about it"),
    ],
)
def test_whom_a_command_is_about_is_known_by_the_mention_and_not_by_a_name(
    text: str, words: str
) -> None:
    """Anybody may call themselves as somebody else does."""
    people = {"U9": Sender(user="U9", name="Ann Lee")}
    setting = replace(NOW, people=people)
    for body in (said(f"<@{BOT}> {text}"), said(text, channel="D1", kind="im")):
        message = normalise(body, ME, setting).message
        assert message is not None
        assert message.text == words


def test_a_group_message_needs_a_mention_like_a_channel() -> None:
    assert normalise(said("hi", channel="G1", kind="mpim"), ME, NOW).message is None
    assert normalise(said("hi", channel="D1", kind="im"), ME, NOW).message is not None


def test_a_reply_to_the_whole_channel_is_a_message_of_its_thread() -> None:
    body = said(f"<@{BOT}> hi", subtype="thread_broadcast", thread_ts="1600000000.000100")
    message = normalise(body, ME, NOW).message
    assert message is not None
    assert message.place.thread == "1600000000.000100"
    assert joined_thread(body, ME) == message.place


def test_undirected_words_are_left_out_unless_context_is_wanted() -> None:
    body = said("among us", thread_ts="1600000000.000100")
    others = Setting(now=NOW.now, party=("U2",))
    assert normalise(body, ME, others).message is None
    wanted = normalise(body, ME, Setting(now=NOW.now, party=("U2",), context=True)).message
    assert wanted is not None
    assert not wanted.directed


def test_a_thread_whose_first_message_is_deleted_under_its_replies_is_a_deletion() -> None:
    event = {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C1",
        "ts": "1700000001.000100",
        "message": {"subtype": "tombstone", "user": "U1", "ts": TS, "thread_ts": TS, "text": ""},
        "previous_message": {"user": "U1", "ts": TS, "text": "x"},
    }
    signal = normalise(payloads.envelope(event), ME, NOW).signal
    assert signal is not None
    assert (signal.kind, signal.key) == ("delete", f"slack:T0DESK:C1:{TS}")


def test_our_own_edits_are_no_edits_of_a_question() -> None:
    """Each frame of a growing answer comes back as message_changed."""
    ours = {"user": BOT, "bot_id": "B0BOT", "ts": TS, "text": "new"}
    event = {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C1",
        "ts": TS,
        "message": ours,
        "previous_message": {**ours, "text": "old"},
    }
    intake = normalise(payloads.envelope(event), ME, NOW)
    assert intake.message is None
    assert intake.signal is None


def test_the_native_stop_button_stops_what_runs_in_its_thread() -> None:
    event = {
        "type": "agent_session_stopped",
        "channel": "D1",
        "thread_ts": TS,
        "user": "U1",
        "event_ts": "1700000009.000000",
    }
    signal = normalise(payloads.envelope(event), ME, NOW).signal
    assert signal is not None
    assert signal.kind == "stop"
    assert signal.conversation == f"slack:T0DESK:D1:{TS}"
    assert signal.position == position("1700000009.000000")


def test_a_press_by_a_stranger_is_not_heard() -> None:
    body = payloads.press("U9", "C1", {"ts": TS}, "stop:1", "", whispered=False)
    body["user"]["team_id"] = "T9OTHER"
    assert normalise(body, ME, NOW).signal is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "ratelimited", PlatformBusy),
        (200, "ratelimited", PlatformBusy),
        (503, "", PlatformUnavailable),
        (200, "internal_error", PlatformUnavailable),
        (200, "message_not_found", MessageGone),
        (404, "used_url", MessageGone),
        (200, "channel_not_found", NotWelcome),
        (200, "is_archived", NotWelcome),
        (200, "token_revoked", PlatformLocked),
        (200, "account_inactive", PlatformLocked),
        (200, "invalid_blocks", PlatformRefused),
        (200, "missing_scope", PlatformRefused),
    ],
)
def test_each_refusal_says_what_can_be_done(
    status: int, code: str, kind: type[PlatformError]
) -> None:
    assert type(refusal("chat.update", status, code, None)) is kind


def test_a_429_always_names_a_wait() -> None:
    assert refusal("m", 429, "", 7.0).retry_after == 7.0
    assert refusal("m", 429, "", None).retry_after == 30.0
    assert refusal("m", 429, "", 0.0).retry_after == 0.0


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("summarize", True), ("/Summarize!", True), ("stop", False), ("summarize it", False),
        ("hello", False),
    ],
)  # fmt: skip
def test_only_a_bare_word_in_a_thread_is_about_that_thread(text: str, about: bool) -> None:
    """Stop waits for no look at it."""
    words = dict.fromkeys(("summarize", "stop"))
    body = said(f"<@{BOT}> {text}", thread_ts="1600000000.000100")
    found = ("C1", "1600000000.000100") if about else None
    assert subject(body, ME, words) == found
    assert subject(said(f"<@{BOT}> {text}"), ME, words) is None
