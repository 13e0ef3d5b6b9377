"""Files of a registry that is a folder (a share, a USB stick): regular files, and no link is followed to them."""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from edged.errors import UnavailableError
from edged.models.http_get import RefusedError, Validators

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOME_BYTES: Final = 64 * 1024
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY  # a pipe would wait


@dataclass(frozen=True, slots=True)
class PlainFile:
    """An open file."""

    fd: int
    start: int
    kind = ""

    @property
    def validators(self) -> Validators:
        """As a web server would make them."""
        status = os.fstat(self.fd)
        return Validators(f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}")

    def read_some(self, until: float) -> bytes:
        """Some more; empty at the end. A disk is not waited for in bounded time: the system knows no way.

        Raises:
            UnavailableError: the `time.monotonic()` has passed, or the disk does not give it.
        """
        if time.monotonic() > until:
            raise UnavailableError("too slow")
        try:
            return os.read(self.fd, _SOME_BYTES)
        except OSError as error:
            raise UnavailableError(error.strerror or str(error)) from error


@contextmanager
def open_file(folder: str, path: str, offset: int) -> Iterator[PlainFile]:
    """Open what lies below a folder, from `offset` on; the folder itself may be reached by a link.

    Raises:
        RefusedError: there is no such file.
        UnavailableError: it is none that is read, or cannot be read now.
    """
    try:
        fd = _open_below(folder, path)
    except FileNotFoundError as error:
        if not os.path.isdir(folder):  # noqa: PTH112  a stick that is not there is no registry that lacks a file
            raise UnavailableError("the folder is not there (a stick or share that is not mounted?)") from error
        raise RefusedError("there is no such file", HTTPStatus.NOT_FOUND) from error
    except OSError as error:
        raise UnavailableError(f"not read: {error.strerror or error}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise UnavailableError("not a regular file but a folder, a pipe or a device")
        yield PlainFile(fd, os.lseek(fd, offset if offset <= status.st_size else 0, os.SEEK_SET))
    finally:
        os.close(fd)


def _open_below(folder: str, path: str) -> int:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    for part in path.split("/"):
        try:
            inner = os.open(part, _FLAGS, dir_fd=fd)
        except OSError as error:
            if _is_link(part, fd):
                raise OSError(error.errno, f"{part} is a symbolic link") from error
            raise
        finally:
            os.close(fd)
        fd = inner
    return fd


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
