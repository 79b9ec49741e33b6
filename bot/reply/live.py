"""A reply that grows on a screen: which message shall show what, and when. Time is an argument.

There is no queue: a frame is made of the newest text at the moment it may go, so frames that could
not go are as if they had never been. One call is in flight at a time; after `finish` only what
the finished text needs is still done, so no frame can land on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from bot.reply.actions import Action, Draft, Edit, Post, Remove, shown_hash
from bot.reply.drafting import ALWAYS, NEVER, Drafting
from bot.text.split import Splitter, thin
from bot.text.width import blank
from bot.types import Anchor, ButtonRows, Frame, Limits, MessageRef, RichText, value

CHANGE_MIN = 12
"""A frame is not worth a call for fewer new characters; a finished text always is."""

STEADY = 4
"""So many frames keep the interval before it begins to grow: most answers are over by then."""

AGAIN_SECONDS = 1.0
"""After a draft that failed; it is the next frame that matters, not this one."""


class Render(Protocol):
    """From what was written to what is shown; not `final`: the end is still open."""

    def __call__(self, text: str, *, final: bool) -> RichText:
        """The rich text."""
        ...


@value
class Words:
    """What stands where there is no text yet, or none any more."""

    placeholder: str
    more: str = "…"
    surplus: str = "—"


class _Part:
    """One message: where it is, and the hash of what it is known to show ("" unknown)."""

    __slots__ = ("ref", "shown")

    def __init__(self, ref: MessageRef | None = None, shown: str = "") -> None:
        self.ref = ref
        self.shown = shown


class LiveReply:
    """Decides; `due` gives the next call and the reports tell what came of it.

    `buttons` stand under the growing text (Stop). With `anchors` it goes on in the messages that
    an earlier attempt left; no frame until it is longer than what they may show. `removes`:
    messages can be taken off this screen. Where there are drafts, and nothing of this answer
    stands, the growing end is shown by them: no message is posted before it is full or finished.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        render: Render,
        words: Words,
        buttons: ButtonRows = (),
        anchors: Iterable[Anchor] = (),
        removes: bool = True,
    ) -> None:
        self.text = ""
        self.first_shown_at: float | None = None
        self.stands = False
        self._limits = limits
        self._render = render
        self._split = Splitter(limits.text_max, limits.measure)
        self._words = words
        self._buttons = buttons
        self._removes = removes
        anchors = [a for a in anchors if a.kind == "text" and a.ref is not None]
        self._parts = _resumed(anchors)
        self._flying = False
        self._texted = False
        self._busy_until = float("-inf")
        self._quiet_until = float("-inf")
        by_draft = limits.edits and limits.placeholder and not self._parts
        self._drafting = Drafting(limits.drafts if by_draft else None)
        self._sentence = ""
        self._interval = self._drafting.interval if self._drafting.on else limits.interval
        self._due_at = float("-inf")
        self._frame_at: float | None = None
        self._frames_shown = 0
        self._text_at: float | None = None
        self._composed = 0
        self._shown_size = sum(anchor.size or 0 for anchor in anchors)
        self._unknown = len(self._parts) if any(a.size is None for a in anchors) else 0
        self._held = bool(self._shown_size or self._unknown)
        self._midway = False
        self._waiting = not self._parts
        self._goal: tuple[Frame, ...] | None = None
        self._named: tuple[Frame | None, str] = None, ""

    # --- what the reply is ---------------------------------------------------------------

    def grow(self, delta: str, now: float) -> None:
        """More text."""
        self.text += delta
        if self._text_at is None and self.text.strip():
            self._text_at = now

    def replace(self, text: str, now: float) -> None:
        """Another text from here on; no frame until it is longer than what is shown."""
        self.text = ""
        self._held = self._shown_size > 0
        self._midway = False
        self._composed = 0
        self.grow(text, now)

    def progress(self, sentence: str) -> None:
        """What the placeholder says from now on; nothing once there is text on screen."""
        self._words = replace(self._words, placeholder=sentence)
        self._sentence = sentence

    def finish(self, text: str, buttons: ButtonRows = ()) -> None:
        """The whole text, for good. `text` must not render to nothing (see `visible`)."""
        self.text = text
        parts = self._split(self._render(text, final=True))
        last = len(parts) - 1
        self._goal = tuple(
            Frame(content=thin(part, self._limits.spans_max), buttons=buttons if i == last else ())
            for i, part in enumerate(parts)
        )

    def withdraw(self) -> None:
        """Nothing shall stand, for good: the question was taken back."""
        self._goal = ()

    def visible(self, text: str) -> bool:
        """Whether this text, finished, shows anything."""
        return not blank(self._render(text, final=True).text)

    def doubt(self) -> None:
        """What is on screen may not be what was reported: show it all again."""
        for part in self._parts:
            part.shown = ""

    @property
    def finished(self) -> bool:
        """The whole text is known; only its showing is left."""
        return self._goal is not None

    @property
    def complete(self) -> bool:
        """The whole text stands on the screen and nothing else of ours."""
        return self._goal is not None and not self._flying and self._rest() is None

    @property
    def drafting(self) -> bool:
        """The text grows, and its end is shown by drafts."""
        return self._drafting.on and self._goal is None

    @property
    def urgent(self) -> bool:
        """The next call is one that a token is kept for: the first message or a finished text."""
        return self.finished or (self._waiting and not self._parts)

    @property
    def busy_until(self) -> float:
        """No call before this time."""
        return self._busy_until

    # --- what to do ----------------------------------------------------------------------

    def due(self, now: float) -> Action | None:
        """The next call, if one may be made now. It is in flight until a report about it."""
        if self._flying or now < self._busy_until:
            return None
        action = self._rest() if self._goal is not None else self._growing(now)
        self._flying, self._due_at = action is not None, now
        self._texted = self._goal is not None or self._text_at is not None
        return action

    def next_at(self, now: float) -> float | None:
        """When `due` may have something, unless more happens first; None: not before that."""
        if self._flying:
            return None
        if self._goal is not None:
            return max(now, self._busy_until) if self._rest() else None
        if not self._limits.edits:
            return None
        if self._opening() is not None:
            return max(now, self._busy_until, self._quiet_until)
        ripe = min(self._ripe_at(), self._drafting.due_at(self._blank()))
        return None if ripe == NEVER else max(now, ripe, self._busy_until, self._quiet_until)

    def _growing(self, now: float) -> Action | None:
        """The next call while the text grows."""
        if not self._limits.edits or now < self._quiet_until:
            return None
        if opening := self._opening():
            return opening
        if now >= self._ripe_at() and (frame := self._frame()):
            return frame
        return self._drafting.due(now, self._blank(), self._thinking())

    def _opening(self) -> Action | None:
        """The placeholder, where one belongs and does not stand as it should."""
        if not self._limits.placeholder or not self._waiting or self._drafting.on:
            return None
        frame = self._placeholder(0)
        if not self._parts or self._parts[0].ref is None:
            return self._below(0) or Post(part=0, frame=frame)
        if self._parts[0].shown not in ("", shown_hash(frame)) and self._text_at is None:
            return Edit(part=0, ref=self._parts[0].ref, frame=replace(frame, final=False))
        return None

    def _blank(self) -> Draft | None:
        """The draft as long as there is no text."""
        return self._thinking() if self._text_at is None else None

    def _thinking(self) -> Draft:
        """The draft without a text: what is being done, where that was told."""
        standing = sum(1 for part in self._parts if part.ref is not None)
        return Draft(part=standing, frame=Frame(content=RichText(text=self._sentence), final=False))

    def _ripe_at(self) -> float:
        """When the text is worth a frame; NEVER: not before it has grown."""
        if self._midway:
            return ALWAYS
        least = 1 if self._drafting.on else min(CHANGE_MIN, self._composed + 1)
        if self._text_at is None or abs(len(self.text) - self._composed) < least:
            return NEVER
        if self._frame_at is not None:
            return self._frame_at + self._interval
        if len(self.text.strip()) >= self._limits.first_characters:
            return self._text_at + self._limits.burst_seconds
        return self._text_at + self._limits.first_seconds

    def _frame(self) -> Action | None:
        """The first call by which the screen differs from the text as it is now."""
        rich = self._render(self.text, final=False)
        parts = self._split(rich)
        if self._held and not self._outgrows(rich, parts):
            self._composed, self._midway = len(self.text), False
            return None
        self._held, self._unknown = False, 0
        frames = self._frames(self._padded(parts), self._buttons, final=False)
        action = self._drafted(frames) if self._drafting.on else self._first(frames)
        # A frame of several calls is carried out in one go, from the newest text each time.
        last = (action is None or isinstance(action, Draft)) or (
            action.part == len(frames) - 1
            and isinstance(action, Post | Edit)
            and action.frame == frames[-1]
        )
        self._midway = not last
        if action is not None:
            self._shown_size = len(rich.text)
        if last:
            self._composed = len(self.text)
        return action

    def _padded(self, parts: Sequence[RichText]) -> Sequence[RichText]:
        """With what messages say that the text, for now, fits without: it may need them again.

        Where there is no text to show yet the placeholder stays, and no frame is spent.
        """
        if not parts:
            return parts
        standing = max((i + 1 for i in range(len(self._parts)) if self._stands(i)), default=0)
        return [*parts, *[RichText(text=self._words.more)] * (standing - len(parts))]

    def _drafted(self, frames: tuple[Frame, ...]) -> Action | None:
        """The same where the end is shown by a draft: messages only for the parts that are full.

        Text that was too long for its messages and fits again is no draft's, then.
        """
        last = len(frames) - 1
        fits = last < 0 or self._stands(last)
        full = frames if fits else frames[:last]
        if action := self._first(full, growing=fits):
            return action
        rest = (
            self._thinking() if fits else Draft(part=last, frame=replace(frames[last], buttons=()))
        )
        return None if self._drafting.shows(rest) else rest

    def _outgrows(self, rich: RichText, parts: Sequence[RichText]) -> bool:
        """The new text is longer than what stands; what a crash left may fill its messages."""
        if self._unknown:
            return len(parts) > self._unknown
        return len(rich.text) > self._shown_size

    def _rest(self) -> Action | None:
        """The first call by which the screen differs from the finished text."""
        goal = self._goal or ()
        if self._drafting.open and all(self._stands(i) for i in range(len(goal))):
            # A draft that no message of the finished text takes away; this one goes at once.
            further = max(len(goal), len(self._parts))
            return Post(part=further, frame=self._placeholder(further))
        if action := self._first(goal):
            return action
        surplus = range(len(self._parts) - 1, len(goal) - 1, -1)
        return next((away for i in surplus if (away := self._away(i))), None)

    def _frames(
        self, parts: Sequence[RichText], buttons: ButtonRows, *, final: bool
    ) -> tuple[Frame, ...]:
        """What each message shall show; buttons stand under the last."""
        last = len(parts) - 1
        return tuple(
            Frame(
                content=thin(part, self._limits.spans_max),
                buttons=buttons if i == last else (),
                final=final,
                full=i < last,
            )
            for i, part in enumerate(parts)
        )

    def _first(self, frames: Sequence[Frame], *, growing: bool = True) -> Action | None:
        """The first call by which the screen differs from these frames; the last may be `growing`.

        A further message is opened before the one above it is cut, and no sooner: text that moves
        into it is away for as short as can be, what stands is the beginning of the text at any
        time, and no more than two messages of a long answer are empty.
        """
        by_edit = self._limits.edits and self._limits.placeholder
        i = next((n for n in range(len(frames)) if not self._stands(n)), None)
        if by_edit and i is not None:
            above = (self._towards(n, frames[n], frozen=True) for n in range(i - 1))
            filled = next((call for call in above if call), None)
            return self._below(i) or filled or Post(part=i, frame=self._placeholder(i))
        full = len(frames) - 1 if growing else len(frames)
        calls = (self._towards(i, frame, frozen=i < full) for i, frame in enumerate(frames))
        return next((call for call in calls if call), None)

    def _below(self, i: int) -> Remove | None:
        """The call that takes away what stands below a message that vanished: order is kept."""
        for part in range(len(self._parts) - 1, i, -1) if self._removes else ():
            if (ref := self._parts[part].ref) is not None:
                return Remove(part=part, ref=ref)
        return None

    def _stands(self, i: int) -> bool:
        """There is a message for this part."""
        return i < len(self._parts) and self._parts[i].ref is not None

    def _towards(self, i: int, frame: Frame, *, frozen: bool = False) -> Post | Edit | None:
        """The call that brings one part nearer to its frame."""
        part = self._parts[i] if i < len(self._parts) else _Part()
        if part.ref is None:
            return Post(part=i, frame=frame)
        if not self._limits.edits or part.shown == self._hash(frame):
            return None
        return Edit(part=i, ref=part.ref, frame=frame, frozen=frozen)

    def _hash(self, frame: Frame) -> str:
        """Its `shown_hash`; the same frame is asked for again and again until it stands."""
        if frame is not self._named[0]:
            self._named = frame, shown_hash(frame)
        return self._named[1]

    def _away(self, i: int) -> Action | None:
        """The call that takes a surplus message away, or empties it where none can be."""
        part = self._parts[i]
        if part.ref is None:
            return None
        if self._removes:
            return Remove(part=i, ref=part.ref)
        frame = Frame(content=RichText(text=self._words.surplus))
        return self._towards(i, frame) if self._limits.edits else None

    def _placeholder(self, i: int) -> Frame:
        """What stands in a message before its text."""
        begun = i or self._drafting.on or self.first_shown_at is not None
        words = self._words.more if begun else self._words.placeholder
        grows = self._goal is None and not self._drafting.on
        buttons = self._buttons if grows else ()
        return Frame(content=RichText(text=words), buttons=buttons, grows=grows)

    # --- what came of it -----------------------------------------------------------------

    def posted(self, action: Post, ref: MessageRef, now: float) -> None:
        """The message stands."""
        self._flying = False
        while len(self._parts) <= action.part:
            self._parts.append(_Part())
        self._parts[action.part] = _Part(ref, self._hash(action.frame))
        self._drafting.vanished()
        if not (self._limits.edits and self._limits.placeholder):
            self._note_shown(now, stands=True)

    def edited(self, action: Edit, now: float) -> None:
        """The message shows the frame."""
        self._flying = False
        self._parts[action.part].shown = self._hash(action.frame)
        if self._texted:
            self._note_shown(now, stands=True)

    def withheld(self, now: float) -> None:
        """Nothing of the frame can be shown before there is more text: no call was made."""
        self._flying = False
        self._quiet_until = max(self._quiet_until, now + self._limits.first_seconds)

    def drafted(self, action: Draft, now: float) -> None:
        """The draft is on the screen."""
        self._flying = False
        self._drafting.showed(action, self._due_at)
        if action.frame.content.text and self._text_at is not None:
            self._note_shown(now, stands=False)

    def removed(self, action: Remove) -> None:
        """The message is off the screen."""
        self._flying = False
        self._parts[action.part] = _Part()

    def failed(self, action: Action, now: float) -> None:
        """It may or may not have happened; a frame is made anew when the next one is due."""
        self._flying = False
        if isinstance(action, Draft):
            self._drafting.lost()
            self.pause(now + AGAIN_SECONDS)
        if isinstance(action, Edit):
            self._parts[action.part].shown = ""
            self._frame_at = now
            self._composed = 0
            self._midway = False

    def pause(self, until: float) -> None:
        """No frame before `until`; nothing was sent, and a finished text does not wait for it."""
        self._unsent()
        self._quiet_until = max(self._quiet_until, until)

    def slower(self, until: float) -> None:
        """The platform wants no draft before `until`; from then on they are rarer."""
        self.pause(until)
        self._interval = min(2 * self._interval, self._limits.interval_max)

    def undraft(self) -> None:
        """No more drafts: from here on the text grows in a message, which comes at once."""
        if self._drafting.on:
            self._unsent()
            self._drafting.on = False
            self._quiet_until = ALWAYS
            self._interval = self._limits.interval
            self._waiting = not self._parts

    def gone(self, action: Edit | Remove) -> None:
        """Its message is not there any more; a fresh one takes its place."""
        self._flying = False
        self._parts[action.part] = _Part()

    def stays(self, action: Remove) -> None:
        """The platform does not let it be taken away; it is emptied instead."""
        self._flying = self._removes = False
        self._parts[action.part].shown = ""

    def busy(self, until: float) -> None:
        """The platform wants no call before `until`; frames are rarer from now on."""
        self.wait(until)
        self._interval = min(2 * self._interval, 2 * self._limits.interval_max)

    def wait(self, until: float) -> None:
        """No call before `until`, for a reason of ours; nothing was sent."""
        self._unsent()
        self._busy_until = max(self._busy_until, until)

    def _unsent(self) -> None:
        """What was in flight is as if it had never been decided on."""
        self._flying = False
        self._composed = 0
        self._midway = False

    def _note_shown(self, now: float, *, stands: bool) -> None:
        """Text is on screen, in a message where it `stands`: the next frame keeps its distance."""
        self.stands = self.stands or stands
        if self.first_shown_at is None:
            self.first_shown_at = now
        self._frames_shown += 1
        if self._frames_shown > STEADY and not self._drafting.on:
            grown = self._interval * self._limits.growth
            self._interval = max(self._interval, min(grown, self._limits.interval_max))
        # From call to call, as paces count: a slow platform adds nothing to the interval.
        self._frame_at = self._due_at
        self._waiting = False


def _resumed(anchors: Sequence[Anchor]) -> list[_Part]:
    """The messages an earlier attempt left; only a full one is known to show what it showed."""
    parts = [_Part() for _ in range(max((a.part for a in anchors), default=-1) + 1)]
    for anchor in anchors:
        parts[anchor.part] = _Part(anchor.ref, anchor.shown if anchor.frozen else "")
    return parts
