"""What a Telegram update means to the desk, decided from its content alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
import telegram

from adapters.telegram.normalise import TEXT_MAX, Me, normalise
from bot.ports import Intake
from bot.types import IncomingMessage
from tests.fakes.telegram import FakeTelegram
from tests.fakes.telegram.world import utf16

ME = Me(id=4242, username="desk_bot")
NOW = 1_700_000_000_000


def read(update: dict[str, Any]) -> Intake:
    return normalise(telegram.Update.de_json(update), raw=json.dumps(update), me=ME, now=NOW)


def said(fake: FakeTelegram) -> IncomingMessage:
    message = read(fake.queue[-1]).message
    assert message is not None
    return message


def in_group(text: str, **fields: Any) -> Intake:
    fake = FakeTelegram()
    fake.say(fake.group(), text, **fields)
    return read(fake.queue[-1])


def test_a_private_message_is_directed_and_has_both_keys() -> None:
    """The semantic key names chat and message, the delivery key the update."""
    fake = FakeTelegram()
    number = fake.say(fake.private(7, "Ada", "zh-hans"), "你好")
    message = said(fake)
    assert message.key == f"telegram:4242:7:{number}"
    assert message.delivery == f"telegram:4242:{fake.queue[-1]['update_id']}"
    assert (message.place.channel, message.place.private) == ("7", True)
    assert (message.sender.user, message.sender.name, message.sender.locale) == (
        "7",
        "Ada",
        "zh-hans",
    )
    assert message.directed
    assert not message.alone


def test_positions_follow_date_then_message_id() -> None:
    """Two messages of one second keep their order, and a later second comes after both."""
    fake = FakeTelegram()
    ada = fake.private()
    places = []
    for _ in range(3):
        fake.say(ada, "x")
    for index, update in enumerate(fake.queue):
        update["message"]["date"] = 1_700_000_000 + (index == 2)
        message = read(update).message
        assert message is not None
        places.append(message.position)
    assert places == sorted(set(places))
    assert places[0] == 1_700_000_000 * 1000 * 1_000_000 + 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@desk_bot help me", "help me"),
        ("@Desk_Bot: help me", "help me"),
        ("😀😀 hey @desk_bot help", "😀😀 hey help"),
        ("帮帮我 @desk_bot", "帮帮我"),
        ("/ask@desk_bot why", "/ask why"),
        ("/ask@DESK_BOT why", "/ask why"),
        ("/stats", "/stats"),
        ("@desk_bot /stats today", "/stats today"),
        ("@desk_bot", ""),
    ],
)
def test_what_names_us_in_a_group_is_directed_and_loses_the_name(text: str, expected: str) -> None:
    """Mentions are found by UTF-16 offsets, whatever the case, and taken out."""
    message = in_group(text).message
    assert message is not None
    assert message.text == expected


@pytest.mark.parametrize(
    "text",
    [
        "hello all",
        "@other_bot help",
        "/ask@other_bot why",
        "mail me at a@desk_bot.com",
        "/ask@desk",
    ],
)
def test_what_does_not_name_us_in_a_group_is_neither_message_nor_signal(text: str) -> None:
    """It does not concern us, and is no error either."""
    intake = in_group(text)
    assert (intake.message, intake.signal, intake.error) == (None, None, "")


def test_a_text_mention_names_us_by_id() -> None:
    """People without the username in view are offered our name as a link."""
    fake = FakeTelegram()
    mark = {"type": "text_mention", "offset": 3, "length": 4, "user": fake.bot}
    fake.say(fake.group(), "😀 Desk help", entities=[mark])
    assert said(fake).text == "😀 help"


def test_a_reply_to_us_is_directed_and_brings_the_quoted_text() -> None:
    """A reply to somebody else is not."""
    fake = FakeTelegram()
    group = fake.group()
    asked = fake.say(group, "@desk_bot first")
    ours = fake._posted(group, {}, fake._version(SHOWN | {"text": "Answer"}, "text", 4096, ""))
    fake.say(group, "and then?", reply_to=ours["message_id"])
    message = said(fake)
    assert (message.text, message.quoted) == ("and then?", "Answer")
    assert message.reply_to == str(ours["message_id"])
    fake.say(group, "indeed", reply_to=asked)
    assert read(fake.queue[-1]).message is None


SHOWN = {"link_preview_options": {"is_disabled": True}}


def test_a_quote_made_by_hand_is_preferred_to_the_whole_text() -> None:
    """The person marked what they mean."""
    fake = FakeTelegram()
    ada = fake.private()
    first = fake.say(ada, "long text with a detail in it")
    fake.say(ada, "this?", reply_to=first, quote={"text": "a detail", "position": 15})
    assert said(fake).quoted == "a detail"


def test_a_topic_is_a_place_of_its_own_and_a_reply_thread_is_not() -> None:
    """`message_thread_id` counts only where `is_topic_message` says so."""
    fake = FakeTelegram()
    group = fake.group(topics=(5,))
    fake.say(group, "@desk_bot a", thread=5)
    assert said(fake).place.thread == "5"
    fake.say(group, "@desk_bot b", message_thread_id=77)
    assert said(fake).place.thread is None


def test_a_message_in_a_topic_of_ours_is_not_taken_for_a_reply_to_us() -> None:
    """Everything in a topic "replies" to the note that opened it, and we may have opened it."""
    fake = FakeTelegram()
    group = fake.group(topics=(5,))
    opened = {
        "message_id": 5,
        "date": 1,
        "chat": group.json(),
        "from": fake.bot,
        "forum_topic_created": {"name": "t", "icon_color": 1},
    }
    fake.say(group, "hello", thread=5, reply_to_message=opened)
    assert read(fake.queue[-1]).message is None


@pytest.mark.parametrize(
    "word", ["/stop", "/STOP", "/stop@desk_bot now", "@desk_bot Stop!", "@desk_bot 停止。"]
)
def test_stop_is_a_signal_and_a_message(word: str) -> None:
    """The signal reaches the running answer; the message has its own outcome.

    What stands on the button may be typed as well, with no slash.
    """
    intake = in_group(word)
    assert intake.signal is not None
    assert intake.message is not None
    assert intake.signal.kind == "stop"
    assert intake.signal.position == intake.message.position
    assert intake.message.alone


@pytest.mark.parametrize("text", ["stop sending me mails", "停止发货怎么办", "how do I stop it?"])
def test_a_question_with_the_word_in_it_stops_nothing(text: str) -> None:
    fake = FakeTelegram()
    fake.say(fake.private(), text)
    intake = read(fake.queue[-1])
    assert (intake.signal, said(fake).text, said(fake).alone) == (None, text, False)


def test_a_path_is_no_command() -> None:
    """/usr/bin is a question about a path."""
    fake = FakeTelegram()
    fake.say(fake.private(), "/usr/bin is full")
    assert not said(fake).alone


def pressed(fake: FakeTelegram, action: str) -> Intake:
    ada = fake.private()
    markup = {"inline_keyboard": [[{"text": "b", "callback_data": action}]]}
    params = SHOWN | {"text": "x", "reply_markup": markup}
    ours = fake._posted(ada, {}, fake._version(params, "text", 4096, ""))
    fake.press(ada, ours["message_id"], "b")
    return read(fake.queue[-1])


def test_a_stop_button_names_its_answer() -> None:
    """It acts at once and is no message."""
    intake = pressed(FakeTelegram(), "stop:77")
    assert intake.message is None
    assert intake.signal is not None
    assert (intake.signal.kind, intake.signal.answer) == ("stop", 77)


@pytest.mark.parametrize("action", ["fb:7:u", "stop:", "stop:x", "stop:-1"])
def test_any_other_button_is_a_message_of_its_own(action: str) -> None:
    """Keyed by the press, so that pressing twice is two presses and a redelivery is none."""
    message = pressed(FakeTelegram(), action).message
    assert message is not None
    assert (message.text, message.alone) == (action, True)
    assert message.key == "telegram:4242:press:press1"


def test_an_edit_is_a_signal_with_the_key_of_the_message() -> None:
    """The new text, mention stripped, for whoever works on that message."""
    fake = FakeTelegram()
    ada = fake.private()
    number = fake.say(ada, "helo")
    key = said(fake).key
    fake.edit_said(ada, number, "hello")
    intake = read(fake.queue[-1])
    assert intake.message is None
    assert intake.signal is not None
    assert (intake.signal.kind, intake.signal.key, intake.signal.text) == ("edit", key, "hello")


def test_being_blocked_is_a_signal() -> None:
    """The status goes with it."""
    fake = FakeTelegram()
    fake.membership(fake.private(), "kicked")
    signal = read(fake.queue[-1]).signal
    assert signal is not None
    assert (signal.kind, signal.text) == ("membership", "kicked")


@pytest.mark.parametrize(
    "fields",
    [
        {"from": {"id": 5, "is_bot": True, "first_name": "b"}},
        {"sender_chat": {"id": -100, "type": "channel", "title": "c"}},
        {"is_automatic_forward": True},
    ],
)
def test_bots_and_channels_are_not_people(fields: dict[str, Any]) -> None:
    """Two bots must not talk to each other for ever."""
    fake = FakeTelegram()
    fake.say(fake.group(), "@desk_bot hi", **fields)
    assert read(fake.queue[-1]).message is None


def test_service_messages_are_ignored() -> None:
    """Somebody joined, something was pinned: nobody said anything."""
    fake = FakeTelegram()
    fake.say(fake.private(), None, new_chat_title="t")
    intake = read(fake.queue[-1])
    assert (intake.message, intake.signal, intake.error) == (None, None, "")


FILE = {"file_id": "f", "file_unique_id": "u", "file_size": 9}


@pytest.mark.parametrize(
    ("fields", "kind", "name"),
    [
        ({"document": FILE | {"file_name": "a\u202e.txt"}}, "document", "a.txt"),
        ({"voice": FILE | {"duration": 3}}, "voice", ""),
        ({"video_note": FILE | {"duration": 3, "length": 9}}, "video", ""),
        ({"photo": [FILE | {"width": 1, "height": 1}]}, "photo", ""),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, "other", ""),
    ],
)
def test_files_come_as_attachments(fields: dict[str, Any], kind: str, name: str) -> None:
    """With their caption as the text, if there is one."""
    fake = FakeTelegram()
    fake.say(fake.private(), None, caption="see", **fields)
    message = said(fake)
    assert message.text == "see"
    assert [(a.kind, a.name) for a in message.attachments] == [(kind, name)]


def test_what_cannot_be_seen_is_taken_out() -> None:
    """Controls and direction overrides go; joiners of emoji and scripts stay."""
    fake = FakeTelegram()
    fake.say(fake.private(), "a\x00b\u202ec\u2066d\ufeff\r\ne 👨\u200d👩\u200d👧 \u06cc\u200c")
    assert said(fake).text == "abcd\ne 👨\u200d👩\u200d👧 \u06cc\u200c"


def test_an_impossible_length_is_cut() -> None:
    """No text can fill the memory, wherever it comes from."""
    fake = FakeTelegram()
    fake.say(fake.private(), "x" * 1_000_000)
    assert len(said(fake).text) == TEXT_MAX


@pytest.mark.parametrize(("offset", "length"), [(-4, 2), (0, 10**9), (10**9, 1), (3, -1), (1, 9)])
def test_a_mention_outside_of_the_text_is_no_mention(offset: int, length: int) -> None:
    """Offsets come from outside and are believed only where they fit."""
    fake = FakeTelegram()
    mark = {"type": "mention", "offset": offset, "length": length}
    fake.say(fake.group(), "😀 text", entities=[mark])
    assert read(fake.queue[-1]).message is None
    assert utf16("😀") == 2


@pytest.mark.parametrize(
    ("text", "caption", "kind", "taken"),
    [
        ("/summarize", None, "document", True),
        ("/summarize", "the minutes", "document", True),
        ("what is this?", None, "document", False),
        ("/summarize", None, "photo", True),
        ("/summarize", "the minutes", "photo", False),
    ],
)
def test_a_command_is_about_the_file_that_it_replies_to(
    text: str, caption: str | None, kind: str, taken: bool
) -> None:
    fake = FakeTelegram()
    ada = fake.private()
    file: Any = {"file_id": "f1", "file_unique_id": "u", "width": 1, "height": 1}
    replied = {"message_id": 1, "date": 1, "chat": ada.json(), "caption": caption}
    replied[kind] = [file] if kind == "photo" else file
    fake.say(ada, text, reply_to_message=replied)
    assert [one.id for one in said(fake).attachments] == (["f1"] if taken else [])
