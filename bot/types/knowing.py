"""What a search of the knowledge base finds."""

from __future__ import annotations

from typing import Literal

from bot.types.values import value


@value
class Passage:
    """A piece of knowledge as it was found. `answer` is set for an FAQ; `text` is what matched.

    `score` is bounded, 0 to 1, and comparable between questions; never a raw BM25.
    """

    id: int
    entry: str
    kind: Literal["faq", "doc"]
    title: str
    text: str
    source: str
    answer: str | None = None
    url: str = ""
    locale: str = ""
    score: float = 0.0
    exact: bool = False

    @property
    def body(self) -> str:
        """What a reader should be given: the answer of an FAQ, the text of a document."""
        return self.answer if self.answer is not None else self.text


@value
class Findings:
    """What a search found, best first. `scope` and `p_top` are calibrated, 0 to 1.

    `scope`: the question is about what this knowledge base covers. `p_top`: the first passage is
    the right one. `in_scope` and `direct` are these numbers held against the thresholds.
    `quotable`: the first passage may be shown though no model has read it.
    """

    passages: tuple[Passage, ...] = ()
    scope: float = 0.0
    p_top: float = 0.0
    in_scope: bool = False
    direct: bool = False
    quotable: bool = True
    generation: int = 0


@value
class Earlier:
    """What a message may lean on: the person's last question and our answer to it."""

    question: str = ""
    answer: str = ""


@value
class Followed:
    """What was found, and the wording that found it."""

    findings: Findings
    question: str
