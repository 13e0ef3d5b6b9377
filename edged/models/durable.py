"""Files, links and folders that a power cut leaves either as they were or as they shall be, never in between.

What is written gets its name by one rename, after its bytes are on the disk; the rename is on the disk when the folder
has been synchronised too.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from edged.errors import CannotWriteError, PermissionDeniedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def writing(what: Path) -> Iterator[None]:
    """Within, the system's refusals become errors with an exit code.

    Raises:
        PermissionDeniedError: this user may not write there.
        CannotWriteError: the disk is full or read-only, or something is in the way.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or what
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise PermissionDeniedError(f"{place}: this user may not write here; {_cure(what)}") from error
        raise CannotWriteError(f"{place}: cannot be written: {error.strerror or error}") from error


def _cure(what: Path) -> str:
    """Whose the place is, so that the user can become them."""
    import pwd  # noqa: PLC0415  only for a refusal

    for place in (what, *what.parents):
        with contextlib.suppress(OSError, KeyError):
            return f"it belongs to {pwd.getpwuid(place.stat().st_uid).pw_name} (sudo -u …, or another --state)"
    return "give another folder"


def write_file(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, and wait until its bytes are on the disk. Raises OSError."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes, scratch: Path) -> None:
    """Let the file at `path` be this, in one moment. `scratch` names a file that is not there, on the same disk."""
    write_file(scratch, data)
    move(scratch, path)


def replace_link(path: Path, target: str, scratch: Path) -> None:
    """Let the symbolic link at `path` lead to `target`, in one moment. `scratch` is as for `replace_file`."""
    scratch.symlink_to(target)
    move(scratch, path)


def move(source: Path, target: Path) -> None:
    """Rename, replacing a file or link that has the name, and wait until that is on the disk. Raises OSError."""
    source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
