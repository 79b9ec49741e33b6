"""One reply being read: bytes in, model events out, and the verdict at the end. Pure.

A reply counts as whole only when a good finish reason came, or [DONE] after content. All else is
a named failure; nobody downstream has to guess from joined deltas.
"""

from __future__ import annotations

from bot.errors import (
    ContentBlocked,
    ModelError,
    ModelUnavailable,
    ReplyCut,
    ReplyEmpty,
    ReplyRetracted,
    TooLong,
)
from bot.model import wire
from bot.model.failures import envelope, error_of, error_page
from bot.model.loops import LoopGuard
from bot.model.marks import MarkFilter
from bot.model.sse import ServerEvent, SseDecoder
from bot.types import ModelDone, ModelEvent, ModelText, Reasoning, ToolCall, Usage

WHOLE = frozenset({"stop", "tool_calls", "function_call", "eos", "eos_token", "end_turn"})
TRUNCATED = frozenset({"length", "max_tokens", "model_context_window_exceeded"})
RETRACTED = frozenset({"sensitive", "content_filter"})
"""Finish reasons of GLM v4 and OpenAI-compatible servers; any other, as `network_error`: a cut."""

_BODY_MAX = 8 * 1024 * 1024


class Reading:
    """Fed with the bytes of a 200 reply.

    `shown`: visible text was given out. `over`: nothing more needs to be read. `failure`: what
    went wrong; events given out together with it stand before it.
    """

    def __init__(self, *, now: int) -> None:
        self.shown = False
        self.over = False
        self.finish: str | None = None
        self.failure: ModelError | None = None
        self.usage: Usage | None = None
        self.progress = 0
        self._now = now
        self._sse = SseDecoder()
        self._marks = MarkFilter()
        self._loops = LoopGuard()
        self._page: bytearray | None = None
        self._first = b""
        self._blank = ""
        self._half = ""
        self._hidden = 0
        self._lossy = False
        self._looping = False
        self._done = False
        self._tools: dict[int, list[str]] = {}

    # --- bytes in ---------------------------------------------------------------------------

    def feed(self, data: bytes) -> list[ModelEvent]:
        """What these bytes make certain; one ModelText at most, however many frames they hold."""
        if self._page is None and not self.progress and not self._is_stream(data):
            return []
        if self._page is not None:
            self._page += data
            if len(self._page) > _BODY_MAX:
                self._fail(ModelUnavailable("the reply is larger than any answer"))
            return []
        try:
            return self._events(self._sse.feed(data))
        except ModelError as error:
            self._fail(error)
            return []

    def close(self) -> list[ModelEvent]:
        """At the end of the bytes: what was held back, then ModelDone unless there is `failure`."""
        if self._page is not None:
            events = self._whole_page(bytes(self._page))
        else:
            rest = [] if self.over else self._sse.close()
            events = self._events(rest, last=True)
        self.failure = self.failure or self._verdict()
        if self.failure:
            return events
        return [*events, *self._calls(), self._model_done()]

    def fail(self, error: ModelError) -> ModelError:
        """The same failure, or ReplyCut when text was shown already."""
        self._fail(error)
        assert self.failure is not None
        return self.failure

    def _is_stream(self, data: bytes) -> bool:
        """Look at the first byte: an object or a page is no stream, whatever its type claims."""
        self._first = (self._first + data)[:16] if not self._first.strip() else self._first
        start = self._first.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if start in {b"{", b"<", b"["}:
            self._page = bytearray(data)
            return False
        return True

    # --- frames -----------------------------------------------------------------------------

    def _events(self, events: list[ServerEvent], *, last: bool = False) -> list[ModelEvent]:
        """The frames of one read together: one text, one count of reasoning."""
        text: list[str] = []
        thought = 0
        for event in events:
            if event.data == b"[DONE]":
                self._done = self.over = True
                break
            try:
                if event.name != "ping":
                    thought += self._take(wire.decode(event.data), text)
            except wire.UNREADABLE:
                for chunk in self._salvaged(event, last=last):
                    thought += self._take(chunk, text)
            if self.failure:
                break
        return self._given(self._clean("".join(text), last=last or self.over), thought)

    def _salvaged(self, event: ServerEvent, *, last: bool) -> tuple[wire.Chunk, ...]:
        """What a frame that is no strict JSON still tells."""
        found = wire.salvage(event.data)
        if found.lossy and not (last and not found.chunks):
            self._lossy = True
            if not self.shown:
                self._fail(ModelUnavailable("a frame of the stream cannot be read"))
            elif not found.chunks:
                self._fail(ReplyCut("a frame of the stream cannot be read"))
        return found.chunks

    def _take(self, chunk: wire.Chunk, text: list[str]) -> int:
        """One frame; gives the size of its reasoning."""
        if chunk.usage is not None:
            self.usage = chunk.usage.usage()
        if not chunk.choices:
            self._reported(chunk)
            return 0
        choice = chunk.choices[0]
        if choice.finish_reason and self.finish not in RETRACTED:
            self.finish = choice.finish_reason
            self.progress += 1
            self.over = self.over or self.finish in RETRACTED
        delta = choice.delta or choice.message
        if delta is None:
            self._reported(chunk)
            return 0
        thought = 0
        if content := delta.content:
            text.append(content if type(content) is str else delta.text)
            self.progress += 1
        if delta.tool_calls:
            self.progress += 1
            self._add_calls(delta.tool_calls)
        if delta.reasoning_content or delta.reasoning:
            thought = len(delta.thought)
            self.progress += 1
        return thought

    def _reported(self, chunk: wire.Chunk) -> None:
        """A frame without choices may carry an error inside the 200."""
        if chunk.error is None and chunk.code is None:
            return
        found = {"error": chunk.error, "code": chunk.code, "msg": chunk.msg}
        if failed := envelope(found):
            self._fail(error_of(failed, now=self._now))

    def _add_calls(self, parts: list[wire.ToolPart]) -> None:
        for part in parts:
            index = len(self._tools) if part.index is None else part.index
            call = self._tools.setdefault(index, ["", "", ""])
            call[0] = call[0] or part.id or ""
            if part.function:
                call[1] = call[1] or part.function.name or ""
                call[2] += part.function.arguments or ""

    # --- text -------------------------------------------------------------------------------

    def _clean(self, text: str, *, last: bool) -> str:
        """Text as a reader may see it: pairs joined, marks out, no NUL."""
        if self._half or (text and "\ud800" <= text[-1] <= "\udbff"):
            text, self._half = self._half + text, ""
            if not last and text and "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
        if not text.isascii():
            text = wire.joined(text)
        text = self._marks.feed(text.replace("\0", "")) if text else text
        return text + self._marks.close() if last else text

    def _given(self, text: str, thought: int) -> list[ModelEvent]:
        """The events of one read. Text that comes together with a failure is shown only if
        there is shown text to be continued: otherwise the reply can still be asked for anew.
        """
        thought += self._marks.hidden - self._hidden
        self._hidden = self._marks.hidden
        events: list[ModelEvent] = [Reasoning(size=thought)] if thought else []
        if not text:
            return events
        if not self.shown:
            text, self._blank = self._blank + text, ""
            if not text.strip():
                self._blank = text
                return events
            if self.failure or self._spoiled():
                return []
        self.shown = True
        if self._loops.feed(text):
            self._looping = self.over = True
        events.append(ModelText(delta=text))
        return events

    def _spoiled(self) -> bool:
        """The finish reason says already that this text must not be kept."""
        return self.finish is not None and self.finish not in WHOLE | TRUNCATED

    # --- the verdict ------------------------------------------------------------------------

    def _fail(self, error: ModelError) -> None:
        """The first failure counts, and it is another one once text was shown."""
        if self.failure is None:
            self.failure = _after_text(error) if self.shown else error
        self.over = True

    def _verdict(self) -> ModelError | None:
        if self._looping:
            return None
        if self.finish in RETRACTED:
            detail = f"the provider ended the reply: {self.finish}"
            return ReplyRetracted(detail) if self.shown else ContentBlocked(detail)
        if self.finish not in WHOLE | TRUNCATED and not (self._done and self.finish is None):
            how = self.finish or "no finish reason"
            return _cut(f"the stream ended early: {how}", shown=self.shown)
        if self.shown or self._tools:
            return None
        if self.finish == "model_context_window_exceeded":
            return TooLong("the context is exceeded before the first word")
        return ReplyEmpty(f"the reply has no visible text ({self.finish or 'no finish reason'})")

    def _model_done(self) -> ModelDone:
        usage = self.usage or Usage()
        if self._lossy or self._looping:
            return ModelDone(finish="cut", usage=usage)
        return ModelDone(finish="truncated" if self.finish in TRUNCATED else "whole", usage=usage)

    def _calls(self) -> list[ToolCall]:
        return [
            ToolCall(id=call[0], name=call[1], arguments=call[2])
            for _, call in sorted(self._tools.items())
        ]

    def _whole_page(self, page: bytes) -> list[ModelEvent]:
        """A 200 that is no stream: a whole reply, an error object, or neither."""
        try:
            chunk: wire.Chunk | None = wire.decode(page.removeprefix(b"\xef\xbb\xbf"))
        except wire.UNREADABLE:
            chunk = None
        if chunk is None or not chunk.choices:
            self._fail(error_page(page, 200, {}, now=self._now))
            return []
        text: list[str] = []
        thought = self._take(chunk, text)
        return self._given(self._clean("".join(text), last=True), thought)


def _cut(detail: str, *, shown: bool) -> ModelError:
    return ReplyCut(detail) if shown else ModelUnavailable(detail)


def _after_text(error: ModelError) -> ModelError:
    """What a failure becomes once text stands on the screen."""
    if isinstance(error, ReplyCut | ReplyRetracted):
        return error
    if isinstance(error, ContentBlocked):
        return ReplyRetracted(str(error), code=error.code)
    return ReplyCut(str(error), code=error.code, retry_after=error.retry_after)
