"""LiveReply under whatever may come between its calls: it never stands still, nor shows a lie."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bot.reply.actions import Action, Draft, Edit, Post, Remove
from bot.reply.live import LiveReply, Words
from bot.text.markdown import Markdown, render
from bot.text.split import split
from bot.types import Button, Frame, Limits, MessageRef, Place, RichText

PLACE = Place(platform="x", account="1", channel="2")
WORDS = Words(placeholder="…wait", more="…more", surplus="—")
STOP = ((Button(label="stop", action="stop:1"),),)
VERDICT = ((Button(label="good", action="good:1"),),)
LIMITS = Limits(text_max=60, interval=1.0, growth=1.3)
PIECES = st.sampled_from(
    [
        *("word ", "中文。", "**b** ", "\n\n", "- item\n", "`c` ", "```\nx\n```\n", "```py\n"),
        *(
            "👨\u200d👩\u200d👧",
            "\u200b",
            "\u202bשלום\u202c ",
            "**加粗。**后面",
            "List<String> ",
            "🇨🇳",
        ),
        *("| a | b |\n|---|---|\n| 1 | 2 |\n", "  - deep\n    - deeper\n", "x" * 70, "\ufeff"),
    ]
)
DELTAS = st.lists(PIECES, max_size=4).map("".join)
HAPPENINGS = st.one_of(
    DELTAS.map(lambda text: ("grow", text)),
    DELTAS.map(lambda text: ("replace", text)),
    st.floats(0.01, 4.0).map(lambda seconds: ("pass", seconds)),
    st.sampled_from(["ok", "ok", "ok", "lost", "unsent", "busy", "gone"]).map(
        lambda f: ("call", f)
    ),
    st.just(("progress", "looking")),
)


class World:
    """Messages in the order in which they were posted; at most one call is under way."""

    def __init__(self) -> None:
        self.live = LiveReply(LIMITS, render=Markdown(), words=WORDS, buttons=STOP)
        self.now = 0.0
        self.messages: dict[str, Frame] = {}
        self.orphans: set[str] = set()
        self.number = 0
        self.fate = "ok"

    def happen(self, kind: str, given: str | float) -> None:
        """One thing."""
        match kind, given:
            case "grow", str():
                self.live.grow(given, self.now)
            case "replace", str():
                self.live.replace(given, self.now)
            case "progress", str():
                self.live.progress(given)
            case "pass", float():
                self.now += given
            case _, str():
                self.fate = given
        self.awake()

    def awake(self) -> None:
        """What says that it is due now has something to do, at the latest when asked again."""
        fate, self.fate = self.fate, "ok"
        if self.live.next_at(self.now) == self.now and not self.call(fate):
            at = self.live.next_at(self.now)
            assert at is None or at > self.now, "due for ever, with nothing to do"

    def call(self, fate: str) -> bool:
        """The next call, if there is one, and what becomes of it."""
        action = self.live.due(self.now)
        if action is None:
            return False
        self.number += 1
        self.carry(action, fate)
        return True

    def carry(self, action: Action, fate: str) -> None:
        """What becomes of this call."""
        match action, fate:
            case _, "busy":
                self.live.busy(self.now + 2.5)
            case Post(), "lost" | "unsent":
                if fate == "lost":
                    self.messages[f"o{self.number}"] = action.frame
                    self.orphans.add(f"o{self.number}")
                self.live.wait(self.now + 0.5)
            case Post(), _:
                ref = MessageRef(place=PLACE, id=f"m{self.number}")
                self.messages[ref.id] = action.frame
                self.live.posted(action, ref, self.now)
            case ((Edit() | Remove()), "gone"):
                self.messages.pop(action.ref.id, None)
                self.live.gone(action)
            case Edit(), _:
                assert action.ref.id in self.messages, "an edit of what is not there"
                if fate != "unsent":
                    self.messages[action.ref.id] = action.frame
                report = self.live.failed if fate in ("lost", "unsent") else self.live.edited
                report(action, self.now)
            case Remove(), _:
                del self.messages[action.ref.id]
                self.live.removed(action)
            case Draft(), _:
                raise AssertionError("there are no drafts here")

    def conclude(self, text: str) -> None:
        """The end, with no further fault."""
        self.live.finish(text, VERDICT)
        for _ in range(10_000):
            if self.live.complete:
                return
            if not self.call("ok"):
                at = self.live.next_at(self.now)
                assert at is not None, "unfinished, yet nothing is ever due"
                self.now = max(at, self.now)
        raise AssertionError("it never ends")

    def standing(self) -> list[Frame]:
        """From top to bottom, without placeholders whose fate was never learnt."""
        return [frame for name, frame in self.messages.items() if name not in self.orphans]


ROWS = "x" * 70 + "| a | b |\n|---|---|\n| 1 | 2 |\n"


@given(st.lists(HAPPENINGS, max_size=30), DELTAS, st.booleans())
@example([("grow", ""), ("grow", "x" * 70), ("call", "gone"), ("grow", "")], "", False)
@example([("grow", f"{ROWS}- item\n"), ("grow", "word " * 20)], f"{ROWS}word ", True)
def test_in_the_end_exactly_the_text_stands_in_order(
    happenings: list[tuple[str, str | float]], last: str, other: bool
) -> None:
    """Also when messages vanish, text is exchanged in the middle of a frame, or the end differs."""
    ends_exactly(World(), happenings, last, other=other)


def ends_exactly(
    world: World, happenings: list[tuple[str, str | float]], last: str, *, other: bool
) -> None:
    """Let it all happen, finish with the text and what was `last` (or an `other` text), judge."""
    for kind, given_ in happenings:
        world.happen(kind, given_)
    text = last if other else world.live.text + last
    if not world.live.visible(text):
        text += "end"
    world.conclude(text)
    parts = split(render(text), LIMITS.text_max)
    assert [frame.content.text for frame in world.standing()] == [part.text for part in parts]
    assert [frame.buttons for frame in world.standing()] == [()] * (len(parts) - 1) + [VERDICT]
    assert world.live.due(world.now + 100.0) is None, "nothing comes after the end"


@given(st.lists(PIECES, min_size=1, max_size=30).map("".join), st.integers(1, 9))
@example("| a | b |\n|---|---|\n| 1 | 2 |\n" + "x" * 140, 1)
def test_only_the_last_message_has_a_stop_button_while_it_grows(text: str, step: int) -> None:
    """And what stands above it is whole: it is not edited any more while the text only grows."""
    world = World()
    for at in range(0, len(text), step):
        world.live.grow(text[at : at + step], world.now)
        world.now += 0.5
        while world.call("ok"):
            pass
        frames = world.standing()
        assert all(frame.buttons == () for frame in frames[:-1])
        assert all(frame.content.text.strip() for frame in frames)


def test_a_message_that_vanished_comes_back_in_its_place() -> None:
    """A further part stands below it already: order goes before haste."""
    world, text = World(), "".join(f"word{i} " for i in range(22))
    world.live.grow(text, world.now)
    assert [world.call(fate) for fate in ("ok", "ok", "ok", "gone")] == [True] * 4
    world.conclude(text)
    assert "".join(frame.content.text + " " for frame in world.standing()) == text


def test_an_exchange_in_the_middle_of_a_frame_does_not_spin() -> None:
    """A stream cut between the calls of one frame once left a frame that was due for ever."""
    world = World()
    world.live.grow("word " * 10, world.now)
    while world.call("ok"):
        pass
    world.live.grow("word " * 10, world.now)
    world.now = 10.0
    assert world.call("ok")
    world.live.replace("short", world.now)
    world.awake()


def test_text_that_nobody_can_see_is_no_text() -> None:
    """Platforms refuse it as empty; so it is answered with a sentence of ours."""
    live = LiveReply(LIMITS, render=Markdown(), words=WORDS)
    for text in ("\u200b\u200d", "\ufeff \u2060", "\u2800", "\u3164\n\n\u00ad", "```\n\u200b\n```"):
        assert not live.visible(text)
        assert split(RichText(text=text.strip("`\n")), 60) == []
    assert live.visible("👍")
