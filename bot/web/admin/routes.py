"""The map of the pages: every address, and who may come there."""

from __future__ import annotations

from importlib import resources

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web.admin import house, knowledge, people
from bot.web.admin.behind import Behind
from bot.web.admin.look import Look
from bot.web.admin.porter import Porter

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: under that a browser hides a form's origin from ourselves too.
    "Referrer-Policy": "same-origin",
}

READ = {
    "/": house.overview,
    "/conversations": people.talks,
    "/conversations/{id}": people.transcript,
    "/tickets": people.tickets,
    "/knowledge": knowledge.entries,
    "/knowledge/entry": knowledge.entry,
    "/knowledge/new": knowledge.blank,
    "/knowledge/gaps": knowledge.gaps,
    "/knowledge/ask": knowledge.ask,
    "/knowledge/generations": knowledge.generations,
    "/knowledge/measure": knowledge.measure_form,
    "/settings": house.settings,
    "/letters": house.letters,
    "/audit": house.audit,
}
"""Pages, by path."""

ACT = {
    "/tickets/{id}/close": people.close_ticket,
    "/knowledge/new": knowledge.add,
    "/knowledge/edit": knowledge.edit,
    "/knowledge/import": knowledge.take_in,
    "/knowledge/remove": knowledge.remove,
    "/knowledge/generations/{id}": knowledge.go_back,
    "/knowledge/measure": knowledge.measure,
    "/letters/{id}/requeue": house.requeue,
}
"""Forms, by path."""


def add_pages(app: web.Application, behind: Behind) -> None:
    """Put the pages into the operator's app."""
    desk = behind.config.desk
    porter = Porter(behind, Look(name=desk.name, timezone=desk.timezone))
    for path, page in READ.items():
        app.router.add_get(path, porter.seen(page))
    for path, page in ACT.items():
        app.router.add_post(path, porter.acting(page))
    app.router.add_get("/login/{token}", porter.show)
    app.router.add_post("/login/{token}", porter.enter)
    app.router.add_post("/logout", porter.acting(porter.leave))
    app.router.add_get("/style.css", _style())
    app.on_response_prepare.append(_strict)


def _style() -> Handler:
    """The one style sheet."""
    text = resources.files("bot.web.admin").joinpath("style.css").read_text("utf-8")

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/css")

    return style


async def _strict(_request: web.Request, response: web.StreamResponse) -> None:
    """No script, no frame, nothing from elsewhere; whatever a page may hold."""
    response.headers.update(HEADERS)
