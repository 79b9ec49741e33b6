"""When a growing reply shows what by drafts, by example. Times in seconds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from bot.reply.actions import Action, Draft, Edit, Post
from bot.reply.live import LiveReply, Words
from bot.text.markdown import Markdown
from bot.types import Anchor, Button, Drafts, Frame, Limits, MessageRef, Place, RichText

PLACE = Place(platform="x", account="1", channel="2")
WORDS = Words(placeholder="wait", more="more", surplus="end")
STOP = ((Button(label="Stop", action="stop:1"),),)
LIMITS = Limits(text_max=4096, drafts=Drafts(interval=0.25, repeat=20.0))


def reply(limits: Limits = LIMITS, **options: object) -> LiveReply:
    return LiveReply(limits, render=Markdown(), words=WORDS, buttons=STOP, **options)  # type: ignore[arg-type]


def ref(number: int) -> MessageRef:
    return MessageRef(place=PLACE, id=str(number))


def draft(part: int, text: str) -> Draft:
    return Draft(part=part, frame=Frame(content=RichText(text=text), final=False))


def shown(live: LiveReply, now: float) -> Action | None:
    """The call that is due, made at once."""
    action = live.due(now)
    match action:
        case Draft():
            live.drafted(action, now)
        case Post():
            live.posted(action, ref(action.part), now)
        case Edit():
            live.edited(action, now)
    return action


def opened(limits: Limits = LIMITS) -> LiveReply:
    """A reply whose empty draft is shown."""
    live = reply(limits)
    assert shown(live, 0.0) == draft(0, "")
    return live


def test_an_empty_draft_comes_first_and_no_message() -> None:
    """It has no buttons: the platform puts its own Stop below it."""
    live = opened()
    assert (live.due(1.0), live.next_at(1.0), live.drafting) == (None, 20.0, True)


def test_a_draft_is_repeated_before_it_fades() -> None:
    """The same once more after so long a silence, with text or without."""
    live = opened()
    assert shown(live, 19.9) is None
    assert shown(live, 20.0) == draft(0, "")
    live.grow("x" * 30, 21.0)
    assert shown(live, 21.0) == draft(0, "x" * 30)
    assert live.next_at(21.0) == 41.0
    assert shown(live, 41.0) == draft(0, "x" * 30)


def test_frames_are_an_interval_apart_and_grow_no_rarer() -> None:
    """The platform's pace spreads them; a few characters are worth a draft."""
    live = opened()
    times = [now / 100 for now in range(100, 1100) if _grown(live, now / 100)]
    gaps = [b - a for a, b in pairwise(times)]
    assert all(0.249 < gap < 0.261 for gap in gaps)
    assert len(gaps) > 35


def _grown(live: LiveReply, now: float) -> bool:
    live.grow("ab ", now)
    return shown(live, now) is not None


def test_a_finished_text_is_a_message_like_any_other() -> None:
    """Placeholder and edit; a draft that was due is forgotten."""
    live = opened()
    live.grow("x" * 30, 1.0)
    live.finish("x" * 30 + "!")
    assert not live.drafting
    assert shown(live, 1.0) == Post(part=0, frame=Frame(content=RichText(text="more")))
    edit = shown(live, 1.0)
    assert isinstance(edit, Edit)
    assert edit.frame.content.text == "x" * 30 + "!"
    assert (live.complete, live.next_at(1.0), live.due(100.0)) == (True, None, None)


def test_text_stands_only_once_it_is_in_a_message() -> None:
    """What a draft shows fades, so nobody may count on it."""
    live = opened()
    live.grow("x" * 30, 1.0)
    shown(live, 1.0)
    assert (live.first_shown_at, live.stands) == (1.0, False)
    live.finish("x" * 30)
    shown(live, 2.0)
    assert not live.stands
    shown(live, 2.1)
    assert live.stands


def test_a_full_part_is_a_message_before_the_draft_goes_on() -> None:
    """Without a Stop button, which the draft below it has."""
    live = opened(replace(LIMITS, text_max=30))
    live.grow("one two three four five. six seven eight", 1.0)
    assert shown(live, 1.0) == Post(part=0, frame=Frame(content=RichText(text="more")))
    full = shown(live, 1.1)
    assert isinstance(full, Edit)
    assert (full.frame.content.text, full.frozen) == ("one two three four five.", True)
    assert full.frame.buttons == ()
    assert shown(live, 1.2) == draft(1, "six seven eight")


def test_progress_is_told_in_the_draft_until_there_is_text() -> None:
    """And never takes text away."""
    live = opened()
    live.progress("reading")
    assert shown(live, 0.1) == draft(0, "reading")
    live.grow("x" * 30, 1.0)
    shown(live, 1.0)
    live.progress("thinking")
    assert (live.due(2.0), live.next_at(2.0)) == (None, 21.0)


def test_a_draft_that_failed_is_tried_again_with_the_newest_text() -> None:
    """A second later; the end does not wait for that."""
    live = opened()
    live.grow("x" * 30, 1.0)
    action = live.due(1.0)
    assert action is not None
    live.failed(action, 1.5)
    live.grow("y", 1.6)
    assert (live.due(2.4), live.next_at(1.6)) == (None, 2.5)
    assert shown(live, 2.5) == draft(0, "x" * 30 + "y")
    action = live.due(22.5)
    assert action is not None
    live.failed(action, 22.5)
    live.finish("done")
    assert isinstance(live.due(22.5), Post)


def test_a_refusal_slows_drafts_and_not_the_end() -> None:
    """None before its time, and then half as often."""
    live = opened()
    live.grow("x" * 30, 1.0)
    assert live.due(1.0) is not None
    live.slower(300.0)
    assert (live.due(299.0), live.next_at(2.0)) == (None, 300.0)
    assert shown(live, 300.0) == draft(0, "x" * 30)
    live.grow("y", 300.1)
    assert live.next_at(300.1) == 300.5
    live.slower(900.0)
    live.finish("done")
    assert isinstance(live.due(301.0), Post)


def test_where_there_are_no_drafts_after_all_the_text_grows_in_a_message() -> None:
    """With the Stop button and at the pace that edits have."""
    live = opened()
    live.grow("x" * 30, 1.0)
    assert live.due(1.0) is not None
    live.undraft()
    post = shown(live, 1.1)
    assert isinstance(post, Post)
    assert (post.frame.content.text, post.frame.buttons) == ("wait", STOP)
    edit = shown(live, 1.2)
    assert isinstance(edit, Edit)
    assert edit.frame.content.text == "x" * 30
    live.grow("y" * 30, 1.3)
    assert live.next_at(1.3) == 2.2


def test_what_stands_from_an_earlier_attempt_is_gone_on_with_by_edits() -> None:
    """A draft beside it would show the same text twice."""
    live = reply(anchors=[Anchor(part=0, ref=ref(7), size=0)])
    assert not live.drafting
    live.grow("x" * 30, 1.0)
    action = live.due(1.0)
    assert isinstance(action, Edit)
    assert action.ref == ref(7)
