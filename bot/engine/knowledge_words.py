"""The word /kb: what those who run the desk see and change of its knowledge, in a chat.

Knowledge changes before the settlement, as generations of their own; so each change is one that
carried out twice is as good as once (docs/decisions/0005).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path, PurePath
from zoneinfo import ZoneInfo

from bot.engine import knowledge_text as told
from bot.engine.commands import ADMINS, Call, Command
from bot.engine.drafting import Drafting
from bot.engine.sent import Fetch, fetched
from bot.errors import KnowledgeError, UserError
from bot.i18n import say
from bot.knowledge import causes
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.drafts import faq
from bot.knowledge.evaluate import evaluate_itself
from bot.knowledge.imports import DESK
from bot.ports import Clock
from bot.types import Audit, Done, File, Notice, ReplyEvent, Say

LISTED = 30
"""Entries of /kb list."""
FOUND = 5
"""Passages of /kb search."""
GAPS_SHOWN, GAPS_DAYS = 10, 30
HISTORY = 20
"""Changes of /kb history."""
EXPORT_NAME = "faq.jsonl"
STATE_DIGITS = 15
"""No state of a base has a longer number."""

CHINESE = {
    "搜索": "search",
    "列表": "list",
    "查看": "show",
    "解释": "explain",
    "缺口": "gaps",
    "评估": "eval",
    "添加": "add",
    "修改": "edit",
    "删除": "remove",
    "回退": "rollback",
    "历史": "history",
    "导出": "export",
    "导入": "import",
}
"""The same words for those who write Chinese."""

_WORD = re.compile(r"(\S+)(?:\s+(.*))?", re.DOTALL)


class KnowledgeWords:
    """The row for /kb and what stands behind each of its words."""

    def __init__(
        self,
        knowledge: KnowledgeBase,
        clock: Clock,
        *,
        drafting: Drafting | None = None,
        fetch: Fetch | None = None,
        timezone: str = "UTC",
    ) -> None:
        self._zone = ZoneInfo(timezone)
        self._kb = knowledge
        self._clock = clock
        self._drafting = drafting
        self._fetch = fetch
        self._words: dict[str, Callable[[str, Call], Awaitable[str]]] = {
            "search": self._search,
            "list": self._list,
            "show": self._show,
            "explain": self._explain,
            "history": self._history,
            "gaps": self._gaps,
            "eval": self._eval,
        }
        self._acts: dict[str, Callable[[str, Call], Awaitable[tuple[str, str]]]] = {
            "add": self._add,
            "edit": self._edit,
            "remove": self._remove,
            "rollback": self._rollback,
            "import": self._import,
        }

    def command(self) -> Command:
        """The row."""
        return Command(word="kb", run=self._run, roles=ADMINS)

    async def _run(self, call: Call) -> AsyncIterator[ReplyEvent]:
        """One word of /kb; each change stands in the audit. What fails says why."""
        found = _WORD.fullmatch(call.argument.strip())
        word, rest = (found[1].lower(), (found[2] or "").strip()) if found else ("", "")
        word = CHINESE.get(word, word)
        if not word and call.attachments:
            word = "import"
        if word == "export":
            yield await self._export(call)
            yield Done(route="command", remember=False)
            return
        try:
            if act := self._acts.get(word):
                text, detail = await act(rest, call)
                yield Say(text=text)
                changes = (Audit(action=f"kb {word}", detail=detail),) if detail else ()
                yield Done(route="command", changes=changes, remember=False)
                return
            read = self._words.get(word)
            yield Say(text=await read(rest, call) if read else self._usage(call.locale))
        except UserError as error:
            yield Notice(key=error.key, values=dict(error.values))
        except KnowledgeError as error:
            yield Say(text=say(call.locale, "kb.failed", text=causes.why(error, call.locale)))
        yield Done(route="command", remember=False)

    def _usage(self, locale: str) -> str:
        """The words there are, and how the embedder does where there is one."""
        usage, dense = say(locale, "kb.usage"), self._kb.dense
        return usage if dense is None else f"{usage}\n\n{told.embedder(dense.health(), locale)}"

    # --- reading -----------------------------------------------------------------------------

    async def _search(self, question: str, call: Call) -> str:
        _given(question)
        found = await self._kb.search(question, locale=call.locale, limit=FOUND)
        return told.search(found, call.locale)

    async def _list(self, containing: str, call: Call) -> str:
        return told.listed(await self._kb.entries.all(containing), call.locale, most=LISTED)

    async def _show(self, uid: str, call: Call) -> str:
        _given(uid)
        entry = await self._kb.entries.show(uid)
        past = await self._kb.entries.history(uid, limit=5)
        return told.entry(entry, past, call.locale, zone=self._zone)

    async def _history(self, uid: str, call: Call) -> str:
        past = await self._kb.entries.history(uid, limit=HISTORY)
        return told.history(past, call.locale, zone=self._zone)

    async def _export(self, call: Call) -> ReplyEvent:
        """All FAQs as a file; not where others look on."""
        if not call.place.private:
            return Notice(key="access.in_private", values={"word": "kb export"})
        rows = await self._kb.entries.export()
        caption = say(call.locale, "kb.export_caption", count=rows.count("\n"))
        return File(name=EXPORT_NAME, content=rows.encode(), caption=caption)

    async def _explain(self, question: str, call: Call) -> str:
        _given(question)
        return told.explained(await self._kb.explain(question, locale=call.locale), call.locale)

    async def _gaps(self, _rest: str, call: Call) -> str:
        since = self._clock.now() - GAPS_DAYS * 86_400_000
        clusters = (await self._kb.gaps(since))[:GAPS_SHOWN]
        if self._drafting is None:
            return told.gaps(clusters, {}, call.locale)
        drafts = await self._drafting.drafts(clusters, end_user=call.end_user)
        return told.gaps(clusters, drafts, call.locale)

    async def _eval(self, _rest: str, call: Call) -> str:
        return told.evaluation(await evaluate_itself(self._kb, self._clock), call.locale)

    # --- changing: done twice is as good as once ----------------------------------------------

    async def _add(self, rest: str, call: Call) -> tuple[str, str]:
        question, answer = _pair(rest)
        report = await self._kb.entries.add(question, answer, by=_by(call))
        uid = uid_of(question)
        newest = await self._kb.entries.history(uid, limit=1)
        was = bool(newest) and newest[0].action == "changed"
        return told.changed("kb.edited" if was else "kb.added", uid, report, call.locale), uid

    async def _edit(self, rest: str, call: Call) -> tuple[str, str]:
        uid, answer = _pair(rest)
        report = await self._kb.entries.edit(uid, by=_by(call), answer=answer)
        return told.changed("kb.edited", uid, report, call.locale), uid

    async def _remove(self, uid: str, call: Call) -> tuple[str, str]:
        _given(uid)
        try:
            await self._kb.entries.remove(uid, by=_by(call))
        except UserError:
            newest = await self._kb.entries.history(uid, limit=1)
            if not newest or newest[0].action != "removed":
                raise
        return say(call.locale, "kb.removed", uid=uid), uid

    async def _rollback(self, number: str, call: Call) -> tuple[str, str]:
        """Without a number the states are shown: "the one before" means another one each time."""
        known = await self._kb.entries.generations()
        if not number.isdecimal():
            shown = told.generations(known, call.locale, word="/kb rollback", zone=self._zone)
            return shown, ""
        if len(number) > STATE_DIGITS:
            raise UserError("kb.no_generation", number=f"{number[:STATE_DIGITS]}…")
        target = int(number)
        live = next((one for one in known if one.live), None)
        if live is None or (live.id != target and live.note != f"back to {target}"):
            if target not in {one.id for one in known}:
                raise UserError("kb.no_generation", number=target)
            await self._kb.entries.rollback(target, by=_by(call))
        return say(call.locale, "kb.rolled_back", number=target), str(target)

    async def _import(self, _rest: str, call: Call) -> tuple[str, str]:
        """All files of the message; one that cannot be read holds up no other."""
        if not call.attachments:
            raise UserError("kb.no_file")
        if self._fetch is None:
            raise UserError("skill.no_files")
        with tempfile.TemporaryDirectory(prefix="frontdesk-") as folder:
            files = await fetched(self._fetch, call.place, call.attachments, Path(folder))
            there = [(one.uri, one.path) for one in files if one.cause is None]
            report = await self._kb.import_files(there, by=_by(call))
        lines = [told.sent(files, report, call.locale)]
        if call.torn:
            lines.append(say(call.locale, "kb.torn"))
        failed = {cause.file for cause in report.failed}
        taken = [one for one in files if one.cause is None and one.uri not in failed]
        return "\n".join(lines), ", ".join(PurePath(one.name).suffix or "?" for one in taken)


def uid_of(question: str) -> str:
    """The uid of an FAQ that is added by hand."""
    return faq(source=DESK, question=question, answer="").uid


def _by(call: Call) -> str:
    """Who changes it, by a number that outlives no erasure."""
    return f"#{call.person.id}"


def _pair(text: str) -> tuple[str, str]:
    """What stands before and behind the first bar. Raises UserError where there is none."""
    first, bar, second = text.replace("｜", "|").partition("|")
    if not bar or not first.strip() or not second.strip():
        raise UserError("kb.usage")
    return first.strip(), second.strip()


def _given(text: str) -> None:
    if not text:
        raise UserError("kb.usage")
