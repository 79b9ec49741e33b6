"""One running desk per database file, and whether the last one stopped in good order.

Only the process that writes holds the lock; readers need none. The lock is the kernel's (flock):
it falls with the process, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from bot.errors import AlreadyRunning, StorageError, StorageFull

_RUNNING = b"running "
_STOPPED = b"stopped "
_SAID = 32
"""Bytes, word and process with blanks behind: written over what is there, for which a full disk
has room, and never cut off first.
"""


class LockFile:
    """The exclusive lock `<database>.lock`. `clean`: the last holder stopped in good order."""

    def __init__(self, database: str) -> None:
        self.path = f"{database}.lock"
        self.clean = True
        self._fd: int | None = None

    def take(self) -> None:
        """Raises AlreadyRunning when another process has it, StorageError if it cannot be made."""
        see_folder(self.path)
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise no_room(self.path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            said = os.pread(fd, 64, 0)
            os.close(fd)
            raise AlreadyRunning(self._refusal(said)) from error
        # Not before it is ours: who held it a moment ago writes as it lets go.
        self._fd, self.clean = fd, not os.pread(fd, 64, 0).startswith(_RUNNING)
        try:
            self._say(_RUNNING)
        except OSError as error:
            self.let_go(clean=False)
            raise no_room(self.path, error) from error

    def let_go(self, *, clean: bool = True) -> None:
        """Release it; `clean` False leaves the mark that makes the next start check the file."""
        if self._fd is None:
            return
        if clean:
            with suppress(OSError):  # as after an unclean stop, the next start looks at the file
                self._say(_STOPPED)
        os.close(self._fd)
        self._fd = None

    def _say(self, word: bytes) -> None:
        assert self._fd is not None
        os.pwrite(self._fd, (word + str(os.getpid()).encode()).ljust(_SAID), 0)

    def _refusal(self, said: bytes) -> str:
        _, _, pid = said.decode(errors="replace").partition(" ")
        return f"another process (pid {pid.strip() or 'unknown'}) holds {self.path}"


def no_room(path: str, error: OSError) -> StorageError:
    """What it means that the system lets us not write at `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"the disk that holds {path} is full; free some space on it")
    return StorageError(f"{path} cannot be made: {error.strerror}")


def see_folder(path: str) -> None:
    """StorageError where the folder for a file is not there. It is not made: it may be mistyped, or
    on a disk that is not mounted.
    """
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise StorageError(f"the folder {folder} does not exist; make it, or correct FRONTDESK_DB")
