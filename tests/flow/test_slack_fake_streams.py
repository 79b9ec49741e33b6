"""The fake's streams are as strict as Slack's, and stricter where nobody knows for sure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.slack.core import TEAM, Refusal, Shown, SlackCore
from tests.fakes.slack.streams import LIFE_SECONDS
from tests.flow.slack_desk import Hand

START, APPEND, STOP = "chat.startStream", "chat.appendStream", "chat.stopStream"


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def core(hand: Hand) -> SlackCore:
    """A person has asked in a channel and in a direct message."""
    slack = SlackCore(hand)
    for channel in ("C1", "D1"):
        slack.messages[channel, "1.0"] = Shown(channel=channel, ts="1.0", user="U1")
    return slack


def start(core: SlackCore, channel: str = "D1", **more: Any) -> dict[str, Any]:
    """A stream is begun; how its message is named."""
    args = {"channel": channel, "thread_ts": "1.0", **more}
    return {"channel": channel, "ts": core.do(START, args)["ts"]}


def chunk(text: str) -> dict[str, Any]:
    return {"chunks": [{"type": "markdown_text", "text": text}]}


def text(core: SlackCore, named: dict[str, Any]) -> str:
    return core.messages[named["channel"], named["ts"]].markdown


def refused(core: SlackCore, method: str, error: str, **args: Any) -> None:
    with pytest.raises(Refusal, match=f"^{error}$"):
        core.do(method, args)


def test_pieces_add_up_and_the_end_brings_blocks(core: SlackCore) -> None:
    named = start(core)
    for piece in ("Seven ", "days"):
        core.do(APPEND, {**named, **chunk(piece)})
    button = {"type": "button", "action_id": "a", "value": "v", "text": {"text": "Good"}}
    core.do(STOP, {**named, **chunk("."), "blocks": [{"type": "actions", "elements": [button]}]})
    assert text(core, named) == "Seven days."
    assert core.shown("D1")[0].buttons() == {"Good": "v"}
    assert core.sessions["D1", "1.0"] == ["processing", "active"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, "missing_recipient_user_id"),
        ({"recipient_user_id": "U1"}, "missing_recipient_team_id"),
        ({"recipient_user_id": "U1", "recipient_team_id": "T9"}, "team_not_found"),
        ({"recipient_user_id": "U1", "recipient_team_id": TEAM, "thread_ts": "2.0"}, "thread_.*"),
        ({"thread_ts": ""}, "invalid_arguments"),
    ],
)
def test_a_start_in_a_channel_names_thread_and_reader(
    core: SlackCore, more: dict[str, Any], error: str
) -> None:
    refused(core, START, error, **{"channel": "C1", "thread_ts": "1.0", **more})


def test_a_workspace_may_have_streams_in_some_channels_or_none(core: SlackCore) -> None:
    core.streams.kinds = {"im"}
    refused(core, START, "channel_type_not_supported", channel="C1", thread_ts="1.0")
    core.streams.kinds = set()
    refused(core, START, "unknown_method", channel="D1", thread_ts="1.0")


def test_a_call_brings_one_kind_of_text_and_a_stream_keeps_to_it(core: SlackCore) -> None:
    named = start(core)
    both = "cannot_provide_both_markdown_text_and_chunks"
    refused(core, APPEND, both, **named, **chunk("a"), markdown_text="a")
    refused(core, APPEND, "no_text", **named)
    core.do(APPEND, {**named, **chunk("a")})
    refused(core, APPEND, "streaming_mode_mismatch", **named, markdown_text="b")
    refused(core, APPEND, "msg_too_long", **named, **chunk("x" * 12_001))


def test_a_stream_takes_only_so_much_in_all(core: SlackCore) -> None:
    named = start(core)
    core.do(APPEND, {**named, **chunk("数" * 3_000)})
    refused(core, APPEND, "msg_too_long", **named, **chunk("数" * 3_000))


def test_white_space_at_the_head_of_a_piece_is_lost_and_noted(core: SlackCore) -> None:
    named = start(core)
    core.do(APPEND, {**named, **chunk("Seven")})
    core.do(APPEND, {**named, **chunk(" days")})
    assert text(core, named) == "Sevendays"
    assert core.cut == [" days"]


def test_tokens_are_heard_also_when_two_pieces_make_one(core: SlackCore) -> None:
    named = start(core)
    for piece in ("Hello <!chan", "nel>"):
        core.do(APPEND, {**named, **chunk(piece)})
    assert core.pings


def test_a_stream_dies_after_five_minutes_whatever_is_appended(core: SlackCore, hand: Hand) -> None:
    named = start(core)
    hand.seconds += LIFE_SECONDS - 1
    core.do(APPEND, {**named, **chunk("still")})
    hand.seconds += 1
    for method in (APPEND, STOP):
        refused(core, method, "message_not_in_streaming_state", **named, **chunk("late"))
    core.do("chat.update", {**named, "text": "whole"})
    assert text(core, named) == "whole"


def test_what_is_streamed_can_neither_be_changed_nor_deleted(core: SlackCore) -> None:
    named = start(core)
    for method in ("chat.update", "chat.delete"):
        refused(core, method, "streaming_state_conflict", **named, text="x")
    core.do(STOP, named)
    refused(core, STOP, "message_not_in_streaming_state", **named)
    core.do("chat.update", {**named, "text": "x"})


def test_who_stops_a_stream_ends_it(core: SlackCore) -> None:
    named = start(core)
    assert core.streams.halt("D1", "1.0") == [named["ts"]]
    for method in (APPEND, STOP):
        refused(core, method, "stopped_by_user", **named, **chunk("more"))
    core.do("chat.update", {**named, "text": "stopped"})


@pytest.mark.parametrize(("method", "most"), [(START, 20), (APPEND, 100), (STOP, 20)])
def test_each_method_has_its_tier(core: SlackCore, method: str, most: int) -> None:
    args = {"channel": "D1", "thread_ts": "1.0", "ts": "1.0", **chunk("x")}
    answers: list[str] = []
    for _ in range(most + 1):
        try:
            core.do(method, args)
        except Refusal as refusal:
            answers.append(refusal.error)
    assert answers.count("ratelimited") == 1
