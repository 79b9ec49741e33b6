"""Who may do what: every word for every role everywhere, limits, acts of admins in the audit."""

from __future__ import annotations

import pytest

from bot.config import AccessConfig, DeskConfig
from bot.errors import ModelError
from bot.i18n import say
from bot.types import ModelDone, ModelEvent, Role, Usage
from tests.fakes.scripted import ScriptedModel
from tests.flow.spoken import ADMIN, ANN, BOB, GROUP, STAFF, STAFF_ROOM, spoken

ADMIN_WORDS = {
    "stats",
    "digest",
    "health",
    "ban",
    "unban",
    "allow",
    "quota",
    "broadcast",
    "audit",
    "admin",
    "kb",
}
EVERYBODY = {"start", "help", "new", "history", "stop", "person", "lang", "feedback"} | {
    "continue",
    "quiet",
    "share",
    "privacy",
    "export",
    "forget",
}
SKILLS = {"blog", "code", "explain", "optimize", "product", "rewrite", "summarize", "translate"}
STAFF_WORDS = {"draft"}
ALONE = {"export", "broadcast", "audit", "admin", "digest"}
"""Words whose answer is shown in private only."""


def talks(*texts: str, tokens: int = 0) -> ScriptedModel:
    """A model that says these, each for so many tokens."""
    done = ModelDone(model="m", usage=Usage(prompt=tokens))
    scripts: list[list[str | ModelEvent | ModelError]] = [[text, done] for text in texts]
    return ScriptedModel(*scripts)


