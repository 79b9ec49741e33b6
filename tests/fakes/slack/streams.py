"""Messages that Slack streams: what the three methods take, when a stream ends, what it shows.

Stricter than Slack where that is not known for sure: white space at the head of a piece is always
lost, a stream takes no more than the least that was seen to be cut, and a message can neither be
changed nor deleted while it is streamed.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.refusal import Refusal

if TYPE_CHECKING:
    from tests.fakes.slack.core import Shown, SlackCore

LIFE_SECONDS = 306.0
CALL_CHARACTERS = 12_000
STREAM_BYTES = 10_600


@dataclass
class Flow:
    """One stream. `kind`: which of the two kinds of argument it is fed with."""

    born: float
    state: str = "open"
    kind: str = ""


class Streams:
    """The streams of a workspace. `kinds`: the types of channel that take any; none: feature off.

    `refuse`: errors for the next calls of a method, in order.
    """

    def __init__(self, core: SlackCore, now: Callable[[], float]) -> None:
        self.kinds = {"im", "channel", "group"}
        self.refuse: dict[str, deque[str]] = defaultdict(deque)
        self.methods = {
            "chat.startStream": self._start,
            "chat.appendStream": self._append,
            "chat.stopStream": self._stop,
        }
        self._core = core
        self._now = now
        self._flows: dict[tuple[str, str], Flow] = {}

    def live(self, message: Shown) -> bool:
        """Whether it is streamed now."""
        flow = self._flows.get((message.channel, message.ts))
        return flow is not None and flow.state == "open" and not self._dead(flow)

    def open(self) -> list[str]:
        """The timestamps of all streams that nobody ended and that have not died."""
        return [m.ts for m in self._core.messages.values() if self.live(m) and not m.deleted]

    def halt(self, channel: str, thread: str) -> list[str]:
        """A person presses Slack's Stop in a thread; the messages that were streamed there."""
        found = [m for m in self._core.shown(channel, thread=thread) if self.live(m)]
        for message in found:
            self._flows[channel, message.ts].state = "stopped"
        return [message.ts for message in found]

    def _dead(self, flow: Flow) -> bool:
        return self._now() - flow.born >= LIFE_SECONDS

    def _start(self, args: Mapping[str, Any]) -> dict[str, Any]:
        self._refused("chat.startStream")
        if not self.kinds:
            raise Refusal("unknown_method")
        channel = self._core.channel_of(args)
        thread = self._core.needed(args, "thread_ts")
        kind = self._core.channels[channel]
        if kind not in self.kinds:
            raise Refusal("channel_type_not_supported")
        if (channel, thread) not in self._core.messages:
            raise Refusal("thread_not_found")
        self._recipient(args, kind)
        message = self._core.blank(channel, thread)
        flow = self._flows[channel, message.ts] = Flow(born=self._now())
        self._take(message, flow, args)
        self._session(message, "processing")
        return {"channel": channel, "ts": message.ts}

    def _recipient(self, args: Mapping[str, Any], kind: str) -> None:
        if kind != "im" and not args.get("recipient_user_id"):
            raise Refusal("missing_recipient_user_id")
        if kind != "im" and not args.get("recipient_team_id"):
            raise Refusal("missing_recipient_team_id")
        if args.get("recipient_team_id") not in (None, self._core.team):
            raise Refusal("team_not_found")

    def _append(self, args: Mapping[str, Any]) -> dict[str, Any]:
        message, flow = self._streaming("chat.appendStream", args)
        if not self._take(message, flow, args):
            raise Refusal("no_text")
        return {"channel": message.channel, "ts": message.ts}

    def _stop(self, args: Mapping[str, Any]) -> dict[str, Any]:
        message, flow = self._streaming("chat.stopStream", args)
        blocks = list(args.get("blocks") or ())
        self._core.check(blocks)
        self._take(message, flow, args)
        message.blocks = blocks
        flow.state = "ended"
        self._session(message, "active")
        return {"channel": message.channel, "ts": message.ts, "message": message.as_json()}

    def _streaming(self, method: str, args: Mapping[str, Any]) -> tuple[Shown, Flow]:
        self._refused(method)
        message = self._core.ours(args, "message_not_owned_by_app")
        flow = self._flows.get((message.channel, message.ts))
        if flow is not None and flow.state == "stopped":
            raise Refusal("stopped_by_user")
        if flow is None or flow.state != "open" or self._dead(flow):
            raise Refusal("message_not_in_streaming_state")
        return message, flow

    def _take(self, message: Shown, flow: Flow, args: Mapping[str, Any]) -> bool:
        """Add what a call brings; whether it brought anything."""
        given = [name for name in ("markdown_text", "chunks") if args.get(name)]
        if len(given) > 1:
            raise Refusal("cannot_provide_both_markdown_text_and_chunks")
        if not given:
            return False
        if flow.kind not in ("", given[0]):
            raise Refusal("streaming_mode_mismatch")
        chunks = args["chunks"] if given == ["chunks"] else [{"text": args["markdown_text"]}]
        if any(chunk.get("type", "markdown_text") != "markdown_text" for chunk in chunks):
            raise Refusal("invalid_chunks")
        whole = message.streamed
        for chunk in chunks:
            if len(chunk["text"]) > CALL_CHARACTERS:
                raise Refusal("msg_too_long")
            kept = chunk["text"].lstrip()
            self._core.cut += [chunk["text"]] if kept != chunk["text"] else []
            whole += kept
        if len(whole.encode()) > STREAM_BYTES:
            raise Refusal("msg_too_long")
        message.streamed, flow.kind = whole, given[0]
        message.history.append((self._now(), message.markdown))
        self._core.listen(whole, pictures=True)
        return True

    def _refused(self, method: str) -> None:
        if self.refuse[method]:
            raise Refusal(self.refuse[method].popleft())

    def _session(self, message: Shown, status: str) -> None:
        """A stream begins and ends its thread's session by itself."""
        core = self._core
        if core.sessions_on and core.channels[message.channel] == "im" and message.thread:
            core.sessions.setdefault((message.channel, message.thread), []).append(status)
