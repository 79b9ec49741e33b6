"""What a model is told for a skill: the desk's rules, the skill's task, and tagged data; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources

from bot.config import DeskConfig
from bot.engine import prompts
from bot.engine.skills.arguments import Given
from bot.engine.skills.recipe import Parameter, Skill, Words, filled
from bot.types import ChatRequest, ChatTurn, Passage

_NOTHING = {"en": "(not said)", "zh": "（未指定）"}


def request_for(
    skill: Skill, given: Given, desk: DeskConfig, *, locale: str, passages: Sequence[Passage] = ()
) -> ChatRequest:
    """The request of one use. Everything that a person wrote stands in tags in the last turn, and
    nowhere else; numbers and choices, which are checked, stand in the task.
    """
    task = filled(
        skill.prompt.to(locale),
        {one.name: _in_task(one, given, locale) for one in skill.parameters},
    )
    system = _rules(locale).format(
        desk=prompts.data(desk.name),
        persona=prompts.data(desk.persona),
        language=prompts.LANGUAGES[locale],
    )
    content = _material(skill, given, passages)
    return ChatRequest(
        turns=(
            ChatTurn(role="system", content=f"{system.strip()}\n\n{task.strip()}"),
            ChatTurn(role="user", content=content),
        ),
        locale=locale,
        question=content,
        passages=tuple(passages),
        temperature=given.temperature if given.temperature is not None else skill.temperature,
        max_tokens=given.max_tokens or skill.max_tokens,
    )


def _in_task(parameter: Parameter, given: Given, locale: str) -> str:
    """How a variable reads in the task: text only by the name of its tag."""
    found = given.values.get(parameter.name)
    if found is not None and parameter.kind == "text":
        return f"<{parameter.name}>"
    if found is None:
        default = parameter.default
        found = default.to(locale) if isinstance(default, Words) else default
    if found is None:
        return _NOTHING[locale]
    if parameter.kind == "choice" and locale == "zh":
        return parameter.choices[str(found)]
    return str(found)


def _material(skill: Skill, given: Given, passages: Sequence[Passage]) -> str:
    """The data: passages first, then each text in its tag. None of it can close a tag of ours."""
    tags = re.compile(
        rf"<(?=\s*/?\s*(?:{'|'.join(one.name for one in skill.parameters)})\b)", re.IGNORECASE
    )
    blocks = []
    for number, passage in enumerate(passages, 1):
        safe = replace(
            passage,
            title=tags.sub("‹", passage.title),
            text=tags.sub("‹", passage.text),
            answer=None if passage.answer is None else tags.sub("‹", passage.answer),
        )
        blocks.append(prompts.passage_data(number, safe))
    for parameter in skill.parameters:
        found = given.values.get(parameter.name)
        if parameter.kind == "text" and found is not None:
            body = tags.sub("‹", prompts.data(str(found)))
            blocks.append(f"<{parameter.name}>\n{body}\n</{parameter.name}>")
    return "\n".join(blocks)


@cache
def _rules(locale: str) -> str:
    """The rules that hold for every skill."""
    return resources.files(__package__).joinpath(f"rules.{locale}.txt").read_text("utf-8")
