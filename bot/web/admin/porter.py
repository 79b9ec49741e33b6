"""Who comes in: links, sessions, and which requests are believed to be the visitor's own will."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.errors import KnowledgeError, UserError
from bot.i18n import say
from bot.knowledge.causes import why
from bot.office import SESSION_MS, hashed
from bot.web.admin.behind import Behind, Refusals, Visit
from bot.web.admin.forms import sent
from bot.web.admin.look import Look

Page = Callable[[Visit], Awaitable[web.Response]]


class Porter:
    """Stands before every page."""

    def __init__(self, behind: Behind, look: Look) -> None:
        self._behind = behind
        self._look = look
        self._refusals = Refusals(behind)
        address = urlsplit(behind.config.http.admin_url)
        self._own = address.netloc.lower()
        self._secure = address.scheme == "https"
        # A __Host- cookie can be set by this very host over https only, by no sister of it.
        self._cookie = "__Host-frontdesk" if self._secure else "frontdesk"

    # --- what the routes are made of -----------------------------------------------------------

    def seen(self, page: Page) -> Handler:
        """A page to read: for who is in."""

        async def handle(request: web.Request) -> web.StreamResponse:
            visit = await self._visit(request)
            if not visit.actor:
                return visit.page("out.html", status=401)
            return await page(visit)

        return handle

    def acting(self, page: Page) -> Handler:
        """A form: for who is in, sent from a page of ours that was made for them."""

        async def handle(request: web.Request) -> web.StreamResponse:
            visit = await self._visit(request)
            if not self._same_site(request):
                return await self._refuse(visit, "admin.other_site")
            if not visit.actor:
                return await self._refuse(visit, "admin.logged_out")
            visit = await self._with_fields(visit)
            if not hmac.compare_digest(visit.fields.get("form", "").encode(), visit.form.encode()):
                return await self._refuse(visit, "admin.no_token")
            try:
                return await page(visit)
            except UserError as error:
                told = say(visit.locale, error.key, **error.values)
            except KnowledgeError as error:
                told = why(error, visit.locale)
            return visit.page("refused.html", status=400, told=told)

        return handle

    # --- in and out ----------------------------------------------------------------------------

    async def show(self, request: web.Request) -> web.StreamResponse:
        """What a link opens: a button. Whoever only looks, as a preview does, spends nothing."""
        visit = await self._visit(request)
        link = hashed(request.match_info["token"])
        if not await self._behind.door.knows(link, at=self._behind.clock.now()):
            return await self._no_way(visit)
        return visit.page("login.html")

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """The button was pressed: the link is spent, a session begins."""
        visit = await self._visit(request)
        if not self._same_site(request):
            return await self._refuse(visit, "admin.other_site")
        session, at = secrets.token_urlsafe(32), self._behind.clock.now()
        link = hashed(request.match_info["token"])
        until = at + SESSION_MS
        if not await self._behind.door.enter(link, hashed(session), at=at, until=until):
            return await self._no_way(visit)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            self._cookie,
            session,
            max_age=SESSION_MS // 1000,
            path="/",
            httponly=True,
            secure=self._secure,
            samesite="Strict",
        )
        return response

    async def leave(self, visit: Visit) -> web.Response:
        """Out; the cookie opens nothing from now on, wherever it may be kept."""
        await self._behind.door.leave(hashed(visit.request.cookies[self._cookie]))
        await visit.note("admin logout")
        out = Visit(
            request=visit.request, behind=self._behind, look=self._look, locale=visit.locale
        )
        response = out.page("out.html")
        response.del_cookie(
            self._cookie, path="/", httponly=True, secure=self._secure, samesite="Strict"
        )
        return response

    # --- what is looked at ---------------------------------------------------------------------

    async def _visit(self, request: web.Request) -> Visit:
        """Who asks, in which language; nobody without a session that still holds."""
        wanted = request.headers.get("Accept-Language", "")
        locale = language(wanted, default=self._behind.config.desk.locale)
        visit = Visit(request=request, behind=self._behind, look=self._look, locale=locale)
        session = request.cookies.get(self._cookie, "")
        at = self._behind.clock.now()
        actor = await self._behind.door.whose(hashed(session), at=at) if session else None
        if not actor:
            return visit
        return Visit(
            request=request,
            behind=self._behind,
            look=self._look,
            locale=locale,
            actor=actor,
            form=form_token(session),
        )

    def _same_site(self, request: web.Request) -> bool:
        """A browser says with every form where it comes from; what does not say so is refused."""
        origin = urlsplit(request.headers.get("Origin", "")).netloc.lower()
        return bool(origin) and origin in {request.host.lower(), self._own}

    async def _with_fields(self, visit: Visit) -> Visit:
        """The form's fields. Raises HTTPBadRequest for what no form of ours sends."""
        most = self._behind.config.knowledge.file_max_bytes
        fields, upload = await sent(visit.request, most)
        return Visit(
            request=visit.request,
            behind=visit.behind,
            look=visit.look,
            locale=visit.locale,
            actor=visit.actor,
            form=visit.form,
            fields=fields,
            upload=upload,
        )

    async def _refuse(self, visit: Visit, why: str) -> web.Response:
        await self._refusals.note(visit.actor or "nobody", why, visit.request)
        told = say(visit.locale, "admin.refused")
        return visit.page("refused.html", status=403, told=told)

    async def _no_way(self, visit: Visit) -> web.Response:
        """One answer for a link that is forged, spent or too old: it tells a guesser nothing."""
        await self._refusals.note("nobody", "admin.no_link", visit.request)
        return visit.page("no_way.html", status=403)


def form_token(session: str) -> str:
    """The token of a session's forms; it does not give the session away."""
    return hashlib.sha256(f"form {session}".encode()).hexdigest()


def language(wanted: str, *, default: str) -> str:
    """The first language of an Accept-Language header that we speak; else the desk's."""
    weighed = []
    for place, part in enumerate(wanted.split(",")[:20]):
        tag, _, weight = part.strip().partition(";q=")
        weighed.append((-_weight(weight), place, tag.strip().lower()[:2]))
    known = [tag for _, _, tag in sorted(weighed) if tag in ("en", "zh")]
    return known[0] if known else default or "en"


def _weight(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0