def open_desk() -> DeskConfig:
    return DeskConfig(answers="open", timezone="Asia/Kolkata")


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures: each is a process of some seconds, and none is asked about here."""
    monkeypatch.setattr("bot.stats.picture.can_draw", lambda: False)


async def test_the_matrix_knows_every_word() -> None:
    """A new command has to be put into the matrix, or this fails."""
    async with spoken() as desk:
        assert set(desk.commands.table) == ADMIN_WORDS | STAFF_WORDS | EVERYBODY | SKILLS


@pytest.mark.parametrize("platform", ["telegram", "slack", "console"])
@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("role", list(Role))
async def test_every_word_for_every_role_on_every_platform(
    role: Role, platform: str, *, private: bool
) -> None:
    """Words of admins refuse all others by name; the blocked get one sentence for everything."""
    async with spoken(access=AccessConfig(person_per_minute=0, chat_per_minute=0)) as desk:
        admin = "local" if platform == "console" else ADMIN  # whoever runs the process is one
        user = admin if role is Role.ADMIN else ANN
        if role in (Role.BLOCKED, Role.STAFF):
            await desk.say("/start", user, platform=platform)
            found = await desk.stores.directory.by_identity(platform, "1", user)
            assert found is not None
            await desk.stores.people.set_role(found.id, role)
        for word in sorted(desk.commands.table):
            channel = None if private else GROUP
            reply = await desk.say(f"/{word}", user, platform=platform, channel=channel)
            if role is Role.BLOCKED:
                assert reply.notices == ["decline.blocked"], word
                assert reply.done.outcome == "declined"
            elif word in ADMIN_WORDS and role is not Role.ADMIN:
                assert reply.notices == ["command.not_allowed"], word
                assert not reply.done.changes
            elif word in STAFF_WORDS and role is Role.CUSTOMER:
                assert reply.notices == ["command.not_allowed"], word
            elif word in ALONE and not private:
                assert reply.notices == ["access.in_private"], word
            else:
                assert "command.not_allowed" not in reply.notices, word
                assert reply.events[1:-1], f"{word} says nothing"


async def test_who_writes_in_the_staff_room_is_staff_and_no_admin() -> None:
    async with spoken() as desk:
        reply = await desk.say(f"/ban {ANN}", STAFF, channel=STAFF_ROOM)
        assert reply.notices == ["command.not_allowed"]


async def test_help_and_menu_show_to_each_role_what_it_may_use() -> None:
    async with spoken() as desk:
        assert "/ban" not in (await desk.say("/help")).text
        assert "/ban" in (await desk.say("/help", ADMIN)).text
        words = [word for word, _ in desk.commands.menu(Role.ADMIN)]
        for_all = [word for word, _ in desk.commands.menu(Role.STAFF)]
        assert words[: len(for_all)] == for_all


async def test_skills_are_shown_where_there_is_a_model_to_carry_them_out() -> None:
    """A list of words that only say why they do nothing would help nobody; typed, each says it."""
    for model in (None, ScriptedModel()):
        async with spoken(model=model) as desk:
            shown = {word for word, _ in desk.commands.menu(Role.CUSTOMER)}
            assert ({"blog", "code"} <= shown) == (model is not None)
            assert {"blog", "code"} <= desk.commands.table.keys()
            assert ("/blog" in (await desk.say("/help")).text) == (model is not None)


# --- block and let in -----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["id", "number", "name", "reply", "identity"])
async def test_a_ban_bites_at_once_however_the_person_is_named(how: str) -> None:
    async with spoken() as desk:
        await desk.say("hello", ANN, name="Ann Lee")
        found = await desk.stores.directory.by_identity("telegram", "1", ANN)
        assert found is not None
        argument = {
            "id": ANN,
            "number": f"#{found.id}",
            "name": "@ann LEE",
            "identity": f"telegram:1/{ANN}",
        }.get(how, "")
        quoted = ANN if how == "reply" else None
        banned = await desk.say(f"/ban {argument}".strip(), ADMIN, quoted_user=quoted)
        assert banned.notices == ["access.banned"]
        assert (await desk.say("hello again", ANN)).notices == ["decline.blocked"]
        assert (await desk.say(f"/unban {ANN}", ADMIN)).notices == ["access.unbanned"]
        assert (await desk.say("hello", ANN)).notices == ["courtesy.greeting"]
        assert [line.action for line in await desk.stores.audits.last(9)] == ["unban", "ban"]


WHY = "spam, again"


@pytest.mark.parametrize(
    "words",
    [
        "{id} {why}",
        "#{number} {why}",
        "#{number}: {why}",
        "#{number}\n{why}",
        "@Ann Lee {why}",
        "@Ann Lee: {why}",
        "telegram:1/{id}，{why}",
    ],
)
async def test_a_ban_may_have_a_reason_which_only_admins_see(words: str) -> None:
    """Kept with the ban, told with it, in the list and in the audit; gone when it is lifted."""
    async with spoken() as desk:
        await desk.say("hello", ANN, name="Ann Lee")
        await desk.say("hello", BOB, name="Ann")
        given = words.format(id=ANN, number=1, why=WHY)
        banned = await desk.say(f"/ban {given}", ADMIN)
        assert (
            banned.text
            == say("en", "access.banned_because", name="Ann Lee (#1)", reason=WHY) + "\n"
        )
        assert (
            await desk.say("/ban list", ADMIN)
        ).text == f"2023-11-14 22:13 · Ann Lee (#1) · {WHY}\n"
        assert f"/ban #1: {WHY}" in (await desk.say("/audit", ADMIN)).text
        assert WHY not in (await desk.say("hello again", ANN)).text
        await desk.say("/unban #1", ADMIN)
        assert (await desk.say("/ban 名单", ADMIN)).text == say("zh", "access.ban_nobody") + "\n"


async def test_in_a_reply_the_argument_is_the_reason_unless_it_names_somebody() -> None:
    async with spoken() as desk:
        await desk.say("hello", ANN, name="Ann")
        await desk.say("hello", BOB, name="Bob")
        assert (
            "Ann (#1) is kept out from now on: spam"
            in (await desk.say("/ban spam", ADMIN, quoted_user=ANN)).text
        )
        assert (
            "Bob (#2) is kept out from now on: spam"
            in (await desk.say("/ban @Bob spam", ADMIN, quoted_user=ANN)).text
        )
        mistyped = await desk.say("/ban 7777 spam", ADMIN, quoted_user=ANN)
        assert mistyped.notices == ["access.unknown_person"]


async def test_nobody_who_runs_the_desk_is_kept_out_by_another_who_does() -> None:
    """It would bite nothing, and whoever said it would believe that it does."""
    async with spoken() as desk:
        await desk.say("hello", ADMIN, platform="slack")
        refused = await desk.say("/ban #1 spam", ADMIN)
        assert refused.notices == ["access.not_them"]
        assert (await desk.say("/ban list", ADMIN)).text == say("en", "access.ban_nobody") + "\n"


async def test_before_others_the_reason_is_kept_and_not_repeated() -> None:
    async with spoken() as desk:
        await desk.say("hello", ANN, name="Ann")
        banned = await desk.say(f"/ban #1 {WHY}", ADMIN, channel=GROUP)
        assert banned.notices == ["access.banned"]
        assert WHY not in banned.text
        assert WHY in (await desk.say("/ban list", ADMIN)).text
        assert WHY in (await desk.say("/audit", ADMIN)).text


async def test_the_list_of_who_is_kept_out_is_for_no_group_and_the_newest_come_first() -> None:
    async with spoken() as desk:
        for user in (ANN, BOB):
            await desk.say("hello", user)
            await desk.say(f"/ban {user} {'x' * 999}", ADMIN)
            desk.clock.pass_(60)
        await desk.say(f"/ban {ANN} a second time", ADMIN)
        lines = (await desk.say("/ban LIST", ADMIN)).text.splitlines()
        assert [BOB in lines[0], ANN in lines[1], len(lines)] == [True, True, 2]
        assert max(map(len, lines)) < 300
        assert lines[1].endswith("a second time")
        group = await desk.say("/ban list", ADMIN, channel=GROUP)
        assert group.notices == ["access.in_private"]


async def test_a_ban_is_known_on_slack_by_the_mention_that_slack_writes() -> None:
    async with spoken() as desk:
        await desk.say("hello", "U77", platform="slack")
        banned = await desk.say("/ban <@U77|ann>", ADMIN, platform="slack")
        assert banned.notices == ["access.banned"]
        refused = await desk.say("hello", "U77", platform="slack", channel="C1")
        assert refused.notices == ["decline.blocked"]


async def test_behind_a_closed_door_an_admin_lets_in_by_name() -> None:
    async with spoken(access=AccessConfig(entry="listed", allow=frozenset({"slack:1/U2"}))) as desk:
        assert (await desk.say("hello")).notices == ["access.not_listed"]
        assert (await desk.say("hello", "U2", platform="slack")).notices == ["courtesy.greeting"]
        assert (await desk.say(f"/allow {ANN}", ADMIN)).notices == ["access.allowed"]
        assert (await desk.say("hello")).notices == ["courtesy.greeting"]
        await desk.say(f"/ban {ANN}", ADMIN)
        await desk.say(f"/unban {ANN}", ADMIN)
        assert (await desk.say("hello")).notices == ["access.not_listed"]


BAD = [
    ("/ban", "access.ban_usage"),
    ("/unban", "access.whom"),
    (f"/unban {ANN}", "access.not_banned"),
    ("/ban 424242 for spam", "access.unknown_person"),
    ("/ban @Twin for spam", "access.many_people"),
    ("/ban @nobody at all", "access.unknown_person"),
    (f"/ban {ADMIN} spam", "access.not_them"),
    ("/ban 424242", "access.unknown_person"),
    ("/ban @nobody", "access.unknown_person"),
    ("/ban #99999999999", "access.unknown_person"),
    ("/ban x'; DROP TABLE person; --", "access.unknown_person"),
    (f"/ban {ADMIN}", "access.not_them"),
    ("/ban @Twin", "access.many_people"),
    (f"/quota {ANN} -5", "access.bad_quota"),
    (f"/quota {ANN} 99999999999999999999", "access.bad_quota"),
    (f"/quota {ANN} 1.5", "access.bad_quota"),
    (f"/quota {ANN} 0", "access.bad_quota"),
    ("/quota #1 plenty of them", "access.bad_quota"),
    ("/quota #1 " + "9" * 5000, "access.bad_quota"),
    ("/quota", "access.quota_usage"),
    ("/quota 424242 5", "access.unknown_person"),
    ("/audit 100000", "access.bad_number"),
    ("/audit yesterday", "access.bad_number"),
    ("/broadcast", "access.broadcast_usage"),
    ("/broadcast send", "access.broadcast_no_code"),
    ("/broadcast send 000000", "access.broadcast_code"),
    ("/broadcast " + "x" * 10_000_000, "access.broadcast_long"),
]


@pytest.mark.parametrize(("text", "key"), BAD, ids=[text[:40] for text, _ in BAD])
async def test_bad_input_of_an_admin_is_refused_clearly_changes_nothing_and_is_audited(
    text: str, key: str
) -> None:
    async with spoken() as desk:
        for user in (ANN, BOB):
            await desk.say("hello", user, name="Twin")
        await desk.say("hello", ADMIN)
        reply = await desk.say(text, ADMIN)
        assert reply.notices == [key]
        assert len(reply.text) < 400
        [entry] = await desk.stores.audits.last(9)
        assert entry.action.endswith("refused")
        assert entry.actor == f"telegram:1/{ADMIN}"
        assert len(entry.detail) < 200
        assert {type(change).__name__ for change in reply.settlement.changes} == {"Audit"}
        await desk.say("/lang zh", ADMIN)
        shown = (await desk.say("/audit 1", ADMIN)).text
        assert "被拒绝" in shown
        assert key.partition(".")[2] not in shown


async def test_the_audit_shows_who_did_what_and_when_in_the_desk_s_time() -> None:
    desk_config = DeskConfig(timezone="Asia/Kolkata")
    async with spoken(desk=desk_config) as desk:
        await desk.say("hello", ANN)
        await desk.say(f"/quota {ANN} 5", ADMIN)
        shown = (await desk.say("/audit 5", ADMIN)).text
        assert shown.strip() == f"2023-11-15 03:43 telegram:1/{ADMIN} /quota #1 5"
        assert (await desk.say("/audit")).notices == ["command.not_allowed"]


# --- limits ---------------------------------------------------------------------------------


async def test_a_flood_is_answered_politely_and_ends_with_the_minute() -> None:
    access = AccessConfig(person_per_minute=2)
    model = talks("one", "two", "three")
    async with spoken(access=access, desk=open_desk(), model=model) as desk:
        assert (await desk.say("q1")).text == "one"
        assert (await desk.say("q2")).text == "two"
        refused = await desk.say("q3")
        assert (refused.notices, refused.done.outcome) == (["access.too_fast"], "declined")
        assert (await desk.say("/help")).notices == []
        assert (await desk.say("hello", BOB)).notices == ["courtesy.greeting"]
        desk.clock.pass_(61)
        assert (await desk.say("q4")).text == "three"


async def test_a_chat_has_a_limit_of_its_own_over_all_who_speak_there() -> None:
    access = AccessConfig(chat_per_minute=2)
    model = talks("one", "two", "three")
    async with spoken(access=access, desk=open_desk(), model=model) as desk:
        await desk.say("q1", ANN, channel=GROUP)
        await desk.say("q2", BOB, channel=GROUP)
        refused = await desk.say("q3", ANN, channel=GROUP)
        assert refused.notices == ["access.chat_too_fast"]
        assert (await desk.say("q4", ANN)).text == "three"


async def test_a_day_s_answers_end_with_the_day_of_the_desk_and_a_quota_changes_that() -> None:
    access = AccessConfig(person_per_day=1)
    model = talks("one", "two", "three")
    async with spoken(access=access, desk=open_desk(), model=model) as desk:
        await desk.say("q1")
        refused = await desk.say("q2")
        assert refused.notices == ["access.day_spent"]
        assert "2023-11-16 00:00 IST" in refused.text
        assert (await desk.say(f"/quota {ANN} 2", ADMIN)).notices == ["access.quota_set"]
        assert (await desk.say("q3")).text == "two"
        assert (await desk.say("q4")).notices == ["access.day_spent"]
        desk.clock.pass_(24 * 3600)
        assert (await desk.say("q5")).text == "three"
        await desk.say(f"/quota {ANN} default", ADMIN)
        assert "default" in (await desk.say(f"/quota {ANN}", ADMIN)).text
        assert (await desk.say("q6")).notices == ["access.day_spent"]


async def test_a_quota_is_told_in_the_admin_s_language() -> None:
    """No word of the other one, whichever word was used."""
    async with spoken(desk=open_desk()) as desk:
        await desk.say("/start")
        for word, chinese, english in (("off", "不限", "no limit"), ("默认", "默认", "default")):
            await desk.say("/lang zh", ADMIN)
            told = (await desk.say(f"/quota #1 {word}", ADMIN)).text
            shown = (await desk.say("/quota #1", ADMIN)).text
            assert chinese in told
            assert chinese in shown
            assert english not in told + shown
            await desk.say("/lang en", ADMIN)
            assert english in (await desk.say("/quota #1", ADMIN)).text


async def test_a_spent_budget_leaves_the_knowledge_base_and_says_until_when() -> None:
    access = AccessConfig(tokens_per_day=100)
    model = talks("one", "two", tokens=85)
    async with spoken(access=access, desk=open_desk(), model=model) as desk:
        await desk.say("q1")
        assert [one.means for one in model.requests] == ["full"]
        await desk.say("q2", BOB)
        assert [one.means for one in model.requests] == ["full", "thrifty"]
        saved = await desk.say("q3")
        assert len(model.requests) == 2
        assert saved.text.endswith(say("en", "access.saving", until="2023-11-16 00:00 IST"))
        assert saved.done.route == "abstained"


async def test_a_spent_budget_may_stop_the_desk_politely() -> None:
    access = AccessConfig(cost_per_day=0.001, spent="stop")
    model = talks("one", tokens=85)
    async with spoken(access=access, desk=open_desk(), model=model) as desk:
        await desk.say("q1")
        assert (await desk.say("q2", BOB)).notices == ["access.budget_spent"]
