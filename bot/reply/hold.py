"""A lease while it is worked: kept alive, asked before every byte, told of signals."""

from __future__ import annotations

from collections.abc import Callable

from bot.errors import LeaseLost, StorageError
from bot.ports import Clock, Inbox
from bot.types import Lease, Signal

RENEW_SECONDS = 10.0
"""DESIGN 6: a lease lasts 30 s and is renewed every 10."""
RETRY_SECONDS = 1.0
"""Between attempts to renew while the storage is in trouble."""


def _nobody() -> None:
    """Who is woken by a stop before anybody shows the answer."""


class Hold:
    """Holds one lease; `keep` runs beside the work and ends with it.

    `stopped`: the person wants no more of this answer, or its question was `edited` or `deleted`,
    by key; `on_stop` is called then. `anchors`: what is on screen by part, also since the lease.
    `shown`: all there is to say stands; only the settlement is left.
    `visible`: text of the answer stands there; `durable`: the whole of it is written down.
    """

    def __init__(self, lease: Lease, inbox: Inbox, clock: Clock) -> None:
        self.lease = lease
        self.stopped = False
        self.on_stop: Callable[[], None] = _nobody
        self.edited: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.anchors = {anchor.part: anchor for anchor in lease.anchors}
        self.stopped_by: list[str] = []
        self.shown = False
        self.durable = lease.answer is not None
        self.visible = any(a.kind == "text" and a.size != 0 for a in lease.anchors)
        for signal in lease.signals:
            self._take(signal)
        self._inbox = inbox
        self._clock = clock
        self._lost = False

    @property
    def taken_back(self) -> bool:
        """The question as it was is not asked any more."""
        return bool(self.edited or self.deleted)

    def guard(self) -> None:
        """Raise LeaseLost unless the lease still holds now."""
        if self._lost or self._clock.monotonic() >= self.lease.until:
            raise LeaseLost(f"epoch {self.lease.epoch} of {self.lease.conversation} has lapsed")

    async def keep(self) -> None:
        """Renew and heed signals until cancelled. Raises LeaseLost when another has taken over."""
        renew_at = self._clock.monotonic() + RENEW_SECONDS
        while True:
            wait = max(0.0, renew_at - self._clock.monotonic())
            signals = await self._heeded(wait)
            if self._clock.monotonic() >= renew_at:
                try:
                    self.lease, more = await self._inbox.renew(self.lease)
                except LeaseLost:
                    self._lost = True
                    raise
                except StorageError:
                    # The lease holds until it lapses; `guard` stops the bytes when it does.
                    renew_at = self._clock.monotonic() + RETRY_SECONDS
                else:
                    signals += more
                    renew_at = self._clock.monotonic() + RENEW_SECONDS
            for signal in signals:
                self._take(signal)

    async def _heeded(self, seconds: float) -> tuple[Signal, ...]:
        """Signals that came; while they cannot be read the answer goes on without."""
        try:
            return await self._inbox.heed(self.lease, seconds)
        except StorageError:
            await self._clock.sleep(min(seconds, RETRY_SECONDS))
            return ()

    def _take(self, signal: Signal) -> None:
        """Act on a signal that concerns this answer; a stale one is dropped."""
        keys = {received.message.key for received in self.lease.messages}
        last = self.lease.messages[-1].message.position
        match signal.kind:
            case "stop":
                named = signal.answer == self.lease.id
                later = signal.answer is None and (signal.position or 0) > last
                if named or later:
                    self._stop()
                    self.stopped_by.extend(filter(None, [signal.key]))
            case "edit" if signal.key in keys:
                self.edited[signal.key] = signal.text or ""
                self._stop()
            case "delete" if signal.key in keys:
                self.deleted.add(signal.key)
                self._stop()
            case _:
                pass

    def _stop(self) -> None:
        self.stopped = True
        self.on_stop()
