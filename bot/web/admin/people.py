"""Pages about people: what was said, and who waits for a person."""

from __future__ import annotations

from aiohttp import web

from bot.office import SEQ_END
from bot.web.admin.behind import Visit

TALKS = 50
TURNS = 100
TICKETS = 200


async def talks(visit: Visit) -> web.Response:
    """Where something was said last, or where a name or a text has what is looked for."""
    wanted = visit.asked("q")
    found = await visit.behind.files.talks(wanted, TALKS)
    return visit.page("conversations.html", wanted=wanted, talks=found, most=TALKS)


async def transcript(visit: Visit) -> web.Response:
    """One memory, read. That it was read is written down: it is somebody's own words."""
    number, before = visit.number("id"), visit.asked("before", 16)
    known = before.isascii() and before.isdigit()
    found = await visit.behind.files.transcript(number, TURNS, int(before) if known else SEQ_END)
    if found is None:
        raise web.HTTPNotFound
    await visit.note("conversation read", f"#{number}")
    return visit.page("transcript.html", transcript=found)


async def tickets(visit: Visit) -> web.Response:
    """Open ones first."""
    return visit.page("tickets.html", tickets=await visit.behind.files.tickets(TICKETS))


async def close_ticket(visit: Visit) -> web.Response:
    """Nobody waits any more."""
    number = visit.number("id")
    closed = await visit.behind.files.close_ticket(number, at=visit.behind.clock.now())
    if closed:
        await visit.note("ticket closed", f"#{number}")
    done = "closed" if closed else "not_open"
    return web.Response(status=303, headers={"Location": f"/tickets?done={done}"})
