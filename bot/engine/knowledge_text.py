"""Knowledge as those who run the desk read it, in a chat and in a terminal; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bot.engine.drafting import Draft
from bot.i18n import say
from bot.knowledge.causes import told
from bot.knowledge.entries import EntryView
from bot.knowledge.evaluate import Evaluation
from bot.knowledge.explain import Explanation
from bot.knowledge.gaps import Cluster
from bot.knowledge.imports import ImportReport
from bot.knowledge.meaning import Health
from bot.knowledge.port import Generation, Revision, StoredEntry
from bot.knowledge.twins import Twin
from bot.types import Findings

LINE_MAX = 200
TEXT_MAX = 2_500
"""Characters of an entry's text that are shown."""
PROBLEMS_MAX = 10


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


def entry(view: EntryView, history: Sequence[Revision], locale: str) -> str:
    """An entry whole, and who changed it lately."""
    lines = [f"{view.uid} ({view.kind}, {view.locale}, {view.source})", view.title]
    lines += [f"~ {alias}" for alias in view.aliases]
    text = view.answer if view.answer is not None else "\n".join(view.chunks)
    lines += ["", text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"]
    if view.url:
        lines.append(view.url)
    if history:
        lines += ["", say(locale, "kb.history")]
        lines += [f"{_when(one.at)} {one.action} {one.by}".rstrip() for one in history]
    return "\n".join(lines)


def explained(found: Explanation, locale: str) -> str:
    """One search laid open."""
    terms = ", ".join(
        f"{term.term} ({term.share:.0%}, {term.rows}{'' if term.sent else ', -'})"
        for term in sorted(found.terms, key=lambda term: -term.share)[:20]
    )
    lines = [
        *_decided(found, locale),
        "",
        " · ".join(f"{name} {number:.2f}" for name, number in found.signs),
        say(locale, "kb.terms", terms=terms or "—"),
        *_weighed(found, locale),
    ]
    for number, one in enumerate(found.found, 1):
        sure = "=" if one.exact else f"{one.score:.2f}"
        parts = f"{one.coverage:.2f}/{one.row_coverage:.2f}/{one.likeness:.2f}"
        if one.lexical is not None:
            near = "—" if one.nearness is None else f"{one.nearness:.2f}"
            parts += f" · {one.lexical:.2f} ~ {near}"
        lines.append(f"{number}. {sure} ({parts}) {one.entry} — {_line(one.matched)}")
    return "\n".join(lines)


def _decided(found: Explanation, locale: str) -> list[str]:
    """What is done with the first entry, and what speaks against more."""
    decided = found.decision
    if decided == "grounded" and found.not_quoted:
        decided = "model_only"
    lines = [say(locale, f"kb.decided_{decided}")]
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


def gaps(clusters: Sequence[Cluster], drafts: Mapping[str, Draft], locale: str) -> str:
    """What was asked in vain, most asked first, each with a draft where there is one."""
    if not clusters:
        return say(locale, "kb.no_gaps")
    lines = []
    for one in clusters:
        lines.append(f"{one.count} × {_line(one.question)}")
        lines += [f"    ~ {_line(text)}" for text in one.examples[1:3]]
        if draft := drafts.get(one.question):
            lines.append(f"    /kb add {_flat(draft.question)} | {_flat(draft.answer)}")
    return "\n".join(lines)


def evaluation(seen: Evaluation, locale: str, *, key: str = "kb.evaluated") -> str:
    """The base in numbers."""
    lines = [
        say(locale, key, count=seen.cases),
        (
            f"R@1 {seen.recall_1:.2f} · R@3 {seen.recall_3:.2f} · R@10 {seen.recall_10:.2f} · "
            f"MRR {seen.mrr:.2f}"
        ),
        f"AUROC far {_share(seen.far_auroc)} · near {_share(seen.near_auroc)} · ECE {seen.ece:.2f}",
        f"coverage @90 % {seen.coverage_90:.0%} · @95 % {seen.coverage_95:.0%}",
        (
            f"direct {seen.direct:.0%} (precision {_share(seen.direct_precision)}) · "
            f"in scope {seen.in_scope:.0%} · far let in {_share(seen.far_passed)}"
        ),
        f"scope ≥ {seen.scope_from:.2f} · direct ≥ {seen.direct_from:.2f}",
        f"p50 {seen.p50_ms:.1f} ms · p95 {seen.p95_ms:.1f} ms",
    ]
    if seen.embedder:
        weights = {"faq": f"{seen.faq_weight:.1f}", "doc": f"{seen.doc_weight:.1f}"}
        share = f"{seen.meant:.0%}"
        lines.append(say(locale, "kb.embedder_weighed", name=seen.embedder, share=share, **weights))
    if seen.confusions:
        lines.append(say(locale, "kb.confusions"))
        lines += [f"{often} × {right} → {top}" for right, top, often in seen.confusions]
    return "\n".join(lines)


def generations(known: Sequence[Generation], locale: str, *, word: str) -> str:
    """The states that can be gone back to; `word` is what goes back, where this is read."""
    if not known:
        return say(locale, "kb.no_generations")
    lines = [say(locale, "kb.generations", word=word)]
    for one in known:
        mark = " *" if one.live else ""
        lines.append(f"{one.id}{mark} · {_when(one.at)} · {one.by or '—'} · {_line(one.note)}")
    return "\n".join(lines)


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


def imported(name: str, report: ImportReport, locale: str) -> str:
    """What a file brought."""
    counts = {"added": report.added, "changed": report.changed, "removed": report.removed}
    lines = [changed("kb.imported", name, report, locale)]
    lines.append(say(locale, "kb.counts", **counts))
    lines += [told(note._replace(file=name), locale) for note in report.notes[:PROBLEMS_MAX]]
    lines += [say(locale, "cli.kept", text=uid) for uid in report.kept[:PROBLEMS_MAX]]
    return "\n".join(lines)


def _line(text: str) -> str:
    flat = _flat(text)
    return flat if len(flat) <= LINE_MAX else flat[: LINE_MAX - 1] + "…"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _share(number: float | None) -> str:
    return "—" if number is None else f"{number:.2f}"


def _when(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}"
