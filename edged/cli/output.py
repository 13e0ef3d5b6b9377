"""The process's own output: streams that were closed, a reader that has gone, a disk that is full."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

CANNOT_WRITE: Final = 73  # sysexits' EX_CANTCREAT
WRITE_ERRORS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EAGAIN}


def open_standard_streams() -> None:
    """Let what was closed (`>&-`) be /dev/null: else the next socket or file gets its number, and our words."""
    while (lowest := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004  stderr's
        os.set_inheritable(lowest, True)  # noqa: FBT003  the system's own signature
    os.close(lowest)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  for the process's life
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  as above


def drop_output() -> None:
    """What could not be written is dropped: Python would try again at its exit, and complain or wait."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())
