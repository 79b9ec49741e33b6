"""Slack's and aiohttp's ways of failing, as errors of the house; pure."""

from __future__ import annotations

from bot.errors import (
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformError,
    PlatformLocked,
    PlatformRefused,
    PlatformUnavailable,
)


class StreamOver(PlatformRefused):
    """Nothing can be appended to this message any more; it can be edited."""


class StoppedByPerson(StreamOver):
    """A person pressed Slack's own Stop on this message."""


class StillStreaming(PlatformRefused):
    """The message must be ended as a stream before it can be changed or deleted."""


_STREAMS = frozenset(("chat.startStream", "chat.appendStream", "chat.stopStream"))
_CONFLICT = "streaming_state_conflict"
_ENDED = {"message_not_in_streaming_state": StreamOver, "stopped_by_user": StoppedByPerson}
_GONE = frozenset(
    (
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "thread_not_found",
        "used_url",
        "expired_url",
    )
)
_UNWELCOME = frozenset(
    (
        "not_in_channel",
        "channel_not_found",
        "is_archived",
        "user_not_found",
        "user_not_in_channel",
        "cannot_dm_bot",
        "messages_tab_disabled",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "restricted_action_non_threadable_channel",
    )
)
_LOCKED = frozenset(
    (
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "org_login_required",
        "team_access_not_granted",
    )
)
_THEIRS = frozenset(
    ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org")
)
_BUSY = frozenset(("ratelimited", "rate_limited", "message_limit_exceeded"))

BUSY_SECONDS = 30.0
"""When a 429 names no Retry-After: what Slack asks for most often."""


def refusal(method: str, status: int, error: str, retry_after: float | None) -> PlatformError:
    """The error for an answer of Slack's that says no."""
    said = f"{method}: {error or status}"
    if status == 429 or error in _BUSY:
        return PlatformBusy(said, retry_after=BUSY_SECONDS if retry_after is None else retry_after)
    if status >= 500 or error in _THEIRS:
        return PlatformUnavailable(said, sent=True)
    if error == _CONFLICT:  # with another call of ours, or because the message is a stream
        streams = method in _STREAMS
        return PlatformUnavailable(said, sent=False) if streams else StillStreaming(said)
    if error in _ENDED:
        return _ENDED[error](said)
    if error in _GONE:
        return MessageGone(said)
    if error in _UNWELCOME:
        return NotWelcome(said)
    if error in _LOCKED:
        return PlatformLocked(said)
    return PlatformRefused(said)
