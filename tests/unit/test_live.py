"""When a growing reply shows what, by example. Times in seconds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from bot.reply.actions import Edit, Post, Remove, shown_hash
from bot.reply.live import LiveReply, Words
from bot.text.markdown import Markdown
from bot.types import Anchor, Button, Frame, Limits, MessageRef, Place, RichText

PLACE = Place(platform="x", account="1", channel="2")
WORDS = Words(placeholder="wait", more="more", surplus="end")
STOP = ((Button(label="Stop", action="stop:1"),),)
LIMITS = Limits(text_max=4096)


def reply(limits: Limits = LIMITS, **options: object) -> LiveReply:
    return LiveReply(limits, render=Markdown(), words=WORDS, **options)  # type: ignore[arg-type]


def ref(number: int) -> MessageRef:
    return MessageRef(place=PLACE, id=str(number))


def opened(limits: Limits = LIMITS, now: float = 0.0) -> LiveReply:
    """A reply whose placeholder stands."""
    live = reply(limits, buttons=STOP)
    post = live.due(now)
    assert isinstance(post, Post)
    live.posted(post, ref(0), now)
    return live


def edit(live: LiveReply, now: float) -> str | None:
    """The text of the edit that is due, made at once; None if none is."""
    action = live.due(now)
    if action is None:
        return None
    assert isinstance(action, Edit)
    live.edited(action, now)
    return action.frame.content.text


def test_a_placeholder_comes_first_with_its_stop_button() -> None:
    """At once, before any text, which is going to grow in it."""
    action = reply(buttons=STOP).due(0.0)
    waiting = Frame(content=RichText(text="wait"), buttons=STOP, grows=True)
    assert action == Post(part=0, frame=waiting)


def test_the_message_of_a_text_that_is_whole_already_does_not_grow() -> None:
    """Finished before anything was on screen: a placeholder, then all of it at once."""
    live = reply()
    live.finish("whole")
    action = live.due(0.0)
    assert isinstance(action, Post)
    assert not action.frame.grows


def test_first_text_at_twenty_characters_or_three_tenths() -> None:
    """Whichever comes first."""
    live = opened()
    live.grow("0123456789", 0.1)
    assert (live.due(0.39), live.next_at(0.39)) == (None, 0.4)
    live.grow("0123456789", 0.2)
    assert edit(live, 0.2) == "01234567890123456789"
    late = opened()
    late.grow("short", 1.0)
    assert (late.due(1.29), edit(late, 1.3)) == (None, "short")


def test_an_answer_that_is_there_at_one_go_takes_one_call() -> None:
    """Its first characters wait for the rest of the burst, and a stream's no longer than that."""
    live = opened(replace(LIMITS, burst_seconds=0.005))
    live.grow("0123456789" * 3, 1.0)
    assert (live.due(1.004), live.next_at(1.004)) == (None, 1.005)
    live.grow("the rest", 1.004)
    assert edit(live, 1.005) == "0123456789" * 3 + "the rest"


def test_no_frame_is_spent_on_a_text_that_shows_nothing_yet() -> None:
    """The head of a table cannot be judged: the placeholder stays, and the next words wait not."""
    live = opened()
    live.grow("| a | b | c | d | e | f |", 0.1)
    assert live.due(0.1) is None
    live.grow("\n|---|---|---|---|---|---|\n| 1 | 2 | 3 | 4 | 5 | 6 |\n", 0.2)
    assert "1" in (edit(live, 0.2) or "")


def test_frames_are_an_interval_apart_and_grow_rarer() -> None:
    """1 s for the first four, then 1.3 times as long each time, to 6 s."""
    live, times, now = opened(replace(LIMITS, text_max=99_999)), [], 0.0
    while now < 60:
        live.grow("0123456789", now)
        if edit(live, now):
            times.append(now)
        now += 0.05
    gaps = [b - a for a, b in pairwise(times)]
    assert all(1.0 <= gap < 1.1 for gap in gaps[:4])
    assert 1.3 <= gaps[4] < 1.4
    assert 6.0 <= gaps[-1] < 6.1


