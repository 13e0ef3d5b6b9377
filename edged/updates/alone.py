"""One process at a time: a daemon and a command may ask the same registry for the same state folder."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from edged.errors import RegistryUnavailableError
from edged.file_lock import take
from edged.models.durable import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS: Final = 2.0
"""A look at a registry that has nothing new is over by then."""


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder, by a file beside it; the folder need not exist.

    Raises:
        RegistryUnavailableError: another process, or another thread, holds it for longer than `PATIENCE_SECONDS`.
        PermissionDeniedError, CannotWriteError: the file cannot be made.
    """
    lock = folder.with_name(f"{folder.name}.lock")
    with writing(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        if not take(fd, PATIENCE_SECONDS):
            raise RegistryUnavailableError(f"{folder}: another edged is at work on it; try again later")
        yield
    finally:
        os.close(fd)
