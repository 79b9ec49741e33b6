"""What a run of messages asks for, and who may ask."""

import pytest

from bot.engine.language import language
from bot.engine.route import (
    QUESTION_MAX,
    Ask,
    Courtesy,
    Decline,
    Run,
    answering,
    may_answer,
    memory_of,
    role_of,
    route,
)
from bot.types import Attachment, Await, IncomingMessage, Person, PersonId, Place, Role, Sender

PLACE = Place(platform="telegram", account="1", channel="42", private=True)
WORDS = {"help", "new", "person", "stats"}


def said(text: str, *attachments: Attachment) -> IncomingMessage:
    return IncomingMessage(
        key=text,
        place=PLACE,
        sender=Sender(user="7"),
        text=text,
        said_at=0,
        position=0,
        attachments=attachments,
    )


@pytest.mark.parametrize(
    ("text", "word", "argument"),
    [
        ("/help", "help", ""),
        ("/STATS 7d", "stats", "7d"),
        ("/new@my_bot", "new", ""),
        ("/stats\n2026-01-01..2026-02-01", "stats", "2026-01-01..2026-02-01"),
        ("人工", "person", ""),
        ("转人工！", "person", ""),
        ("Talk to a human.", "person", ""),
        ("Help!", "help", ""),
        ("what can you do?", "help", ""),
        ("你能做什么？", "help", ""),
    ],
)
def test_a_command_or_a_plain_wish_runs_its_word(text: str, word: str, argument: str) -> None:
    assert route([said(text)], Role.CUSTOMER, WORDS) == Run(word=word, argument=argument)


def test_an_unknown_command_is_named_not_ignored() -> None:
    assert route([said("/frobnicate now")], Role.CUSTOMER, WORDS) == Run(
        word="", argument="frobnicate"
    )


@pytest.mark.parametrize(
    ("text", "word", "argument"),
    [
        ("lamps", "blog", "lamps"),
        ("hi", "blog", "hi"),
        ("cancel culture", "blog", "cancel culture"),
        ("help", "blog", "help"),
        ("never mind the bollocks", "blog", "never mind the bollocks"),
        ("cancel", "stop", ""),
        (" Cancel! ", "stop", ""),
        ("Never mind.", "stop", ""),
        ("/cancel", "stop", ""),
        ("/stop", "stop", ""),
        ("取消", "stop", ""),
        ("算了。", "stop", ""),
    ],
)
def test_while_a_command_waits_a_message_answers_it_or_takes_it_back(
    text: str, word: str, argument: str
) -> None:
    asked = Await(word="blog", given="", locale="en", until=1)
    step = route([said(text)], Role.CUSTOMER, {*WORDS, "stop", "blog"})
    assert may_answer(step, text)
    assert answering(asked, step, text) == Run(word=word, argument=argument)


@pytest.mark.parametrize("text", ["/help", "/blog tea", "/frobnicate", "人工", "/stop now"])
def test_another_command_is_about_itself(text: str) -> None:
    assert not may_answer(route([said(text)], Role.CUSTOMER, {*WORDS, "stop", "blog"}), text)


@pytest.mark.parametrize("text", ["/etc/passwd is missing", "1/2", "/", "what is / for?"])
def test_text_with_slashes_is_a_question(text: str) -> None:
    assert route([said(text)], Role.CUSTOMER, WORDS) == Ask(question=text)


def test_a_burst_is_one_question() -> None:
    run = [said("hi"), said("I have"), said("a question")]
    assert route(run, Role.CUSTOMER, WORDS) == Ask(question="hi\nI have\na question")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("你好！", "greeting"),
        ("Who are you?", "greeting"),
        ("Thanks!!", "thanks"),
        ("Bye", "farewell"),
        ("再见～", "farewell"),
    ],
)
def test_courtesies_need_no_search(text: str, key: str) -> None:
    assert route([said(text)], Role.CUSTOMER, WORDS) == Courtesy(key=f"courtesy.{key}")


def test_a_greeting_with_a_question_is_a_question() -> None:
    assert isinstance(route([said("hello, where is my parcel")], Role.CUSTOMER, WORDS), Ask)


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (said("  "), "decline.empty"),
        (said("", Attachment(kind="voice")), "decline.attachment"),
        (said("x" * (QUESTION_MAX + 1)), "decline.long"),
    ],
)
def test_what_cannot_be_read_is_declined_with_its_reason(
    message: IncomingMessage, key: str
) -> None:
    assert route([message], Role.CUSTOMER, WORDS) == Decline(key=key)


def test_a_block_bites_rows_already_queued() -> None:
    assert route([said("hello")], Role.BLOCKED, WORDS) == Decline(key="decline.blocked")


@pytest.mark.parametrize(
    ("admins", "user", "role"),
    [
        ({"telegram:7"}, "7", Role.ADMIN),
        ({"telegram:1/7"}, "7", Role.ADMIN),
        ({"slack:7"}, "7", Role.CUSTOMER),
        ({"telegram:77"}, "7", Role.CUSTOMER),
    ],
)
def test_admins_are_named_with_platform_and_account(
    admins: set[str], user: str, role: Role
) -> None:
    assert role_of(PLACE, user, Person(id=PersonId(1)), admins=admins, staff=None) is role


def test_an_admin_may_be_named_by_a_group_of_the_platform() -> None:
    """With its account alone: an id says nothing about another workspace."""
    anyone = Person(id=PersonId(1))
    named = {"telegram:1/S5"}
    for groups, role in ((("S4", "S5"), Role.ADMIN), (("S4",), Role.CUSTOMER)):
        found = role_of(PLACE, "7", anyone, admins=named, staff=None, groups=groups)
        assert found is role
    elsewhere = {"telegram:2/S5", "telegram:S5"}
    found = role_of(PLACE, "7", anyone, admins=elsewhere, staff=None, groups=("S5",))
    assert found is Role.CUSTOMER


def test_who_writes_in_the_staff_place_is_staff_unless_blocked() -> None:
    staff = Place(platform="telegram", account="1", channel="-100")
    topic = Place(platform="telegram", account="1", channel="-100", thread="5")
    anyone, blocked = Person(id=PersonId(1)), Person(id=PersonId(2), role=Role.BLOCKED)
    assert role_of(topic, "7", anyone, admins=(), staff=staff) is Role.STAFF
    assert role_of(topic, "7", blocked, admins=(), staff=staff) is Role.BLOCKED
    assert role_of(PLACE, "7", anyone, admins=(), staff=staff) is Role.CUSTOMER


def test_memory_is_the_person_in_private_and_the_conversation_elsewhere() -> None:
    person = Person(id=PersonId(9))
    group = Place(platform="telegram", account="1", channel="-5", thread="3")
    assert memory_of(PLACE, person) == "person:9"
    assert str(memory_of(group, person)) == group.conversation


@pytest.mark.parametrize(
    ("text", "platform", "locale"),
    [
        ("怎么退货？", "en", "zh"),
        ("How do I return it?", "zh-hans", "en"),
        ("iPhone 15 Pro Max 能分期吗", "en", "zh"),
        ("What does 你好 mean in English class", None, "en"),
        ("👍", "zh-hans", "zh"),
        ("123", None, "en"),
    ],
)
def test_the_language_is_that_of_the_text(text: str, platform: str | None, locale: str) -> None:
    assert language(text, chosen=None, platform=platform, default="") == locale
    assert language(text, chosen="zh", platform=platform, default="") == "zh"