def test_less_than_twelve_characters_are_not_worth_a_frame() -> None:
    """But they are in the final one."""
    live = opened()
    live.grow("0123456789" * 2, 0.0)
    edit(live, 0.0)
    live.grow("x" * 11, 0.5)
    assert (live.due(9.0), live.next_at(9.0)) == (None, None)
    live.finish(live.text)
    assert edit(live, 9.0) == "0123456789" * 2 + "x" * 11


def test_a_finished_text_waits_for_nothing() -> None:
    """Not for the interval; and then all is complete."""
    live = opened()
    live.grow("0123456789" * 2, 0.0)
    edit(live, 0.0)
    live.finish("done")
    assert edit(live, 0.01) == "done"
    assert (live.complete, live.due(9.0), live.next_at(9.0)) == (True, None, None)


def test_nothing_is_sent_twice() -> None:
    """A frame that is on screen already is no call, the final one too."""
    live = reply()
    live.posted(live.due(0.0), ref(0), 0.0)  # type: ignore[arg-type]
    live.grow("0123456789" * 2, 0.0)
    edit(live, 0.0)
    live.finish("0123456789" * 2)
    assert live.complete


def test_one_call_is_in_flight() -> None:
    """The final waits for the report of the frame before it."""
    live = opened()
    live.grow("0123456789" * 2, 0.0)
    frame = live.due(0.0)
    assert isinstance(frame, Edit)
    live.finish("final")
    assert (live.due(1.0), live.complete) == (None, False)
    live.edited(frame, 1.0)
    assert edit(live, 1.0) == "final"


def test_a_full_part_is_shown_whole_and_the_text_goes_on_in_the_next() -> None:
    """The next message is opened first; then both show their parts, with no pause between."""
    live = opened(replace(LIMITS, text_max=30))
    live.grow("one two three four five. six seven eight", 0.0)
    opening = live.due(0.0)
    assert isinstance(opening, Post)
    assert (opening.part, opening.frame.content.text) == (1, "more")
    live.posted(opening, ref(1), 0.0)
    full = live.due(0.1)
    assert isinstance(full, Edit)
    text = RichText(text="one two three four five.")
    assert full.frame == Frame(content=text, final=False, full=True)
    assert (full.ref, full.frozen) == (ref(0), True)
    live.edited(full, 0.2)
    open_part = live.due(0.2)
    assert isinstance(open_part, Edit)
    assert (open_part.ref, open_part.frame.content.text) == (ref(1), "six seven eight")
    assert (open_part.frame.buttons, open_part.frozen) == (STOP, False)
    assert not open_part.frame.full


def test_text_asked_for_again_is_held_until_it_is_longer() -> None:
    """What is on screen neither shrinks nor repeats."""
    live = opened()
    live.grow("a" * 40, 0.0)
    edit(live, 0.0)
    live.replace("", 1.0)
    live.grow("b" * 39, 2.0)
    assert live.due(5.0) is None
    live.grow("b" * 20, 6.0)
    assert edit(live, 6.0) == "b" * 59


def test_a_refusal_is_obeyed_and_makes_frames_rarer() -> None:
    """No call before its time; the final neither."""
    live = opened()
    live.grow("a" * 40, 0.0)
    assert live.due(0.0)
    live.busy(30.0)
    live.finish("final")
    assert (live.due(29.9), live.next_at(1.0)) == (None, 30.0)
    assert edit(live, 30.0) == "final"


def test_a_deleted_message_is_posted_anew() -> None:
    """With a placeholder first, and the whole text after it."""
    live = opened()
    live.grow("a" * 40, 0.0)
    gone = live.due(0.0)
    assert isinstance(gone, Edit)
    live.gone(gone)
    live.finish("final")
    post = live.due(1.0)
    assert isinstance(post, Post)
    live.posted(post, ref(5), 1.0)
    action = live.due(1.0)
    assert isinstance(action, Edit)
    assert action.ref == ref(5)


def test_a_frame_of_unknown_fate_is_made_good_by_the_next() -> None:
    """Even when the final text is what may stand there already."""
    live = reply()
    live.posted(live.due(0.0), ref(0), 0.0)  # type: ignore[arg-type]
    live.grow("a" * 40, 0.0)
    edit(live, 0.0)
    live.grow("b" * 40, 2.0)
    frame = live.due(2.0)
    assert frame
    live.failed(frame, 2.0)
    live.finish("a" * 40)
    assert edit(live, 2.0) == "a" * 40


