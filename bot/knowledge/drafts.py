"""What a loader makes: entries, their texts indexed, named so that people can point at them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Literal

from bot.knowledge.chunk import Section, pieces
from bot.knowledge.port import EntryDraft, TextDraft
from bot.knowledge.terms import fingerprint, language, mass, terms

_LINK = re.compile(r"\]\([^)\s]*\)")


def faq(
    *,
    source: str,
    question: str,
    answer: str,
    aliases: Sequence[str] = (),
    uid: str = "",
    url: str = "",
    locale: str = "",
) -> EntryDraft:
    """An FAQ. Aliases that read like the question or each other are dropped."""
    asked = {fingerprint(text): text for text in reversed((question, *aliases)) if text.strip()}
    asked = {norm: text for norm, text in asked.items() if norm != fingerprint(question)}
    texts = [_text("question", question)]
    texts += [_text("alias", text) for text in reversed(asked.values())]
    said = _text("chunk", answer)
    texts += [said] if said.terms else []
    return _entry(
        uid=uid or f"{source}#{fingerprint(question)[:10]}",
        source=source,
        kind="faq",
        title=question,
        texts=texts,
        answer=answer,
        url=url,
        locale=locale or language(question),
    )


def section(
    source: str, part: Section, *, uid: str, url: str = "", locale: str = ""
) -> EntryDraft | None:
    """A document section; None when it holds no word."""
    made = [
        _text("chunk", piece, searched=f"{' '.join(part.path)}\n{piece}") for piece in pieces(part)
    ]
    texts = [text for text in made if text.terms]
    if not texts:
        return None
    return _entry(
        uid=uid,
        source=source,
        kind="doc",
        title=part.title,
        texts=texts,
        url=url,
        locale=locale or language(texts[0].text),
    )


def _text(
    role: Literal["question", "alias", "chunk"], text: str, *, searched: str = ""
) -> TextDraft:
    found = terms(_LINK.sub("]", searched or text))
    return TextDraft(
        role=role,
        text=text,
        norm="" if role == "chunk" else fingerprint(text),
        terms=" ".join(found),
        mass=mass(found),
    )


def _entry(
    *,
    uid: str,
    source: str,
    kind: Literal["faq", "doc"],
    title: str,
    texts: Sequence[TextDraft],
    answer: str | None = None,
    url: str = "",
    locale: str = "",
) -> EntryDraft:
    content = [kind, title, answer, url, locale, [(text.role, text.text) for text in texts]]
    digest = hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
    return EntryDraft(
        uid=uid,
        source=source,
        kind=kind,
        title=title,
        hash=digest,
        texts=tuple(texts),
        answer=answer,
        url=url,
        locale=locale,
    )
