"""What goes over the wire to GLM v4 and OpenAI-compatible servers, and what comes back. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from bot.config import ModelConfig
from bot.types import ChatRequest, Usage, value

GLM_PATH = "/paas/v4"
"""What the base URLs of GLM's own service have in common (docs.bigmodel.cn, docs.z.ai)."""
CODING_PATH = "/api/coding/paas/v4"
"""The coding plan's address: its terms forbid other use (business code 1313)."""

_THINKS_ALWAYS = re.compile(r"glm-5\.3", re.IGNORECASE)
_CAN_THINK = re.compile(r"glm-(4\.[5-9]|5)", re.IGNORECASE)
_GLUE = re.compile(rb"data:\s?(?=\{)")
_LONE = re.compile("[\ud800-\udfff]")


# --- what comes back ----------------------------------------------------------------------------


class _Part(msgspec.Struct, gc=False):
    text: str = ""


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class ToolPart(msgspec.Struct, gc=False):
    """A piece of a function call; only the first piece of each carries id and name."""

    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class Delta(msgspec.Struct, gc=False):
    """What one chunk adds. `content` is a list of parts on some servers."""

    content: str | list[_Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolPart] | None = None

    @property
    def text(self) -> str:
        """The content, whichever shape it has."""
        content = self.content
        if isinstance(content, list):
            return "".join(part.text for part in content)
        return content or ""

    @property
    def thought(self) -> str:
        """The reasoning, under whichever name it came."""
        return self.reasoning_content or self.reasoning or ""


class Choice(msgspec.Struct, gc=False):
    """One alternative; we ask for one. `message` stands in replies that were not streamed."""

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct, gc=False):
    """Tokens as the provider reports them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None

    def usage(self) -> Usage:
        """The same in our words; what is missing counts as 0."""
        prompt, completion = self.prompt_tokens_details, self.completion_tokens_details
        return Usage(
            prompt=self.prompt_tokens or 0,
            completion=self.completion_tokens or 0,
            cached=(prompt.cached_tokens if prompt else 0) or 0,
            reasoning=(completion.reasoning_tokens if completion else 0) or 0,
        )


class Chunk(msgspec.Struct, gc=False):
    """One frame of a stream, or a whole reply; fields we do not use are not built."""

    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    error: Any = None
    code: Any = None
    msg: str | None = None


@value
class Frames:
    """What one event's data held. `lossy`: a part of it could not be read."""

    chunks: tuple[Chunk, ...] = ()
    lossy: bool = False


decode = msgspec.json.Decoder(Chunk).decode
"""One frame. Raises one of UNREADABLE when it needs `salvage`."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""msgspec says neither of bytes that are no UTF-8 nor of lists in lists without end that they are
no JSON.
"""


def salvage(data: bytes) -> Frames:
    """What can be had from a frame that is not plain strict JSON.

    Lone surrogates and raw control characters are accepted; frames glued into one line (seen
    with glm-5.1: a frame cut in the middle, the next `data: {…}` right behind it) are taken
    apart, and those that are whole are kept.
    """
    if (whole := _lenient(data)) is not None:
        return Frames(chunks=(whole,))
    pieces = [_lenient(piece) for piece in _GLUE.split(data)]
    chunks = tuple(chunk for chunk in pieces if chunk is not None)
    return Frames(chunks=chunks, lossy=len(chunks) < len(pieces))


def _lenient(data: bytes) -> Chunk | None:
    try:
        found = json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    for view in (found, {**found, "usage": None}):
        try:
            return msgspec.convert(view, Chunk)
        except msgspec.ValidationError:
            continue
    return None


def joined(text: str) -> str:
    """Text with the surrogate pairs of two frames joined; a surrogate left alone becomes U+FFFD."""
    if not _LONE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# --- what goes out ------------------------------------------------------------------------------


def is_glm(config: ModelConfig) -> bool:
    """Whether the endpoint speaks GLM's dialect rather than plain OpenAI."""
    return GLM_PATH in config.base_url


def thinks(config: ModelConfig, request: ChatRequest) -> bool:
    """Whether this request may be thought about before the first visible word."""
    if _THINKS_ALWAYS.match(config.name):
        return True
    wanted = _wanted(config, request)
    return bool(_CAN_THINK.match(config.name)) if wanted is None else wanted


def body(config: ModelConfig, request: ChatRequest) -> bytes:
    """The request as JSON."""
    fields: dict[str, object] = {
        "model": config.name,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.turns],
        "stream": True,
        "temperature": _temperature(config, request),
        "max_tokens": max(1, request.max_tokens or config.max_tokens),
    }
    fields |= _glm_fields(config, request) if is_glm(config) else _openai_fields(request)
    return msgspec.json.encode(fields)


def _wanted(config: ModelConfig, request: ChatRequest) -> bool | None:
    return config.thinking if request.thinking is None else request.thinking


def _temperature(config: ModelConfig, request: ChatRequest) -> float:
    """GLM takes 0 to 1, OpenAI servers 0 to 2."""
    wanted = config.temperature if request.temperature is None else request.temperature
    return min(max(wanted, 0.0), 1.0 if is_glm(config) else 2.0)


def _glm_fields(config: ModelConfig, request: ChatRequest) -> dict[str, object]:
    fields: dict[str, object] = {}
    wanted = _wanted(config, request)
    if _THINKS_ALWAYS.match(config.name):
        # `disabled` is refused there and `none` means the longest thinking: low is the least.
        fields["reasoning_effort"] = "high" if wanted else "low"
    elif wanted is not None and _CAN_THINK.match(config.name):
        fields["thinking"] = {"type": "enabled" if wanted else "disabled"}
    if len(request.end_user) >= 6:  # the provider refuses shorter ids
        fields["user_id"] = request.end_user
    return fields


def _openai_fields(request: ChatRequest) -> dict[str, object]:
    fields: dict[str, object] = {"stream_options": {"include_usage": True}}
    if request.end_user:
        fields["user"] = request.end_user
    return fields
