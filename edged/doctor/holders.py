"""Who may have an Edge TPU at this moment: to open it a second time disturbs the one that uses it."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

COMMANDS: Final = {"run", "demo"}


def holder(root: Path, nodes: Collection[Path]) -> str | None:
    """A process that has one of the devices open, or a running edged; None where /proc shows neither.

    Other users' open files are hidden from this one, their command lines are not: hence the second look.
    """
    targets = {str(node) for node in nodes}
    for folder in _processes(root / "proc"):
        if folder.name == str(os.getpid()):
            continue
        if targets & _open_files(folder):
            return f"process {folder.name} ({_name(folder)})"
        if _is_daemon(folder):
            return f"edged (process {folder.name})"
    return None


def _processes(proc: Path) -> list[Path]:
    try:
        return [folder for folder in proc.iterdir() if folder.name.isdecimal()]
    except OSError:
        return []


def _open_files(folder: Path) -> set[str]:
    files = set()
    try:
        for entry in os.scandir(folder / "fd"):
            files.add(os.readlink(entry.path))  # noqa: PTH115  thousands of them
    except OSError:  # another user's, or it has ended
        pass
    return files


def _is_daemon(folder: Path) -> bool:
    """`…/edged run`, `python …/edged run`, `python -m edged run`."""
    words = _text(folder / "cmdline").split("\0")
    return any(Path(word).name == "edged" and following in COMMANDS for word, following in pairwise(words))


def _name(folder: Path) -> str:
    return _text(folder / "comm").strip() or "unknown"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
