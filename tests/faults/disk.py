"""A disk so small that a test can fill it, and can have it refuse all writing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TMPFS_BYTES: Final = 64 * 1024


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 kB of its own."""
    folder.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "edged-test", str(folder))
    try:
        yield folder
    finally:
        while folder.is_mount():
            subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607  as root, from its usual place


def make_read_only(folder: Path) -> None:
    """A file system that takes no more: as after an error on a memory card.

    Where a file of it is open for writing, that one can be written on, and nothing else.
    """
    if _try_mount("-o", "remount,ro", str(folder)):  # it is busy
        _mount("--bind", str(folder), str(folder))
        _mount("-o", "remount,ro,bind", str(folder))


def fill(folder: Path) -> None:
    """Until not one byte more fits."""
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0"):
            pass


def _mount(*arguments: str) -> None:
    why = _try_mount(*arguments)
    if why:
        pytest.skip(f"may not mount a file system here: {why}")


def _try_mount(*arguments: str) -> str:
    """Returns why not; empty where it is done."""
    mount = shutil.which("mount", path=f"{os.environ.get('PATH', '')}:/sbin:/bin")
    if mount is None:
        pytest.skip("there is no mount (apt install mount)")
    tried = subprocess.run([mount, *arguments], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or "mount says no" if tried.returncode != 0 else ""
