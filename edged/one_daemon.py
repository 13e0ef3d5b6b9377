"""One daemon a state folder: a second one would send its events twice and change its models behind its back."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.errors import ConfigError
from edged.file_lock import take
from edged.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK: Final = "daemon.lock"
PATIENCE_SECONDS: Final = 1.0
"""For one that was just killed: its memory is given back before its locks are."""
_MOST_WORDS: Final = 200

log = logging.getLogger(__name__)


@contextlib.contextmanager
def one_daemon(state: Path) -> Iterator[None]:
    """Within, no other process gets in here for the same folder. The kernel lets go when this one dies, however.

    A folder that cannot be written is none to be held: the daemon labels all the same.

    Raises:
        ConfigError: another process holds it; says which.
    """
    path = state / LOCK
    lock = _open(path)
    if lock is None:
        yield
        return
    try:
        _take(lock, state)
        _sign(path)
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int | None:
    """For reading alone: a disk on which nothing else is written can be made read-only meanwhile."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    for more in (os.O_CREAT, 0):  # a disk that takes no more may have it already
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags | more, 0o644)
        except OSError as error:
            log.debug("%s: %s", path, error)
    return None


def _sign(path: Path) -> None:
    """Say in the file who holds it, as far as it can be written: another user's cannot, nor can a full disk."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "wb") as file:  # noqa: PTH123  a path would be opened anew, through a link too
            file.write(f"{os.getpid()}\n".encode())


def _take(lock: int, state: Path) -> None:
    try:
        taken = take(lock, PATIENCE_SECONDS)
    except OSError as error:  # a network's file system without locks
        log.debug("%s: cannot be locked: %s", state, error)
        return
    if not taken:
        raise ConfigError(
            f"state: {state}: is in use by {_holder(lock)}; one daemon a state folder:"
            " end that one, or give this one another folder (state: …)"
        )


def _holder(lock: int) -> str:
    """The process in words, as far as it can be known."""
    try:
        number = int(os.pread(lock, 20, 0))
        words = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (OSError, ValueError):
        return "another edged"
    return f"process {number} ({printable(words[:_MOST_WORDS])})"
