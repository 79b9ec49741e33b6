"""What the model is told: texts in files by name and language, filled in here; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

from bot.config import DeskConfig
from bot.engine.history import Estimate
from bot.types import ChatTurn, Passage, Turn

LANGUAGES = {"en": "English", "zh": "简体中文 (Simplified Chinese)"}

# Zero-width, bidirectional and other control characters hide instructions from human eyes.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_TAGS = re.compile(r"<(?=/?\s*(?:kb|question|system|summary|turns)\b)", re.IGNORECASE)

PASSAGES_TOKENS = 2_000
"""What all passages of one prompt may take together, by our estimate."""
PASSAGE_MAX = 2_400
"""Characters of one passage in a prompt; a chunk has half, an FAQ answer may have more."""

SAID_MAX = 8_000
"""Characters of one piece of an answer that broke off."""
PIECES_MAX = 3
"""Pieces of such an answer, the last ones."""


def data(text: str) -> str:
    """Text from outside as harmless data: nothing invisible, no tag of ours."""
    return _TAGS.sub("‹", _INVISIBLE.sub("", text))


def fitting(passages: Sequence[Passage], estimate: Estimate) -> tuple[Passage, ...]:
    """The passages that fit PASSAGES_TOKENS together, best first and each whole.

    One that does not fit makes room for a shorter one after it. The best always goes, cut by
    `passage_data` if need be.
    """
    taken: list[Passage] = []
    room = PASSAGES_TOKENS
    for passage in passages:
        needed = estimate(passage.title) + estimate(passage.body[:PASSAGE_MAX])
        if needed <= room or not taken:
            taken.append(passage)
            room -= needed
    return tuple(taken)


def grounded(
    desk: DeskConfig,
    passages: Sequence[Passage],
    history: Sequence[Turn],
    question: str,
    *,
    locale: str,
    may_add: bool,
    summary: str = "",
) -> tuple[ChatTurn, ...]:
    """A prompt that answers from passages: rules, history, then the passages and the question.

    The rules never change between questions and come first, so that a provider's prefix cache
    stays warm; passages change each time and come last.
    """
    rules = _text("assist" if may_add else "strict", locale)
    body = "\n".join(passage_data(number, passage) for number, passage in enumerate(passages, 1))
    last = _text("ask", locale).format(kb=body, question=data(question), language=LANGUAGES[locale])
    return _turns(desk, rules, history, last, locale=locale, notes=summary)


def chat(
    desk: DeskConfig,
    history: Sequence[Turn],
    question: str,
    *,
    locale: str,
    open_chat: bool,
    summary: str = "",
) -> tuple[ChatTurn, ...]:
    """A prompt without passages: plain chat, or the careful talk of a desk that found nothing."""
    rules = _text("open" if open_chat else "aside", locale)
    return _turns(desk, rules, history, data(question), locale=locale, notes=summary)


def summary(before: str, turns: Sequence[Turn], *, most: int) -> tuple[ChatTurn, ...]:
    """A prompt that turns what was said, and the notes from before, into new notes."""
    said = "\n".join(
        f"{'customer' if turn.role == 'user' else 'desk'}: {_said(turn)[:most]}" for turn in turns
    )
    notes = f"<summary>\n{data(before)}\n</summary>\n" if before else ""
    return (
        ChatTurn(role="system", content=_text("summary", "en").strip()),
        ChatTurn(role="user", content=f"{notes}<turns>\n{said}\n</turns>"),
    )


def going_on(pieces: Sequence[str], *, locale: str) -> tuple[ChatTurn, ...]:
    """What follows a prompt whose answer broke off: what there is of it, and the wish for the rest.

    Of much text only the end is said; the model has to know where it stands, not all it wrote.
    """
    ends = [data(piece)[-SAID_MAX:] for piece in pieces[-PIECES_MAX:]]
    wish = ChatTurn(role="user", content=_text("continue", locale).strip())
    said = (ChatTurn(role="assistant", content=end) for end in ends)
    return tuple(turn for piece in said for turn in (piece, wish))


def _turns(
    desk: DeskConfig,
    rules: str,
    history: Sequence[Turn],
    last: str,
    *,
    locale: str,
    notes: str,
) -> tuple[ChatTurn, ...]:
    """System, past, present. A summary stands behind the rules, which stay the common prefix."""
    system = rules.format(
        desk=data(desk.name), persona=data(desk.persona), language=LANGUAGES[locale]
    )
    if notes:
        system = f"{system.strip()}\n\n{_text('earlier', locale).strip()}\n"
        system += f"<summary>\n{data(notes)}\n</summary>"
    past = [ChatTurn(role=turn.role, content=_said(turn)) for turn in history]
    return (
        ChatTurn(role="system", content=system.strip()),
        *past,
        ChatTurn(role="user", content=last),
    )


def _said(turn: Turn) -> str:
    """A past turn; in groups the speaker's name stands before what was said."""
    return data(f"{turn.name}: {turn.text}" if turn.name else turn.text)


def passage_data(number: int, passage: Passage) -> str:
    """One passage as tagged data."""
    title = data(passage.title).replace('"', "'")
    return f'<kb id="{number}" title="{title}">\n{data(passage.body)[:PASSAGE_MAX]}\n</kb>'


@cache
def _text(name: str, locale: str) -> str:
    """A prompt file."""
    return resources.files(__package__).joinpath(f"{name}.{locale}.txt").read_text("utf-8")
