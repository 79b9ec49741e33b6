"""What a model is asked, and what it says."""

from __future__ import annotations

from typing import Literal

from bot.types.events import Usage
from bot.types.knowing import Passage
from bot.types.values import value


@value
class ChatTurn:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


Means = Literal["full", "thrifty", "knowledge"]
"""What may be spent on an answer: the best model, the cheapest, or none at all (excerpts)."""


@value
class ChatRequest:
    """What a model is asked. `deadline` is monotonic seconds; `max_tokens` bounds the reply.

    Passages, generation, question and conversation are carried for those models and layers that
    need them (extracts, the cache, the fair queue). `thinking` None leaves the provider's default.
    """

    turns: tuple[ChatTurn, ...]
    locale: str = "en"
    question: str = ""
    passages: tuple[Passage, ...] = ()
    generation: int = 0
    conversation: str = ""
    deadline: float | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    thinking: bool | None = None
    end_user: str = ""
    cacheable: bool = False
    means: Means = "full"


@value
class ModelText:
    """Visible text from the model."""

    delta: str


@value
class ModelReset:
    """The stream was cut after text and asked again: what follows is a new text from its start."""


@value
class Reasoning:
    """The model thinks; `size` characters of it came. Never shown, never stored."""

    size: int


@value
class ToolCall:
    """A function the model wants called; `arguments` is JSON text, whole."""

    id: str
    name: str
    arguments: str


@value
class ModelDone:
    """The reply is whole, or `truncated` at a length limit, or `cut` and kept as it is."""

    finish: Literal["whole", "truncated", "cut"] = "whole"
    usage: Usage = Usage()
    model: str = ""
    attempts: int = 1
    cached: bool = False
    excerpt: bool = False


ModelEvent = ModelText | ModelReset | Reasoning | ToolCall | ModelDone


@value
class ProviderHealth:
    """The state of one model in the chain. Times in ms since the epoch; None: never."""

    name: str
    state: Literal["unknown", "up", "degraded", "down"]
    last_success: int | None = None
    last_error: str = ""
    last_error_at: int | None = None
    latency_ms: int | None = None
