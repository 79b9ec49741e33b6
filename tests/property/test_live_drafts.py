"""Drafts under whatever may come between their calls: none is left over a finished text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.reply.actions import Action, Draft
from bot.reply.live import LiveReply
from bot.text.markdown import Markdown, render
from bot.text.split import split
from bot.types import Drafts, Frame, Limits
from tests.property.test_live_adversary import DELTAS, STOP, WORDS, World, ends_exactly

LIMITS = Limits(text_max=60, interval=1.0, drafts=Drafts(interval=0.25, repeat=20.0))
PLAIN = st.sampled_from(["word ", "中文。", "🇨🇳", "\n\n", "x" * 70, "👨\u200d👩\u200d👧", "end. "])
HAPPENINGS = st.one_of(
    DELTAS.map(lambda text: ("grow", text)),
    DELTAS.map(lambda text: ("replace", text)),
    st.floats(0.01, 30.0).map(lambda seconds: ("pass", seconds)),
    st.sampled_from(["ok", "ok", "ok", "lost", "unsent", "busy", "gone", "slow", "never"]).map(
        lambda fate: ("call", fate)
    ),
    st.just(("progress", "looking")),
)


class DraftWorld(World):
    """A chat where one draft at most is seen, until a message comes or half a minute is over."""

    def __init__(self) -> None:
        super().__init__()
        self.live = LiveReply(LIMITS, render=Markdown(), words=WORDS, buttons=STOP)
        self.draft: Frame | None = None

    def carry(self, action: Action, fate: str) -> None:
        """A draft has fates of its own; all else is as ever, and a message ends the draft."""
        if not isinstance(action, Draft):
            before = len(self.messages)
            super().carry(action, fate)
            if len(self.messages) > before:
                self.draft = None
            return
        assert not self.live.finished, "a draft after the end"
        assert action.frame.buttons == ()
        assert action.part == sum(name not in self.orphans for name in self.messages)
        match fate:
            case "slow":
                self.live.slower(self.now + 2.5)
            case "never":
                self.live.undraft()
            case "unsent" | "lost" | "busy":
                if fate == "lost":
                    self.draft = action.frame
                self.live.failed(action, self.now)
            case _:
                self.draft = action.frame
                self.live.drafted(action, self.now)


@given(st.lists(HAPPENINGS, max_size=30), DELTAS, st.booleans())
def test_in_the_end_exactly_the_text_stands_and_no_draft(
    happenings: list[tuple[str, str | float]], last: str, other: bool
) -> None:
    """Whatever befell drafts and messages; the post of the end takes the last draft away."""
    world = DraftWorld()
    ends_exactly(world, happenings, last, other=other)
    assert world.draft is None, "something is seen below the end"


@given(st.lists(PLAIN, min_size=1, max_size=30).map("".join), st.integers(1, 9))
def test_messages_and_draft_together_are_the_beginning_of_the_text(text: str, step: int) -> None:
    """While it grows at its end: what stands is full, the draft shows what comes below it.

    (A table may be laid out anew as a whole; its messages change then, and the draft with them.)
    """
    world = DraftWorld()
    for at in range(0, len(text), step):
        world.live.grow(text[at : at + step], world.now)
        world.now += 0.5
        while world.call("ok"):
            pass
        if world.live.first_shown_at is None or world.draft is None:
            continue
        parts = [part.text for part in split(render(text[: at + step], final=False), 60)]
        seen = [frame.content.text for frame in world.standing()]
        assert [*seen, *filter(None, [world.draft.content.text])] == parts
