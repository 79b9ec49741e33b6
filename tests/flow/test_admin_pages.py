"""The admin pages on the wire: nobody comes in uninvited, nothing is done by another's hand, and
what strangers call themselves stays text.
"""

from __future__ import annotations

import asyncio
import html
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from bot.config import HttpConfig, KnowledgeConfig, Secret, SlackConfig, TelegramConfig
from bot.i18n import LOCALES, say
from bot.office import LINK_MS, SESSION_MS
from bot.web.admin.forms import BODY_MAX
from bot.web.admin.routes import ACT, POLICY, READ
from tests.flow.office import HOSTILE, SECRET, lived_in, office
from tests.flow.spoken import ADMIN, ANN, GROUP

ACTOR = f"telegram:1/{ADMIN}"
FORGED = "/login/" + "0" * 64


def concrete(path: str) -> str:
    """An address of a row that is there, if any is."""
    return path.replace("{id}", "1")


def refusals(audit: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(actor, detail) for actor, action, detail in audit if action == "admin refused"]


# --- the way in ---------------------------------------------------------------------------------


async def test_a_link_from_the_chat_opens_the_pages_once() -> None:
    """Looking at a link spends nothing, pressing its button spends it."""
    async with office() as here:
        link = await here.link()
        for _ in range(3):
            assert (await here.get(link)).status == 200
        pressed = await here.post(link)
        assert (pressed.status, pressed.headers["Location"]) == (303, "/")
        assert (await here.get("/")).status == 200
        assert (await here.post(link)).status == 403
        assert (await here.get(link)).status == 403
        actions = [(actor, action) for actor, action, _ in await here.audit()]
    assert (ACTOR, "admin link") in actions
    assert (ACTOR, "admin login") in actions
    assert actions.count((ACTOR, "admin login")) == 1


async def test_a_link_pressed_twice_at_once_opens_once() -> None:
    """Of two hands on one button, one is in and the other is refused."""
    async with office() as here:
        link = await here.link()
        pressed = await asyncio.gather(*(here.post(link) for _ in range(5)))
        assert sorted(one.status for one in pressed) == [303, 403, 403, 403, 403]


async def test_the_cookie_is_for_this_site_and_no_script() -> None:
    """HttpOnly, SameSite=Strict; over https Secure too, and no sister host can set it."""
    async with office() as here:
        cookie = (await here.post(await here.link())).headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie
    behind_proxy = HttpConfig(admin_url="https://desk.example")
    async with office(behind_proxy) as here:
        link = await here.link()
        cookie = (await here.post(link, Origin="https://desk.example")).headers["Set-Cookie"]
    assert cookie.startswith("__Host-frontdesk=")
    assert "Secure" in cookie


async def test_the_link_names_the_address_from_the_settings() -> None:
    """Behind a proxy the listener's own address would lead nowhere."""
    async with office() as here:
        own = here.desk.desk.config.http.operator
        assert f"http://{own}/login/" in (await here.desk.say("/admin", ADMIN)).text


async def test_links_are_for_admins_and_in_private() -> None:
    """In a group everybody would hold the key."""
    async with office() as here:
        assert (await here.desk.say("/admin", ADMIN, channel=GROUP)).notices == [
            "access.in_private"
        ]
        assert (await here.desk.say("/admin", ANN)).notices == ["command.not_allowed"]


@pytest.mark.parametrize("token", ["0" * 64, "%00", "é", "a" * 3000, "%ff", "' OR 1=1 --"])
async def test_a_forged_link_is_refused_and_audited(token: str) -> None:
    """The same answer for all of them, and the audit does not hold what was tried."""
    async with office() as here:
        path = f"/login/{token}"
        assert (await here.get(path)).status == 403
        assert (await here.post(path)).status == 403
        found = refusals(await here.audit())
    assert found == [
        ("nobody", "admin.no_link: POST /login/…"),
        ("nobody", "admin.no_link: GET /login/…"),
    ]


