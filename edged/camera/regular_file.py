"""A file's bytes, whatever lies at the path: a pipe, a device or a file without end costs neither time nor memory."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from pathlib import Path

PART: Final = 64 * 1024


def read_regular_file(path: Path, most: int) -> bytes:
    """Read a whole file of at most `most` bytes.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger; `strerror` says which.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)  # a pipe would wait for its writer
    except ValueError as error:  # a NUL in the path
        raise OSError(0, str(error)) from error
    try:
        found = os.fstat(fd)
        kind = found.st_mode
        if stat.S_ISDIR(kind):
            raise OSError(0, "a folder, not a file")
        if not stat.S_ISREG(kind):
            raise OSError(0, "not a regular file but a pipe, a socket or a device")
        with open(fd, "rb", closefd=False) as file:
            data = _read(file, found.st_size, most + 1)
    finally:
        os.close(fd)
    if len(data) > most:
        raise OSError(0, f"larger than {most / 2**20:g} MB")
    return data


def _read(file: BinaryIO, size: int, most: int) -> bytes:
    """At most so many bytes. `read` takes the memory of all that it is asked for, so it is asked for what is there."""
    parts = []
    while most > 0 and (part := file.read(min(most, max(size + 1, PART)))):  # it may grow, and /proc says 0
        parts.append(part)
        most -= len(part)
    return b"".join(parts)
