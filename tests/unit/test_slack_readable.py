"""Slack's raw text becomes what a person reads."""

import pytest

from adapters.slack.readable import mentioned, readable
from bot.types import Sender

PEOPLE = {"U7": Sender(user="U7", name="Ann")}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("<@U0BOT> hello", "hello"),
        ("<@U0BOT|desk>: hello", "hello"),
        ("hi <@U0BOT>, you", "hi you"),
        ("ask <@U7> or <@U8>", "ask @Ann or @U8"),
        ("<@U8|bo> said", "@bo said"),
        ("in <#C1|general> and <#C2>", "in #general and #C2"),
        ("<!here> and <!subteam^S1|@staff> and <!subteam^S2>", "@here and @staff and @S2"),
        ("<!date^1392734382^{date}|today>", "today"),
        ("<https://a.b/c>", "https://a.b/c"),
        ("<http://a.b|a.b>", "http://a.b"),
        ("<https://a.b|docs>", "docs (https://a.b)"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("if a &lt; b &amp;&amp; c &gt; d", "if a < b && c > d"),
        ("&amp;lt;", "&lt;"),
        ("List&lt;String&gt;", "List<String>"),
        ("a < b", "a < b"),
        ("", ""),
    ],
)
def test_tokens_are_resolved_and_entities_decoded_once(raw: str, shown: str) -> None:
    assert readable(raw, me="U0BOT", people=PEOPLE) == shown


def test_what_a_person_typed_is_no_mention() -> None:
    """Slack escapes a typed `<@U7>`, so only real mentions count."""
    assert mentioned("&lt;@U7&gt; and <@U8> and <@W9|x>") == {"U8", "W9"}
