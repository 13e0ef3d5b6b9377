"""One command at a time on a registry's folder, with a place for what is not served yet."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from typing import TYPE_CHECKING, Final

from edged.errors import CannotWriteError, PermissionDeniedError, RegistryError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK: Final = ".lock"
STAGING: Final = ".staging"
_SOUND: Final = "what is served is as whole as before; mend this and give the command again"


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[Path]:
    """Hold a registry; gives an empty folder beside what is served, on the same disk.

    What an interrupted command left there is taken away first.

    Raises:
        UnavailableError: another command works on it.
        RegistryError: there is no such folder.
        PermissionDeniedError, CannotWriteError: it cannot be written; what is served stays as it was.
    """
    if not folder.is_dir():
        raise RegistryError(f"{folder}: no such folder; `edged registry init {folder}` makes a registry")
    with writing(folder), (folder / LOCK).open("a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(
                f"{folder}: another command works on this registry; try again when it is done"
            ) from error
        staging = folder / STAGING
        _clear(staging)
        staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Within, the system's refusals become errors with an exit code."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or folder
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise PermissionDeniedError(f"{place}: this user may not write here; {_SOUND}") from error
        raise CannotWriteError(f"{place}: cannot be written: {error.strerror or error}; {_SOUND}") from error


def _clear(staging: Path) -> None:
    if staging.is_symlink():
        staging.unlink()
    elif os.path.lexists(staging):
        shutil.rmtree(staging)
