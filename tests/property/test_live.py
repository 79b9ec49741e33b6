"""Whatever the rhythm and the faults: in the end the screen shows V(text), once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import hypothesis
from hypothesis import given
from hypothesis import strategies as st

from bot.reply.actions import Edit, Post, Remove
from bot.reply.live import LiveReply, Words
from bot.text.markdown import Markdown, render
from bot.text.split import split
from bot.types import Frame, Limits, MessageRef, Place

PLACE = Place(platform="x", account="1", channel="2")
LIMITS = Limits(text_max=60, interval=1.0, growth=1.3)
WORDS = Words(placeholder="…wait", more="…more", surplus="—")
TEXTS = st.lists(
    st.sampled_from(["word ", "中文。", "**b** ", "\n\n", "- item\n", "`c` ", "```\nx\n```\n"]),
    min_size=1,
    max_size=60,
).map("".join)
FATES = st.sampled_from(["ok", "ok", "ok", "ok", "lost", "unsent", "busy", "gone", "twice"])


class Screen:
    """Messages by id, and the rule that nothing may be shown after the end."""

    def __init__(self) -> None:
        self.messages: dict[str, Frame] = {}
        self.placeholders: set[str] = set()
        self.finals: set[str] = set()
        self.calls = 0

    def carry(self, live: LiveReply, fate: str, now: float) -> bool:
        """One call, if one is due; a fate that cannot befall it counts as success."""
        action = live.due(now)
        if action is None:
            return False
        assert live.due(now) is None, "one call at a time"
        self.calls += 1
        match action, fate:
            case _, "busy":
                live.busy(now + 2.5)
            case Post(), "lost":
                self.messages[f"lost{self.calls}"] = action.frame
                live.wait(now + 0.5)
            case Post(), "unsent":
                live.wait(now + 0.5)
            case Post(), _:
                ref = MessageRef(place=PLACE, id=str(self.calls))
                self.messages[ref.id] = action.frame
                live.posted(action, ref, now)
            case ((Edit() | Remove()), "gone") if action.ref.id not in self.finals:
                self.messages.pop(action.ref.id, None)
                live.gone(action)
            case Edit(), _:
                self._edit(live, action, fate, now)
            case Remove(), _:
                del self.messages[action.ref.id]
                live.removed(action)
        return True

    def _edit(self, live: LiveReply, action: Edit, fate: str, now: float) -> None:
        assert action.frame.final == live.finished, "after the end only what the end needs"
        if fate != "unsent":
            self.messages[action.ref.id] = action.frame
        if fate in ("lost", "unsent"):
            live.failed(action, now)
        else:
            live.edited(action, now)

    def texts(self) -> list[str]:
        """What stands, without placeholders whose fate was never learnt."""
        kept = (f.content.text for i, f in self.messages.items() if not i.startswith("lost"))
        return [text for text in kept if text]


def finish(live: LiveReply, screen: Screen, text: str, fates: list[str], now: float) -> None:
    """Show the whole text under these fates, then without further ones."""
    live.finish(text)
    turn = 0
    while not live.complete:
        fate = fates[turn] if turn < len(fates) else "ok"
        turn += 1
        if not screen.carry(live, fate, now):
            at = live.next_at(now)
            assert at is not None, "unfinished, yet nothing is ever due"
            assert at > now
            now = at


@given(
    TEXTS,
    st.lists(st.tuples(st.integers(1, 40), st.floats(0.0, 3.0), FATES), max_size=40),
    st.lists(FATES, max_size=6),
)
def test_the_screen_shows_v_of_the_text(
    text: str, rhythm: list[tuple[int, float, str]], fates: list[str]
) -> None:
    """Any cut of the text into deltas, any time between them, any fate of any call."""
    hypothesis.assume(render(text).text.strip())
    live, screen = LiveReply(LIMITS, render=Markdown(), words=WORDS), Screen()
    now, at = 0.0, 0
    for size, pause, fate in rhythm:
        live.grow(text[at : at + size], now)
        at, now = at + size, now + pause
        if screen.carry(live, fate, now):
            while screen.carry(live, "ok", now):
                pass
    finish(live, screen, text, fates, now)
    parts = [part.text for part in split(render(text), LIMITS.text_max)]
    assert screen.texts() == parts or sorted(screen.texts()) == sorted(parts)
    assert len(screen.texts()) == len(parts)


@given(TEXTS, TEXTS, st.lists(st.floats(0.0, 2.0), min_size=1, max_size=10))
def test_text_taken_back_never_shrinks_on_screen(
    first: str, second: str, pauses: list[float]
) -> None:
    """After Replace no frame is shorter than what stood, until the end."""
    live, screen = LiveReply(LIMITS, render=Markdown(), words=WORDS), Screen()
    now = 0.0
    live.grow(first, now)
    for pause in pauses:
        now += pause
        while screen.carry(live, "ok", now):
            pass
    stood = sum(map(len, screen.texts())) if live.first_shown_at is not None else 0
    live.replace("", now)
    for start in range(0, len(second), 5):
        live.grow(second[start : start + 5], now := now + 0.7)
        while screen.carry(live, "ok", now):
            pass
        shown = "".join(screen.texts())
        assert len(shown) + 2 * len(screen.texts()) >= stood
    hypothesis.assume(render(second).text.strip())
    finish(live, screen, second, [], now)
    parts = [part.text for part in split(render(second), LIMITS.text_max)]
    assert screen.texts() == parts


@given(TEXTS, st.integers(0, 5))
def test_a_frame_is_worth_its_call(text: str, step: int) -> None:
    """Between two edits of one message at least the interval, and it grows."""
    live, screen = (
        LiveReply(replace(LIMITS, text_max=10_000), render=Markdown(), words=WORDS),
        Screen(),
    )
    edits: list[float] = []
    now = 0.0
    for start in range(0, len(text), step + 1):
        live.grow(text[start : start + step + 1], now := now + 0.05)
        before = screen.calls
        screen.carry(live, "ok", now)
        if screen.calls > before:
            edits.append(now)
    gaps = [b - a for a, b in pairwise(edits[1:])]
    assert all(gap >= LIMITS.interval - 1e-9 for gap in gaps)
    assert all(b >= a - 1e-9 or b >= 6 for a, b in pairwise(gaps))
