"""What a loader makes: entries, their texts indexed, named so that people can point at them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from bot.knowledge.chunk import BELOW, Section, pieces
from bot.knowledge.port import EntryDraft, StoredEntry, TextDraft
from bot.knowledge.terms import (
    TERMS_VERSION,
    fingerprint,
    kin,
    language,
    mass,
    parted,
    terms,
)

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
    norm = fingerprint(question)
    locale = locale or language(question)
    others = {fingerprint(text): text for text in reversed(aliases) if text.strip()}
    others.pop(norm, None)
    texts = [_asking("question", question, norm, locale)]
    texts += [_asking("alias", text, same, locale) for same, text in reversed(others.items())]
    said = _chunk(answer, answer)
    texts += [said] if said.terms else []
    return _entry(
        uid=uid or f"{source}#{norm[:10]}",
        source=source,
        kind="faq",
        title=question,
        texts=texts,
        answer=answer,
        url=url,
        locale=locale,
    )


def section(
    source: str, part: Section, *, uid: str, url: str = "", locale: str = ""
) -> EntryDraft | None:
    """A document section; None when it holds no word."""
    return _document(source, part.title, pieces(part), uid=uid, url=url, locale=locale)


def renewed(old: StoredEntry, texts: Sequence[TextDraft]) -> EntryDraft | None:
    """A stored entry with its terms made anew; what it says stays. None: it says nothing."""
    said = [text.text for text in texts if text.role != "question"]
    if old.answer is None:
        return _document(old.source, old.title, said, uid=old.uid, url=old.url, locale=old.locale)
    return faq(
        source=old.source,
        question=old.title,
        answer=old.answer,
        aliases=[text.text for text in texts if text.role == "alias"],
        uid=old.uid,
        url=old.url,
        locale=old.locale,
    )


def _document(
    source: str,
    title: str,
    said: Sequence[str],
    *,
    uid: str,
    url: str,
    locale: str,
) -> EntryDraft | None:
    """Pieces under a title, each found by the title's words too."""
    path = " ".join(title.split(BELOW))
    made = [_chunk(piece, f"{path}\n{piece}") for piece in said]
    texts = [text for text in made if text.terms]
    if not texts:
        return None
    return _entry(
        uid=uid,
        source=source,
        kind="doc",
        title=title,
        texts=texts,
        url=url,
        locale=locale or language(texts[0].text),
    )


def _asking(role: Literal["question", "alias"], text: str, norm: str, locale: str) -> TextDraft:
    every, single = parted(_plain(text))
    found = dict.fromkeys(every)
    return TextDraft(
        role=role,
        text=text,
        norm=norm,
        terms=" ".join(found),
        mass=mass(found),
        kin=kin(single, locale),
    )


def _chunk(text: str, searched: str) -> TextDraft:
    found = dict.fromkeys(terms(_plain(searched)))
    return TextDraft(role="chunk", text=text, norm="", terms=" ".join(found), mass=mass(found))


def _plain(text: str) -> str:
    """An address behind a link says nothing."""
    return _LINK.sub("]", text) if "](" in text else text


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
    said = [(text.role, text.text) for text in texts]
    content = [TERMS_VERSION, kind, title, answer, url, locale, said]
    digest = hashlib.blake2b(msgspec.json.encode(content), digest_size=16).hexdigest()
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
        make=TERMS_VERSION,
    )
