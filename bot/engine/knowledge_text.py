"""Knowledge as those who run the desk read it, in a chat and in a terminal; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo

from bot.engine.drafting import Draft
from bot.engine.prompts import fitting
from bot.engine.sent import SentFile
from bot.errors import Cause
from bot.i18n import say
from bot.knowledge.causes import told
from bot.knowledge.entries import EntryView
from bot.knowledge.evaluate import Evaluation
from bot.knowledge.explain import NEVER, Explanation
from bot.knowledge.gaps import Cluster
from bot.knowledge.imports import DESK, ImportReport
from bot.knowledge.meaning import Health
from bot.knowledge.port import Generation, Revision, StoredEntry
from bot.knowledge.twins import Twin
from bot.model.tokens import tokens
from bot.stats.span import local
from bot.types import Findings

LINE_MAX = 200
TEXT_MAX = 2_500
"""Characters of an entry's text that are shown."""
PROBLEMS_MAX = 10

_NOTES = {
    "added": "added",
    "edited": "edited",
    "removed": "removed",
    "back to": "back",
    "terms": "terms",
}
_NOTE = re.compile(rf"({'|'.join(_NOTES)}) (\S.*)")
"""How Entries and the Importer note what they did by hand."""


def search(findings: Findings, locale: str) -> str:
    """What a search found and how sure the desk is of it."""
    if not findings.passages:
        return say(locale, "cli.nothing_found")
    sure = {"scope": f"{findings.scope:.2f}", "top": f"{findings.p_top:.2f}"}
    lines = [say(locale, "cli.confidence", **sure)]
    for number, one in enumerate(findings.passages, 1):
        lines.append(f"{number}. {_line(one.title or one.source)} ({one.score:.2f} · {one.entry})")
        lines.append(f"   {_line(one.body)}")
    return "\n".join(lines)


def listed(entries: Sequence[StoredEntry], locale: str, *, most: int) -> str:
    """One line an entry."""
    if not entries:
        return say(locale, "kb.none_listed")
    lines = [f"{one.uid} — {_line(one.title)}" for one in entries[:most]]
    if len(entries) > most:
        lines.append(say(locale, "kb.more", count=len(entries) - most))
    return "\n".join(lines)