async def test_an_expired_link_is_refused_and_audited() -> None:
    """Ten minutes to the millisecond."""
    async with office() as here:
        good, late = await here.link(), await here.link()
        here.desk.clock.ms += LINK_MS - 1
        assert (await here.post(good)).status == 303
        here.client.cookie_jar.clear()
        here.desk.clock.ms += 1
        assert (await here.get(late)).status == 403
        assert (await here.post(late)).status == 403
        assert len(refusals(await here.audit())) == 2


async def test_neither_links_nor_sessions_can_be_read_from_the_file() -> None:
    """Only hashes are kept: a stolen backup opens nothing."""
    async with office() as here:
        link = await here.link()
        await here.post(link)
        [cookie] = [one.value for one in here.client.cookie_jar]
        door = here.desk.stores.door
        assert await door.whose(cookie, at=here.desk.clock.now()) is None
        token = link.rpartition("/")[2]
        assert not await door.knows(token, at=0)
        audited = str(await here.audit())
    assert token not in audited
    assert cookie not in audited


async def test_a_session_ends_with_logout_with_time_and_with_the_desk() -> None:
    """Whoever kept the cookie holds nothing afterwards."""
    async with office() as here:
        await here.login()
        here.desk.clock.ms += SESSION_MS - 1
        assert (await here.get("/")).status == 200
        here.desk.clock.ms += 1
        assert (await here.get("/")).status == 401
        await here.login()
        [cookie] = [one.value for one in here.client.cookie_jar]
        assert (await here.post("/logout")).status == 200
        assert (await here.get("/", Cookie=f"frontdesk={cookie}")).status == 401
        assert (ACTOR, "admin logout", "") in await here.audit()
        await here.login()
        await here.desk.stores.door.empty()
        assert (await here.get("/")).status == 401


async def test_a_hammer_at_the_door_does_not_fill_the_audit() -> None:
    """So many refusals a minute are written; a minute later there are some again."""
    async with office() as here:
        for _ in range(80):
            await here.get(FORGED)
        assert len(refusals(await here.audit())) <= 60
        before = len(refusals(await here.audit()))
        here.desk.clock.ms += 60_000
        await here.get(FORGED)
        assert len(refusals(await here.audit())) == before + 1


# --- every route --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(READ))
async def test_no_page_shows_itself_to_strangers(path: str) -> None:
    """Without a session, and with one that was made up."""
    async with office() as here:
        await lived_in(here)
        for cookie in ("", "frontdesk=" + "0" * 43):
            answer = await here.get(concrete(path), Cookie=cookie)
            assert answer.status == 401
            assert "refund" not in answer.text
            assert "<nav" not in answer.text


@pytest.mark.parametrize("path", sorted({*ACT, "/logout"}))
async def test_no_form_is_taken_from_elsewhere(path: str) -> None:
    """Not without a session, from another site, from nowhere, or without the session's token;
    each refusal is audited and nothing has changed.
    """
    async with office() as here:
        await lived_in(here)
        path = concrete(path)
        fields = {"question": "A new one?", "answer": "Yes.", "uid": "x", "cases": '{"text": "a"}'}
        assert (await here.post(path, fields)).status == 403
        await here.login()
        before = await here.desk.desk.knowledge.entries.generations()
        for origin in ("https://evil.example", "null", "", here.base + ".evil.example"):
            assert (await here.post(path, fields, Origin=origin)).status == 403
        for token in ("", "0" * 64, "é"):
            assert (await here.post(path, fields | {"form": token})).status == 403
        found = refusals(await here.audit())
        assert found[-1] == ("nobody", f"admin.logged_out: POST {path}")
        assert found.count((ACTOR, f"admin.other_site: POST {path}")) == 4
        assert found.count((ACTOR, f"admin.no_token: POST {path}")) == 3
        assert before == await here.desk.desk.knowledge.entries.generations()
        assert (await here.get("/")).status == 200
        [ticket] = await here.desk.stores.files.tickets(9)
        assert ticket.closed_at is None
        assert len(await here.desk.stores.files.letters(9)) == 1


