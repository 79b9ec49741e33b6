"""A model's text that nobody watches growing: drafts, summaries, questions made whole."""

from __future__ import annotations

from contextlib import aclosing

from bot.ports import Model
from bot.types import ChatRequest, ModelDone, ModelReset, ModelText


async def whole(model: Model, request: ChatRequest) -> tuple[str, ModelDone]:
    """All that is said to this, and how it ended. Raises ModelError.

    The text is empty where an excerpt stood in for the model: that is nothing it has said.
    """
    text, done = "", ModelDone()
    async with aclosing(model.stream(request)) as events:
        async for event in events:
            match event:
                case ModelText(delta=delta):
                    text += delta
                case ModelReset():
                    text = ""
                case ModelDone():
                    done = event
    return ("" if done.excerpt else text.strip()), done