def entry(view: EntryView, past: Sequence[Revision], locale: str, *, zone: tzinfo = UTC) -> str:
    """An entry whole, and who changed it lately, on the zone's clocks."""
    kind = say(locale, "kb.kind_faq" if view.kind == "faq" else "kb.kind_doc")
    source = say(locale, "kb.by_hand") if view.source == DESK else view.source
    lines = [" · ".join(filter(None, (view.uid, kind, view.locale, source))), view.title]
    lines += [f"~ {alias}" for alias in view.aliases]
    text = view.answer if view.answer is not None else "\n".join(view.chunks)
    lines += ["", text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"]
    if view.url:
        lines.append(view.url)
    if past:
        lines += ["", say(locale, "kb.history"), *_changes(past, locale, zone)]
    return "\n".join(lines)


def history(past: Sequence[Revision], locale: str, *, zone: tzinfo = UTC) -> str:
    """Who changed what and when, newest first."""
    return "\n".join(_changes(past, locale, zone, named=True)) or say(locale, "kb.no_history")


def _changes(
    past: Sequence[Revision], locale: str, zone: tzinfo, *, named: bool = False
) -> list[str]:
    return [
        " · ".join(
            (
                _when(one.at, zone),
                by(one.by, locale),
                _did(one, locale) + (f" {one.uid}" if named and one.uid else ""),
            )
        )
        for one in past
    ]


def _did(one: Revision, locale: str) -> str:
    """One change in a word; a base taken back is a change of no entry."""
    if not one.uid:
        return say(locale, "kb.did_back", number=one.after.removeprefix("="))
    return say(locale, f"kb.did_{one.action}")


def by(who: str, locale: str) -> str:
    """Who it was: a person's number, or what is no person."""
    if who in ("cli", "folder"):
        return say(locale, f"kb.by_{who}")
    return who or "—"


def explained(found: Explanation, locale: str) -> str:
    """One search laid open."""
    terms = ", ".join(
        f"{term.term} ({term.share:.0%}, {term.rows}{'' if term.sent else ', -'})"
        for term in sorted(found.terms, key=lambda term: -term.share)[:20]
    )
    lines = [
        *decided(found, locale),
        "",
        " · ".join(say(locale, f"kb.sign_{name}", found=f"{n:.2f}") for name, n in found.signs),
        say(locale, "kb.terms", terms=terms or "—"),
        *_weighed(found, locale),
    ]
    given = {passage.id for passage in fitting(found.passages, tokens)}
    for number, (one, passage) in enumerate(zip(found.found, found.passages, strict=True), 1):
        sure = "=" if one.exact else f"{one.score:.2f}"
        parts = f"{one.coverage:.2f}/{one.row_coverage:.2f}/{one.likeness:.2f}"
        if one.lexical is not None:
            near = "—" if one.nearness is None else f"{one.nearness:.2f}"
            parts += f" · {one.lexical:.2f} ~ {near}"
        room = "" if passage.id in given else f" {say(locale, 'kb.no_room')}"
        lines.append(f"{number}. {sure} ({parts}) {one.entry} — {_line(one.matched)}{room}")
    return "\n".join(lines)


def decided(found: Explanation, locale: str) -> list[str]:
    """What is done with the first entry, and what speaks against more."""
    decision = found.decision
    if decision == "grounded" and found.not_quoted:
        decision = "model_only"
    lines = [say(locale, f"kb.decided_{decision}")]
    if found.exact and not found.not_direct:
        return [*lines, say(locale, "kb.asked_exactly")]
    sure = {"scope": f"{found.scope:.2f}", "top": f"{found.p_top:.2f}"}
    if found.found and not found.exact:
        lines.append(say(locale, "kb.sure", **sure))
    for yes, no, lacks in (
        ("kb.direct", "kb.direct_not", found.not_direct),
        ("kb.quoted", "kb.quoted_not", found.not_quoted),
    ):
        lines.append(say(locale, no if lacks else yes))
        lines += [f"  - {say(locale, lack.key, **lack.values)}" for lack in lacks]
    return lines


def _weighed(found: Explanation, locale: str) -> list[str]:
    """What the embedder did in this search; behind ~ stands how near it finds an entry."""
    if not found.embedder:
        return []
    if found.weights is None:
        return [say(locale, "kb.embedder_passed_over", name=found.embedder)]
    weights = {"faq": f"{found.weights.faq:.1f}", "doc": f"{found.weights.doc:.1f}"}
    return [say(locale, "kb.embedder_weighed", name=found.embedder, share="100%", **weights)]


def embedder(health: Health, locale: str) -> str:
    """How the embedder does, in a line."""
    parts = [
        say(
            locale,
            "kb.embedder",
            name=health.name,
            done=health.standing.done,
            of=health.standing.texts,
            helped=health.helped,
        )
    ]
    if health.skipped:
        why = ", ".join(f"{why} {count}" for why, count in sorted(health.skipped.items()))
        parts.append(say(locale, "kb.embedder_skipped", why=why))
    if health.last_error:
        parts.append(say(locale, "kb.embedder_error", error=_line(health.last_error)))
    return " · ".join(parts)


def to_add(draft: Draft) -> str:
    """What makes an entry of a draft in a chat, to be copied whole."""
    question, answer = (_flat(text).replace("`", "'") for text in (draft.question, draft.answer))
    return f"`/kb add {question.replace('|', '/')} | {answer}`"


def gaps(
    clusters: Sequence[Cluster],
    drafts: Mapping[str, Draft],
    locale: str,
    *,
    line: Callable[[Draft], str] = to_add,
) -> str:
    """What was asked in vain, most asked first, each with a draft where there is one; `line` makes
    an entry of it, where this is read.
    """
    if not clusters:
        return say(locale, "kb.no_gaps")
    lines = [say(locale, "kb.gaps")]
    for one in clusters:
        lines.append(f"{one.count} × {_line(one.question)}")
        lines += [f"  ~ {_line(text)}" for text in one.examples[1:3]]
        if draft := drafts.get(one.question):
            lines.append(say(locale, "kb.draft", line=line(draft)))
    return "\n".join(lines)


def evaluation(seen: Evaluation, locale: str, *, key: str = "kb.evaluated") -> str:
    """The base in numbers."""
    lines = [say(locale, key, count=seen.cases), *_measured(seen, locale)]
    if seen.embedder:
        weights = {"faq": f"{seen.faq_weight:.1f}", "doc": f"{seen.doc_weight:.1f}"}
        share = f"{seen.meant:.0%}"
        lines.append(say(locale, "kb.embedder_weighed", name=seen.embedder, share=share, **weights))
    if seen.lost:
        shown = ", ".join(seen.lost[:PROBLEMS_MAX]) + (
            " …" if len(seen.lost) > PROBLEMS_MAX else ""
        )
        lines.append(say(locale, "kb.eval_lost", count=len(seen.lost), names=shown))
    if seen.confusions:
        lines.append(say(locale, "kb.confusions"))
        nothing = say(locale, "kb.eval_nothing")
        lines += [f"{often} × {right} → {top or nothing}" for right, top, often in seen.confusions]
    return "\n".join(lines)


def _measured(seen: Evaluation, locale: str) -> list[str]:
    """Each line a question that an operator has."""
    never = say(locale, "kb.eval_never")
    return [
        say(
            locale,
            "kb.eval_found",
            first=f"{seen.recall_1:.2f}",
            three=f"{seen.recall_3:.2f}",
            ten=f"{seen.recall_10:.2f}",
            mrr=f"{seen.mrr:.2f}",
        ),
        say(
            locale,
            "kb.eval_known",
            far=_share(seen.far_auroc),
            near=_share(seen.near_auroc),
            ece=f"{seen.ece:.2f}",
        ),
        say(
            locale,
            "kb.eval_could",
            at_90=f"{seen.coverage_90:.0%}",
            at_95=f"{seen.coverage_95:.0%}",
        ),
        say(
            locale,
            "kb.eval_given",
            direct=f"{seen.direct:.0%}",
            right=_percent(seen.direct_precision),
            inside=f"{seen.in_scope:.0%}",
            far=_percent(seen.far_passed),
        ),
        say(
            locale,
            "kb.eval_from",
            scope=f"{seen.scope_from:.2f}",
            direct=f"{seen.direct_from:.2f}" if seen.direct_from <= NEVER else never,
        ),
        say(locale, "kb.eval_took", median=f"{seen.p50_ms:.1f}", most=f"{seen.p95_ms:.1f}"),
    ]


def generations(known: Sequence[Generation], locale: str, *, word: str, zone: tzinfo = UTC) -> str:
    """The states that can be gone back to; `word` is what goes back, where this is read."""
    if not known:
        return say(locale, "kb.no_generations")
    lines = [say(locale, "kb.generations", word=word)]
    for one in known:
        mark = " *" if one.live else ""
        note = _noted(_line(one.note), locale)
        lines.append(f"{one.id}{mark} · {_when(one.at, zone)} · {by(one.by, locale)} · {note}")
    return "\n".join(lines)


def _noted(note: str, locale: str) -> str:
    """What a state is remembered by: a change by hand in the reader's words, or names of files."""
    found = _NOTE.fullmatch(note)
    return say(locale, f"kb.noted_{_NOTES[found[1]]}", what=found[2]) if found else note


def changed(key: str, uid: str, report: ImportReport, locale: str) -> str:
    """That an entry was changed, and what asks nearly the same."""
    return "\n".join([say(locale, key, uid=uid), *twins(report.twins[:PROBLEMS_MAX], locale)])


def twins(found: Sequence[Twin], locale: str) -> list[str]:
    """Questions that are nearly the same, a line a pair."""
    return [
        say(
            locale,
            "kb.conflict" if twin.conflict else "kb.twin",
            first=twin.first,
            second=twin.second,
        )
        for twin in found
    ]


def sent(files: Sequence[SentFile], report: ImportReport, locale: str) -> str:
    """What came of each file that was sent, a line a file, and what is to be known beside."""
    failed = {cause.file: cause for cause in report.failed}
    whys = [one.cause or failed.get(one.uri) for one in files]
    lines = [_came_of(one, why, report, locale) for one, why in zip(files, whys, strict=True)]
    if len(files) > 1:
        taken, refused = len(report.each), sum(why is not None for why in whys)
        counts = {"taken": taken, "same": len(files) - taken - refused, "refused": refused}
        lines.insert(0, say(locale, "kb.sent", of=len(files), **counts))
    lines += twins(report.twins[:PROBLEMS_MAX], locale)
    names = {one.uri: one.name for one in files}
    for note in report.notes[:PROBLEMS_MAX]:
        lines.append(told(note._replace(file=names.get(note.file, note.file)), locale))
    lines += [say(locale, "cli.kept", text=uid) for uid in report.kept[:PROBLEMS_MAX]]
    return "\n".join(lines)


def _came_of(file: SentFile, why: Cause | None, report: ImportReport, locale: str) -> str:
    """One file: what it changed, that it changed nothing, or why it was refused."""
    if why is not None:
        text = told(why._replace(file=file.name), locale)
        return say(locale, "cli.import_failed", text=text)
    brought = report.each.get(file.uri)
    if brought is None:
        return say(locale, "kb.unchanged", uid=file.name)
    counts = {"added": brought.added, "changed": brought.changed, "removed": brought.removed}
    return say(locale, "kb.imported", uid=file.name, counts=say(locale, "kb.counts", **counts))


def _line(text: str) -> str:
    flat = _flat(text)
    return flat if len(flat) <= LINE_MAX else flat[: LINE_MAX - 1] + "…"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _share(number: float | None) -> str:
    return "—" if number is None else f"{number:.2f}"


def _percent(number: float | None) -> str:
    return "—" if number is None else f"{number:.0%}"


def _when(at: int, zone: tzinfo) -> str:
    return f"{local(at, zone):%Y-%m-%d %H:%M}"