def test_after_a_crash_the_same_messages_are_edited() -> None:
    """A full part that shows what it should is left; surplus parts are removed."""
    limits = replace(LIMITS, text_max=10)
    full = shown_hash(Frame(content=RichText(text="one two")))
    anchors = (
        Anchor(part=0, ref=ref(7), frozen=True, shown=full),
        Anchor(part=1, ref=ref(8)),
        Anchor(part=2, ref=ref(9)),
    )
    live = reply(limits, anchors=anchors)
    live.finish("one two three four")
    second = live.due(0.0)
    assert isinstance(second, Edit)
    assert (second.ref, second.frame.content.text) == (ref(8), "three four")
    live.edited(second, 0.0)
    assert live.due(0.0) == Remove(part=2, ref=ref(9))


def test_a_surplus_message_that_cannot_be_removed_is_emptied() -> None:
    """Where the platform takes nothing away."""
    anchors = (Anchor(part=0, ref=ref(7)), Anchor(part=1, ref=ref(8)))
    live = reply(anchors=anchors, removes=False)
    live.finish("short")
    assert [edit(live, 0.0), edit(live, 0.0)] == ["short", "end"]
    assert live.complete


def test_a_place_without_edits_gets_one_post_at_the_end() -> None:
    """Nothing before."""
    live = reply(replace(LIMITS, edits=False, placeholder=False))
    live.grow("a" * 40, 0.0)
    assert (live.due(9.0), live.next_at(9.0)) == (None, None)
    live.finish("whole")
    post = live.due(9.0)
    assert isinstance(post, Post)
    assert post.frame.content.text == "whole"
    live.posted(post, ref(0), 9.0)
    assert live.complete


def test_a_place_without_placeholders_gets_text_at_once() -> None:
    """The console: post what there is, then edit."""
    live = reply(replace(LIMITS, placeholder=False))
    assert live.due(0.0) is None
    live.grow("a" * 40, 0.0)
    post = live.due(0.0)
    assert isinstance(post, Post)
    assert post.frame.content.text == "a" * 40


def test_progress_changes_the_placeholder_until_there_is_text() -> None:
    """And never takes text away."""
    live = opened()
    live.progress("reading")
    assert edit(live, 0.0) == "reading"
    live.grow("a" * 40, 0.0)
    live.progress("thinking")
    assert edit(live, 0.5) == "a" * 40


def test_what_was_taken_back_leaves_nothing() -> None:
    """A deleted question takes its answer along."""
    live = opened()
    live.withdraw()
    assert live.due(0.0) == Remove(part=0, ref=ref(0))


def test_in_doubt_everything_is_shown_again() -> None:
    """After another owner may have had calls under way."""
    live = opened()
    live.finish("final")
    edit(live, 0.0)
    live.doubt()
    assert (live.complete, edit(live, 0.0), live.complete) == (False, "final", True)


def test_a_long_answer_fills_its_messages_as_it_opens_them() -> None:
    """The next one stands before a message is cut, so two are empty at most; none stands in vain
    while the platform makes us wait.
    """
    live = opened(replace(LIMITS, text_max=20))
    live.finish("sentence of words. " * 12)
    shown, empty = {0: "wait"}, []
    while (action := live.due(9.0)) is not None:
        assert isinstance(action, Post | Edit)
        shown[action.part] = action.frame.content.text
        if isinstance(action, Post):
            live.posted(action, ref(action.part), 9.0)
        else:
            live.edited(action, 9.0)
        empty.append(sum(text in ("wait", "more") for text in shown.values()))
    assert (len(shown), max(empty)) == (12, 2)


def test_a_placeholder_that_vanished_comes_back_above_the_rest_of_the_answer() -> None:
    """It was deleted when a second message stood already: that one makes room first."""
    live = opened(replace(LIMITS, text_max=20))
    live.grow("sentence of words. " * 2, 1.0)
    second = live.due(1.0)
    assert isinstance(second, Post)
    live.posted(second, ref(1), 1.0)
    first = live.due(1.0)
    assert isinstance(first, Edit)
    live.gone(first)
    assert live.due(1.0) == Remove(part=1, ref=ref(1))