async def test_a_login_cannot_be_pressed_on_another_site() -> None:
    """Nobody is put into somebody else's session."""
    async with office() as here:
        link = await here.link()
        assert (await here.post(link, Origin="https://evil.example")).status == 403
        assert (await here.post(link)).status == 303


@pytest.mark.parametrize("path", sorted(READ))
async def test_every_page_is_read_only_by_reading(path: str) -> None:
    """Other methods are refused by name; HEAD is a GET without a body."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        for method in ("PUT", "DELETE", "PATCH", *(() if path in ACT else ("POST",))):
            answer = await here.request(method, concrete(path), {"Origin": here.base})
            assert answer.status == 405, method


@pytest.mark.parametrize("path", sorted(set(ACT) - set(READ)))
async def test_no_form_is_sent_by_a_link(path: str) -> None:
    """What changes something is never a GET."""
    async with office() as here:
        await here.login()
        assert (await here.get(concrete(path))).status in (404, 405)


@pytest.mark.parametrize("path", [*sorted(READ), "/login/x", "/nowhere", "/metrics", "/style.css"])
async def test_every_answer_forbids_scripts_and_frames(path: str) -> None:
    """Whatever slipped into a page could not run, nor could the page be laid under another."""
    async with office() as here:
        for inside in (False, True):
            if inside:
                await here.login()
            answer = await here.get(concrete(path))
            assert answer.headers.get("Content-Security-Policy") == POLICY
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert answer.headers["Cache-Control"] == "no-store"


class Tags(HTMLParser):
    """The elements and attributes a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize("path", sorted(READ))
@pytest.mark.parametrize("locale", LOCALES)
async def test_a_hostile_name_stays_text_on_every_page(path: str, locale: str) -> None:
    """No element, no handler, no style of a stranger's making; templates are not theirs either."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        entries = await here.desk.desk.knowledge.entries.all()
        uid = next(one.uid for one in entries if "script" in one.title)
        page = await here.get(
            concrete(path)
            + f"?q={html.escape('refund <script>')}&question=%3Cscript%3E&uid={quote(uid)}",
            Accept_Language=locale,
        )
        assert page.status == 200
        assert f'<html lang="{locale}">' in page.text
        tags = Tags()
        tags.feed(page.text)
        assert not {"script", "img", "iframe", "style"} & set(tags.tags)
        assert not [name for name, _ in tags.attributes if name.startswith("on") or name == "style"]
        hrefs = [text or "" for name, text in tags.attributes if name in ("href", "action", "src")]
        assert all(link.startswith(("/", "data:,")) for link in hrefs)


async def test_the_hostile_name_is_really_there() -> None:
    """The test before would pass on pages that show nobody."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        for path in ("/conversations", "/tickets", "/letters", "/knowledge", "/knowledge/gaps"):
            assert (
                html.escape(HOSTILE).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
                in (await here.get(path)).text
            ), path


# --- what the pages do --------------------------------------------------------------------------


async def test_a_ticket_is_closed_once_and_audited() -> None:
    """A second press says so instead of doing it again."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        first, second = [await here.post("/tickets/1/close") for _ in range(2)]
        assert first.headers["Location"] == "/tickets?done=closed"
        assert second.headers["Location"] == "/tickets?done=not_open"
        assert say("en", "ticket.reason_asked") in (await here.get("/tickets")).text
        page = await here.get("/tickets?done=closed")
        assert say("en", "admin.done_closed") in page.text
        assert (await here.audit())[0] == (ACTOR, "ticket closed", "#1")
        assert (await here.post("/tickets/99999999999999999999/close")).status == 404


async def test_a_dead_letter_goes_back_into_its_line() -> None:
    """What nobody could answer is work again, and who did that is written down."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        [letter] = await here.desk.stores.files.letters(9)
        answer = await here.post(f"/letters/{letter.id}/requeue")
        assert answer.headers["Location"] == "/letters?done=requeued"
        assert [lease.messages[0].message.text for lease in await here.desk.stores.inbox.lease("x")]
        assert (await here.audit())[0] == (ACTOR, "letter requeued", f"#{letter.id}")
        again = await here.post(f"/letters/{letter.id}/requeue")
        assert again.headers["Location"] == "/letters?done=not_requeued"


