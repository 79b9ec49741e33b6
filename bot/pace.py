"""When the next call may leave: token buckets, a reserve for finals, and obedience to refusals.

Arithmetic only: time is an argument, in seconds of any one monotonic clock. A call is governed by
one or more gates, each a key (a chat, a method of a workspace) and a rate; all must agree.
"""

from __future__ import annotations

from bot.types import value

SLOW_SECONDS = 60.0
"""How long after a refusal has ended its key is still spaced out; platforms count per minute."""
SLOW_MOST = 8.0
"""However often a key is refused, its spacing grows no further than this factor."""
SPREADING_SECONDS = 5.0
"""Refusals of two different keys within this time mean that the whole account is too fast."""
IDLE_KEYS = 1024
"""Above this many buckets those that are full again are forgotten."""


@value
class Rate:
    """`burst` calls at once, then one each `every` seconds; `reserve` of the burst is for finals.

    In any closed stretch of W seconds at most `burst + W / every` calls leave. Every instance is
    a bucket of its own, even under one key.
    """

    burst: int
    every: float
    reserve: int = 1


Gate = tuple[str, Rate]


@value
class _Refusal:
    """Nothing before `until`; calls `factor` times further apart before `slow_until`."""

    until: float
    slow_until: float
    factor: float


class Pace:
    """The state of all buckets of one account.

    `shared` limits non-finals over all keys together; finals neither wait for it nor use it up.
    """

    def __init__(self, shared: Rate | None = None) -> None:
        self._shared: tuple[Gate, ...] = (("", shared),) if shared else ()
        # For each bucket the time at which it will be full again ("theoretical arrival time" of
        # the generic cell rate algorithm): exact where counting tokens would gather rounding.
        self._full_at: dict[Gate, float] = {}
        self._refusals: dict[str, _Refusal] = {}
        self._last_refusal: tuple[str, float] | None = None

    def ready(self, gates: tuple[Gate, ...], *, now: float, final: bool) -> float:
        """The earliest time at which a call through these gates may leave; `now` if at once."""
        everyone = gates if final else gates + self._shared
        return max([now, *(self._opens(gate, final=final) for gate in everyone)])

    def take(self, gates: tuple[Gate, ...], *, now: float, final: bool) -> None:
        """Note that a call leaves now; only after `ready` said so."""
        for gate in gates if final else gates + self._shared:
            key, rate = gate
            spacing = rate.every * self._factor(key, now)
            self._full_at[gate] = max(self._full_at.get(gate, now), now) + spacing
        if len(self._full_at) > IDLE_KEYS:
            self._forget(now)

    def refused(self, gates: tuple[Gate, ...], *, now: float, seconds: float) -> None:
        """The platform refused a call and named a wait: the key rests, then goes slower.

        When it ends, one final may leave; the burst fills up only from then on.
        """
        if not gates:
            return
        key = gates[0][0]
        until = max(now + seconds, self.banned_until(gates))
        factor = min(2 * self._factor(key, now), SLOW_MOST)
        self._refusals[key] = _Refusal(until=until, slow_until=until + SLOW_SECONDS, factor=factor)
        for gate in gates:
            rate = gate[1]
            drained = until + (rate.burst - 1) * rate.every
            self._full_at[gate] = max(self._full_at.get(gate, now), drained)
        self._spread(key, now)

    def banned_until(self, gates: tuple[Gate, ...]) -> float:
        """When the last refusal of any of these keys ends; minus infinity if there was none."""
        ends = [found.until for key, _ in gates if (found := self._refusals.get(key))]
        return max(ends, default=float("-inf"))

    def _opens(self, gate: Gate, *, final: bool) -> float:
        key, rate = gate
        refusal = self._refusals.get(key)
        rested = refusal.until if refusal else float("-inf")
        full_at = self._full_at.get(gate)
        if full_at is None:
            return rested
        usable = rate.burst - (0 if final else min(rate.reserve, rate.burst - 1))
        return max(rested, full_at - (usable - 1) * rate.every)

    def _factor(self, key: str, now: float) -> float:
        refusal = self._refusals.get(key)
        return refusal.factor if refusal and now < refusal.slow_until else 1.0

    def _spread(self, key: str, now: float) -> None:
        """Two keys refused shortly after one another: non-finals of all keys slow down."""
        last, self._last_refusal = self._last_refusal, (key, now)
        if last and last[0] != key and now - last[1] <= SPREADING_SECONDS:
            self._refusals[""] = _Refusal(
                until=now, slow_until=now + SLOW_SECONDS, factor=SLOW_MOST
            )

    def _forget(self, now: float) -> None:
        """Drop what makes no difference any more, so that a million chats cost no memory."""
        self._full_at = {gate: at for gate, at in self._full_at.items() if at > now}
        self._refusals = {
            key: found for key, found in self._refusals.items() if found.slow_until > now
        }
