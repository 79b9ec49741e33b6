"""Everything that can go wrong, as one tree.

Each class answers: try again? what is said? who is told?

BotError
├─ ConfigError                         a setting is wrong; says which, and what was expected
├─ ModelError
│  ├─ ModelUnavailable    retry        network, 5xx, timeout, provider's own failure
│  ├─ ModelBusy           retry        too fast or overloaded; `retry_after` where the provider said
│  ├─ ModelRefused        alert        bad request, bad key, no money, plan ended
│  │  └─ QuotaSpent       alert        the day's or window's quota is gone; next model until then
│  ├─ ContentBlocked                   the provider's safety check; the person is told plainly
│  ├─ ReplyRetracted                   the same after text was shown: it must be taken back
│  ├─ ReplyCut            retry        the stream broke after text was shown
│  ├─ ReplyEmpty          retry        nothing visible came (reasoning only, or nothing at all)
│  └─ TooLong                          the context is exceeded: shrink once
├─ PlatformError
│  ├─ PlatformUnavailable retry        network, 5xx; `sent` tells whether bytes may have arrived
│  ├─ PlatformBusy        retry        429; `retry_after` seconds
│  ├─ MessageGone                      the edit's target is not there any more: post anew
│  ├─ PlatformRefused     alert        the call itself is wrong; retrying cannot help
│  ├─ NotWelcome                       blocked, kicked, chat gone: settle, do not retry
│  └─ PlatformLocked      alert        our credentials are refused: the adapter stops
├─ StorageError
│  ├─ StorageBusy         retry        locked by an outside tool, or the queue is full
│  ├─ StorageFull         retry, alert the disk is full: nobody is told ok
│  ├─ StorageCorrupt      alert        stop taking work, keep the file, restore
│  ├─ AlreadyRunning                   another process holds the database
│  ├─ NoDatabase                       nothing was kept yet; `path` tells where it would be
│  ├─ DeskDown                         no desk runs on this database, or it broke off
│  └─ LeaseLost                        another worker took over: drop silently
├─ KnowledgeError                      a source cannot be read; says which file, where and why
└─ UserError                           wrong arguments; `says` is for the reader
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class BotError(Exception):
    """Root of all errors that travel inside the house; edges translate library exceptions once.

    `retryable`: may the same thing succeed later? `says`: catalogue key of what the person reads.
    `alert`: must staff be told? `retry_after`: seconds the other side asked us to wait.
    """

    retryable: ClassVar[bool] = False
    says: ClassVar[str] = "error.internal"
    alert: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(detail or (type(self).__doc__ or "").partition("\n")[0])
        self.retry_after = retry_after


class ConfigError(BotError):
    """A setting is wrong; the detail names it and what was expected."""


class ModelError(BotError):
    """The language model did not answer."""

    says = "error.model"

    def __init__(
        self, detail: str = "", *, code: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.code = code


class ModelUnavailable(ModelError):
    """The model cannot be reached, or failed on its own side."""

    retryable = True


class ModelBusy(ModelError):
    """The model asks us to slow down, or is overloaded."""

    retryable = True
    says = "error.model_busy"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str = "",
        retry_after: float | None = None,
        overloaded: bool = False,
    ) -> None:
        super().__init__(detail, code=code, retry_after=retry_after)
        self.overloaded = overloaded


class ModelRefused(ModelError):
    """The model will not serve this account or request; a person must look."""

    alert = True


class QuotaSpent(ModelRefused):
    """The account's quota for this window is used up."""


class ContentBlocked(ModelError):
    """The provider's safety check refused the question or the answer."""

    says = "error.blocked"


class ReplyRetracted(ContentBlocked):
    """The safety check struck after text was shown; that text must be taken back."""

    says = "error.retracted"


class ReplyCut(ModelError):
    """The stream ended before the reply was whole, after some of it was shown."""

    retryable = True


class ReplyEmpty(ModelError):
    """The model's reply has no visible text."""

    retryable = True
    says = "error.model_empty"


class TooLong(ModelError):
    """The prompt exceeds the model's context."""

    says = "error.too_long"


class PlatformError(BotError):
    """A call to the chat platform failed."""


class PlatformUnavailable(PlatformError):
    """The platform cannot be reached. `sent`: bytes went out, so the call may have taken effect."""

    retryable = True

    def __init__(
        self, detail: str = "", *, sent: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.sent = sent


class PlatformBusy(PlatformError):
    """The platform's rate limit; wait `retry_after` seconds for this place."""

    retryable = True


class MessageGone(PlatformError):
    """The message to edit is not there any more."""


class PlatformRefused(PlatformError):
    """The platform calls our request wrong."""

    alert = True


class NotWelcome(PlatformError):
    """We may not write there: blocked, kicked, or the chat is gone."""


class PlatformLocked(PlatformError):
    """The platform refuses our credentials."""

    alert = True


class StorageError(BotError):
    """The database failed."""

    says = "error.storage"


class StorageBusy(StorageError):
    """The database is held by somebody else just now."""

    retryable = True


class StorageFull(StorageError):
    """The disk is full."""

    retryable = True
    alert = True


class StorageCorrupt(StorageError):
    """The database file is damaged; stop the desk and restore a backup."""

    alert = True


class AlreadyRunning(StorageError):
    """Another process holds this database."""


class NoDatabase(StorageError):
    """There is nothing to read yet: the first start of the desk makes the database at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no database at {path} yet; start the desk first")
        self.path = path


class DeskDown(StorageError):
    """No desk is running on this database, or it went away before it answered."""


class LeaseLost(StorageError):
    """Another worker holds the conversation now."""


class Cause(NamedTuple):
    """Why a knowledge source, or a part of it, cannot be read: a sentence of the catalogue.

    `file` and, above 0, `line` say where.
    """

    key: str
    file: str = ""
    line: int = 0
    values: tuple[tuple[str, str | int], ...] = ()


class KnowledgeError(BotError):
    """A knowledge source cannot be read; the detail names file, place and cause in English.

    With `cause` a person can be told in any language.
    """

    says = "error.knowledge"

    def __init__(self, detail: str = "", *, cause: Cause | None = None) -> None:
        super().__init__(detail)
        self.cause = cause


class UserError(BotError):
    """The person asked for something impossible; `key` and `values` say what to do instead."""

    def __init__(self, key: str, **values: str | float) -> None:
        super().__init__(key)
        self.key = key
        self.values = values