async def test_knowledge_is_written_changed_taken_out_and_brought_back() -> None:
    """Each step is a generation with the admin's name on it, and what people are told changes."""
    async with office() as here:
        await here.login()
        desk, entries = here.desk, here.desk.desk.knowledge.entries
        fields = {"question": "Do you ship to Norway?", "answer": "No.", "aliases": "Norway?\n\n"}
        assert (await here.post("/knowledge/new", fields)).status == 303
        [made] = await entries.all()
        assert (await entries.show(made.uid)).aliases == ("Norway?",)
        assert "No." in (await desk.say("Do you ship to Norway?", ANN)).text
        edited = fields | {"uid": made.uid, "answer": "Yes,\r\nwe do."}
        assert (await here.post("/knowledge/edit", edited)).status == 303
        assert (await entries.show(made.uid)).answer == "Yes,\nwe do."
        assert (await here.post("/knowledge/remove", {"uid": made.uid})).status == 303
        assert await entries.all() == []
        older = (await entries.generations())[1].id
        assert (await here.post(f"/knowledge/generations/{older}")).status == 303
        assert (await entries.show(made.uid)).answer == "Yes,\nwe do."
        acts = [action for actor, action, _ in await here.audit() if actor == ACTOR]
        assert acts[:4] == [
            "knowledge rolled back",
            "knowledge removed",
            "knowledge edited",
            "knowledge added",
        ]
        assert {one.by for one in await entries.history()} == {ACTOR}


async def test_what_cannot_be_written_is_told_and_changes_nothing() -> None:
    """Empty and overlong texts, unknown entries, test sets that are none."""
    async with office() as here:
        await here.login()
        asked = {"question": "Why?", "answer": "x" * 20_001}
        for path, fields in (
            ("/knowledge/new", {"question": "?!", "answer": "Yes."}),
            ("/knowledge/new", asked),
            ("/knowledge/edit", {"uid": "<b>none</b>", "question": "a", "answer": "b"}),
            ("/knowledge/remove", {}),
            ("/knowledge/measure", {"cases": "<i>no json</i>"}),
            ("/knowledge/measure", {"cases": ""}),
            ("/knowledge/generations/77", {}),
        ):
            answer = await here.post(path, fields)
            assert answer.status == 400, path
            assert "<b>" not in answer.text
            assert "<i>" not in answer.text
        assert await here.desk.desk.knowledge.entries.all() == []


async def test_a_form_may_be_so_large_and_of_one_kind_only() -> None:
    """A body that no form of ours has is refused before it is read into anything."""
    async with office() as here:
        await here.login()
        big = await here.post("/knowledge/new", {"answer": "x" * BODY_MAX})
        assert big.status == 413
        many = await here.post("/knowledge/new", {f"f{n}": "" for n in range(30)})
        assert many.status == 400
        kind = await here.request(
            "POST", "/knowledge/new", {"Origin": here.base, "Content_Type": "text/plain"}
        )
        assert kind.status == 415


async def test_a_file_is_taken_in_under_its_own_name_only() -> None:
    """A name with folders leads nowhere; the same name again takes the place of the first."""
    async with office(knowledge=KnowledgeConfig(file_max_bytes=1000)) as here:
        await here.login()
        entries = here.desk.desk.knowledge.entries
        for answer in ("Ten days.", "Nine days."):
            table = f"question,answer\nHow long does a refund take?,{answer}\n"
            made = await here.upload("../../etc/faq.csv", table.encode())
            assert made.headers["Location"] == "/knowledge?done=imported"
        [entry] = await entries.all()
        assert (entry.source, entry.answer) == ("faq.csv", "Nine days.")
        assert (await here.audit())[0][1] == "knowledge imported"
        assert (await here.upload("x.csv", b"q" * 1001)).status == 413
        assert (await here.upload("x.exe", b"MZ")).status == 400
        assert (await here.upload("x.csv", b"")).status == 400
        here.form = "0" * 64
        assert (await here.upload("x.csv", table.encode())).status == 403
        assert len(await entries.all()) == 1


