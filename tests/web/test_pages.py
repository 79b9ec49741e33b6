"""The admin pages in a real browser: come in, look round, act; a hostile name does nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web

from bot.i18n import LOCALES, say
from bot.web.admin.routes import READ
from tests.flow.office import HOSTILE, Office, lived_in, office
from tests.flow.spoken import ADMIN
from tests.web.browser import Browser, browser

pytestmark = [pytest.mark.web, pytest.mark.timeout(180)]

PHONE, DESK = (375, 740), (1280, 900)
PICTURES = os.environ.get("FRONTDESK_PICTURES", "")
"""A folder; when set, every page is photographed into it."""


@pytest.fixture
async def here() -> AsyncIterator[Office]:
    async with office() as made:
        await lived_in(made)
        yield made


async def come_in(page: Browser, here: Office) -> None:
    """As an admin does: the link from the chat, its button."""
    await page.open(await here.link())
    await page.follow("#login")
    assert await page.url() == here.base + "/"


async def concrete(path: str, here: Office) -> str:
    """A path with a row behind it."""
    entries = await here.desk.desk.knowledge.entries.all()
    hostile = next(one.uid for one in entries if "script" in one.title)
    more = {"/knowledge/entry": f"?uid={quote(hostile)}", "/knowledge/ask": "?q=refund"}
    return here.base + path.replace("{id}", "1") + more.get(path, "")


@pytest.mark.parametrize("locale", LOCALES)
async def test_every_page_on_a_phone_and_on_a_desk(
    here: Office, tmp_path: Path, locale: str
) -> None:
    """In each language: nothing is wider than the window or cut off, nothing is refused by our own
    policy, no name has acted, and what a thumb must hit is large enough.
    """
    languages = ("zh-CN", "zh") if locale == "zh" else ("en",)
    async with browser(tmp_path, languages=languages) as page:
        await come_in(page, here)
        for path in sorted(READ):
            for name, (width, height) in {"phone": PHONE, "desk": DESK}.items():
                await page.resize(width, height)
                await page.open(await concrete(path, here))
                assert await page.run("return document.documentElement.lang") == locale
                wide = await page.run("return document.documentElement.scrollWidth")
                assert wide <= width, (path, name)
                assert await page.title() != "owned"
                low = await page.run(
                    "return [...document.querySelectorAll('button, nav a')]"
                    ".map(e => e.getBoundingClientRect().height).filter(h => h < 30).length"
                )
                assert low == 0, (path, name)
                assert await page.run("return document.querySelectorAll('main img').length") == 0
                if PICTURES:
                    room = path.strip("/").replace("/", "-") or "overview"
                    await page.picture(Path(PICTURES) / f"{locale}-{room}-{name}.png")
        assert await page.complaints() == []


async def test_a_hostile_name_is_shown_as_it_was_written(here: Office, tmp_path: Path) -> None:
    """Letter for letter, and no letter of it is taken for a command."""
    async with browser(tmp_path) as page:
        await come_in(page, here)
        for path in ("/conversations", "/tickets", "/letters", "/knowledge"):
            await page.open(here.base + path)
            texts = await page.run(
                "return [...document.querySelectorAll('bdi')].map(e => e.textContent)"
            )
            assert any(HOSTILE in text for text in texts), path
            assert await page.run("return document.scripts.length") == 0


async def test_the_policy_stops_what_escaping_would_have_missed(
    here: Office, tmp_path: Path
) -> None:
    """The second wall: markup that came into a page all the same neither runs nor loads."""
    async with browser(tmp_path) as page:
        await come_in(page, here)
        await page.run(
            "document.body.insertAdjacentHTML('beforeend',"
            "'<img src=x onerror=\"document.title=1\"><img src=https://evil.example/x.png>');"
            "const s = document.createElement('script'); s.textContent = 'document.title=2';"
            "document.body.append(s);"
        )
        assert await page.title() not in ("1", "2")
        assert len([one for one in await page.complaints() if "Content Security Policy" in one]) > 1


async def test_the_session_cookie_is_out_of_reach(here: Office, tmp_path: Path) -> None:
    """No script of any page reads it, and it is gone after logging out."""
    async with browser(tmp_path) as page:
        await come_in(page, here)
        [cookie] = await page.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert await page.run("return document.cookie") == ""
        await page.follow("#logout")
        assert say("en", "admin.out_title") in await page.text()
        assert await page.cookies() == []
        await page.open(here.base + "/tickets")
        assert say("en", "admin.out_title") in await page.text()


async def test_another_sites_form_does_nothing(here: Office, tmp_path: Path) -> None:
    """A page elsewhere sends our form from the browser of an admin who is in."""

    async def evil(_request: web.Request) -> web.Response:
        form = (
            f'<form method="post" action="{here.base}/tickets/1/close"><button id="go">x</button>'
        )
        return web.Response(text=form, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", evil)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with browser(tmp_path) as page:
            await come_in(page, here)
            # Another name for the same machine: another site to the browser.
            await page.open(f"http://localhost:{runner.addresses[0][1]}/")
            await page.follow("#go")
            assert say("en", "admin.refused_title") in await page.text()
            await page.open(here.base + "/tickets")
            assert say("en", "admin.close") in await page.text()
    finally:
        await runner.cleanup()
    [ticket] = await here.desk.stores.files.tickets(9)
    assert ticket.closed_at is None
    assert any("admin.other_site" in detail for _, _, detail in await here.audit())


async def test_a_day_at_the_desk(here: Office, tmp_path: Path) -> None:
    """With a mouse and a keyboard: a gap becomes an answer, a ticket and a letter are seen to."""
    async with browser(tmp_path) as page:
        await come_in(page, here)
        await page.open(here.base + "/knowledge/gaps")
        await page.follow("main li a")
        await page.write("#add input[name=question]", "Do you repair harpsichords?")
        await page.write("#add textarea[name=answer]", "Yes,\nin spring.")
        await page.follow("#add button")
        assert say("en", "admin.done_added") in await page.text()
        await page.write("form.search input", "harpsichords")
        await page.follow("form.search button")
        await page.follow("main .list a")
        await page.write("#edit textarea[name=answer]", "Yes, in May.")
        await page.follow("#edit button")
        assert say("en", "admin.done_edited") in await page.text()
        said = await here.desk.say("Do you repair harpsichords?", ADMIN)
        assert "in May" in said.text
        await page.click("#remove button")  # not ticked: the browser itself holds the form back
        assert "/knowledge/entry" in await page.url()
        await page.click("#remove input[type=checkbox]")
        await page.follow("#remove button")
        assert say("en", "admin.done_deleted") in await page.text()
        await page.open(here.base + "/tickets")
        await page.follow("main form button")
        assert say("en", "admin.done_closed") in await page.text()
        await page.open(here.base + "/letters")
        await page.follow("main form button")
        assert say("en", "admin.done_requeued") in await page.text()
        await page.open(here.base + "/audit")
        acts = await page.text("main")
        for act in ("knowledge_added", "knowledge_edited", "knowledge_removed", "ticket_closed"):
            assert say("en", f"act.{act}") in acts


async def test_a_file_is_imported(here: Office, tmp_path: Path) -> None:
    """As a browser sends it, with a Chinese name."""
    file = tmp_path / "常见问题.csv"
    file.write_text("question,answer\nDo you mend lamps?,On Mondays.\n", "utf-8")
    async with browser(tmp_path) as page:
        await come_in(page, here)
        await page.open(here.base + "/knowledge/new")
        await page.type("#import input[type=file]", str(file))
        await page.follow("#import button")
        assert say("en", "admin.done_imported") in await page.text()
        assert file.name in await page.text()
    assert "On Mondays." in (await here.desk.say("Do you mend lamps?", ADMIN)).text


async def test_the_pages_speak_the_browsers_language(here: Office, tmp_path: Path) -> None:
    """Chinese where Chinese is asked for."""
    async with browser(tmp_path, languages=("zh-CN", "zh")) as page:
        await come_in(page, here)
        assert say("zh", "admin.room_overview") in await page.text("main h1")
