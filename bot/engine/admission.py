"""The way to the admin pages: a link that is good once, for ten minutes, said in private."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from bot.config import HttpConfig
from bot.engine.commands import ADMINS, Call, Command
from bot.i18n import say
from bot.office import LINK_MS, hashed
from bot.ports import Clock
from bot.types import AdmitAdmin, Audit, Done, Notice, ReplyEvent, Say

Token = Callable[[], str]
"""A new secret of 256 random bits, in hexadecimal: no platform takes it for markup."""


class Admission:
    """The row /admin."""

    def __init__(self, http: HttpConfig, clock: Clock, *, token: Token) -> None:
        self._http = http
        self._clock = clock
        self._token = token

    def command(self) -> Command:
        """The row."""
        return Command(word="admin", run=self._admin, roles=ADMINS)

    async def _admin(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if not call.place.private:
            yield Notice(key="access.in_private", values={"word": "admin"})
            yield Done(route="command", remember=False)
            return
        if not self._http.operator:
            yield Notice(key="access.pages_off")
            yield Done(route="command", remember=False)
            return
        token = self._token()
        link = f"{self._http.admin_url or f'http://{self._http.operator}'}/login/{token}"
        minutes = LINK_MS // 60_000
        yield Say(text=say(call.locale, "access.pages_link", minutes=minutes, link=link))
        until = self._clock.now() + LINK_MS
        changes = (AdmitAdmin(token=hashed(token), until=until), Audit(action="admin link"))
        yield Done(route="command", changes=changes, remember=False)