async def test_conversations_are_found_by_name_and_by_text() -> None:
    """Signs that mean something to a database mean nothing here; reading one is audited."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        for wanted, found in (
            ("harpsichord", True),
            ("HARPSICHORD", True),
            ("document.title", True),
            ("%zz%", False),
            ("_", False),
            ("\\", False),
            ("nobody said this", False),
        ):
            page = await here.get(f"/conversations?q={wanted.replace('%', '%25')}")
            assert ("/conversations/1" in page.text) == found, wanted
        page = await here.get("/conversations/1")
        assert "quantum harpsichord" in page.text
        assert "Ten days." in page.text
        assert (await here.audit())[0] == (ACTOR, "conversation read", "#1")
        for number in ("999", "x", "-1", "9" * 30):
            assert (await here.get(f"/conversations/{number}")).status == 404


async def test_a_long_conversation_is_read_page_by_page() -> None:
    """Newest first, none left out and none twice."""
    async with office() as here:
        await here.desk.desk.knowledge.entries.add("ping pong?", "pong!", by="x")
        for number in range(70):
            here.desk.clock.pass_(2)  # within what one person may ask in a minute
            await here.desk.say(f"ping pong? {number:03}", ANN)
            await here.settle()
        await here.login()
        newest = (await here.get("/conversations/1")).text
        before = newest.partition("before=")[2].partition('"')[0]
        older = (await here.get(f"/conversations/1?before={before}")).text
        shown = [
            [f"{n:03}" for n in range(70) if f"ping pong? {n:03}<" in page]
            for page in (older, newest)
        ]
    assert shown[0] + shown[1] == [f"{n:03}" for n in range(70)]
    assert "before=" not in older


async def test_secrets_are_stars_in_the_settings() -> None:
    """Tokens by their type, passwords in addresses by their place."""
    telegram = TelegramConfig(
        token=Secret(f"1:{SECRET}"), api_root=f"https://bot:{SECRET}@bots.example"
    )
    slack = SlackConfig(bot_token=Secret(SECRET), signing_secret=Secret(SECRET))
    async with office(telegram=telegram, slack=slack) as here:
        await here.login()
        page = (await here.get("/settings")).text
    assert SECRET not in page
    assert "bots.example" in page
    assert "environment T" in page
    assert page.count("•••") == 4


async def test_the_overview_counts_what_the_ledger_has() -> None:
    """Requests, failures and tokens of today, as one who counts by hand would."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        rows = await here.desk.stores.ledger.rows(0, 1 << 50)
        page = (await here.get("/")).text
        asked = len([row for row in rows if row.route != "relay"])
        assert page.count(f"<dd>{asked}</dd>") == 2
        tokens = f"{sum(row.usage.total for row in rows):,}"
        assert page.count(f"<dd>{tokens}</dd>") == 2
        assert '<div class="alarm"><dt>Dead letters</dt><dd>1</dd>' in page


async def test_a_test_set_is_measured() -> None:
    """The numbers of the base, over the questions that were given."""
    async with office() as here:
        await lived_in(here)
        await here.login()
        entries = await here.desk.desk.knowledge.entries.all()
        uid = next(one.uid for one in entries if "refund" in one.title)
        case = f'{{"text": "How long does a refund take?", "rel": ["{uid}"]}}'
        page = await here.post("/knowledge/measure", {"cases": case})
        assert page.status == 200
        assert "<dt>recall@1</dt><dd>100%</dd>" in page.text
