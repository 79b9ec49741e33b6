"""Pages about what the desk knows: look, write, take out, go back, and what is missing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from aiohttp import web

from bot.engine.knowledge_text import decided
from bot.knowledge.cases import cases
from bot.knowledge.causes import refused
from bot.knowledge.evaluate import evaluate
from bot.knowledge.terms import language
from bot.web.admin.behind import Visit

ENTRIES = 200
REVISIONS = 20
GENERATIONS = 20
GAP_DAYS = 30
DAY_MS = 86_400_000
CASES_MAX = 300
"""Of one measurement: each is a search, and the desk answers people meanwhile."""
MEASURE_SECONDS = 20.0

_measuring = asyncio.Lock()


async def entries(visit: Visit) -> web.Response:
    """All of them, or those that have what is looked for."""
    wanted = visit.asked("q")
    found = await visit.behind.knowledge.entries.all(wanted)
    return visit.page(
        "knowledge.html", wanted=wanted, count=len(found), entries=found[:ENTRIES], most=ENTRIES
    )


async def entry(visit: Visit) -> web.Response:
    """One entry whole, with who changed it."""
    known = visit.behind.knowledge.entries
    uid = visit.asked("uid", 500)
    if not any(one.uid == uid for one in await known.all()):
        raise web.HTTPNotFound
    shown = await known.show(uid)
    revisions = await known.history(uid, limit=REVISIONS)
    return visit.page("entry.html", entry=shown, revisions=revisions)


async def blank(visit: Visit) -> web.Response:
    """An empty form, or one with a question that nobody could answer."""
    return visit.page("new_entry.html", question=visit.asked("question", 2000))


async def add(visit: Visit) -> web.Response:
    """A new FAQ."""
    fields = visit.fields
    await visit.behind.knowledge.entries.add(
        fields.get("question", ""),
        fields.get("answer", ""),
        aliases=_lines(fields.get("aliases", "")),
        by=visit.actor,
    )
    await visit.note("knowledge added", fields["question"])
    return web.Response(status=303, headers={"Location": "/knowledge?done=added"})


async def edit(visit: Visit) -> web.Response:
    """Other words for an FAQ."""
    fields, uid = visit.fields, visit.fields.get("uid", "")
    await visit.behind.knowledge.entries.edit(
        uid,
        by=visit.actor,
        question=fields.get("question", ""),
        answer=fields.get("answer", ""),
        aliases=_lines(fields.get("aliases", "")),
    )
    await visit.note("knowledge edited", uid)
    to = f"/knowledge/entry?uid={quote(uid, safe='')}&done=edited"
    return web.Response(status=303, headers={"Location": to})


async def remove(visit: Visit) -> web.Response:
    """Out of the base; going back brings it in again."""
    uid = visit.fields.get("uid", "")
    await visit.behind.knowledge.entries.remove(uid, by=visit.actor)
    await visit.note("knowledge removed", uid)
    return web.Response(status=303, headers={"Location": "/knowledge?done=deleted"})


async def take_in(visit: Visit) -> web.Response:
    """A file, in the place of what one of the same name gave before.

    Raises KnowledgeError naming place and cause; then nothing has changed.
    """
    upload = visit.upload
    if upload is None or not upload.content:
        raise refused("cause.no_text", upload.name if upload else "")
    with TemporaryDirectory() as folder:
        path = Path(folder) / upload.name
        await asyncio.to_thread(path.write_bytes, upload.content)
        made = await visit.behind.knowledge.import_file(path, uri=upload.name, by=visit.actor)
    counts = f"+{made.added} ~{made.changed} -{made.removed}"
    await visit.note("knowledge imported", f"{counts} {upload.name}")
    return web.Response(status=303, headers={"Location": "/knowledge?done=imported"})


async def gaps(visit: Visit) -> web.Response:
    """What was asked in vain lately."""
    since = visit.behind.clock.now() - GAP_DAYS * DAY_MS
    found = await visit.behind.knowledge.gaps(since)
    return visit.page("gaps.html", gaps=found[:ENTRIES], days=GAP_DAYS)


async def ask(visit: Visit) -> web.Response:
    """What the desk finds for a question, and why."""
    question = visit.asked("q", 2000)
    found = None
    if question.strip():
        locale = language(question) or visit.locale
        found = await visit.behind.knowledge.explain(question, locale=locale)
    why = decided(found, visit.locale)[1:] if found else []
    return visit.page("ask.html", question=question, found=found, why=why)


async def generations(visit: Visit) -> web.Response:
    """The states of the base that can be gone back to."""
    found = await visit.behind.knowledge.entries.generations()
    return visit.page("generations.html", generations=found[:GENERATIONS])


async def go_back(visit: Visit) -> web.Response:
    """The base as it was then."""
    number = visit.number("id")
    made = await visit.behind.knowledge.entries.rollback(number, by=visit.actor)
    await visit.note("knowledge rolled back", f"{number} → {made}")
    return web.Response(status=303, headers={"Location": "/knowledge/generations?done=went_back"})


async def measure_form(visit: Visit) -> web.Response:
    """Where a test set goes."""
    return visit.page("measure.html", result=None, most=CASES_MAX)


async def measure(visit: Visit) -> web.Response:
    """The base in numbers over a test set; one measurement at a time, cut off after a while.

    Raises KnowledgeError naming the line that is no case.
    """
    asked = cases("", visit.fields.get("cases", ""))
    if not asked or len(asked) > CASES_MAX:
        raise refused("cause.cases_many", found=len(asked), most=CASES_MAX)
    try:
        async with asyncio.timeout(MEASURE_SECONDS), _measuring:
            result = await evaluate(visit.behind.knowledge, asked, visit.behind.clock)
    except TimeoutError:
        raise refused("cause.cases_slow", seconds=round(MEASURE_SECONDS)) from None
    await visit.note("knowledge measured", str(len(asked)))
    return visit.page("measure.html", result=result, most=CASES_MAX)


def _lines(text: str) -> tuple[str, ...]:
    """What stands on the lines that are not empty."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())
