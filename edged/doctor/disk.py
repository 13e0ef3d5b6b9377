"""The disk that the state folder is on."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from edged.doctor.check import Check
from edged.doctor.machine import STATE

if TYPE_CHECKING:
    from pathlib import Path

    from edged.doctor.machine import Machine

NAME: Final = "disk"
LITTLE_MB: Final = 500.0  # two models and what is downloaded beside them
NONE_MB: Final = 50.0


def look_at_disk(machine: Machine) -> list[Check]:
    """Whether there is room, and whether the folder may be written."""
    folder = machine.state
    place = _existing(folder)
    try:
        usage = shutil.disk_usage(place)
    except OSError as error:
        text = f"{place}: {error.strerror}"
        return [Check(NAME, "problem", text, f"let {machine.user.name} read it, or name another folder as state:")]
    if usage.total == 0:  # /proc, /sys
        text = f"{folder}: is on a file system that cannot hold files"
        return [Check(NAME, "problem", text, f"name a folder on a disk as state:, such as {STATE}")]
    checks = [room(folder, usage.free / 1e6)]
    if place == folder and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        cure = f"sudo chown -R {machine.user.name} {folder}\nor run edged as the folder's owner"
        checks.append(Check("state", "warning", f"{folder}: {machine.user.name} may not write there", cure))
    return checks


def room(folder: Path, free_mb: float) -> Check:
    """What so many free megabytes mean for the state folder."""
    text = (
        f"{free_mb / 1000:.1f} GB free for {folder}" if free_mb >= LITTLE_MB else f"{free_mb:.0f} MB free for {folder}"
    )
    cure = (
        "make room: `sudo apt clean`, `sudo journalctl --vacuum-size=100M`; `du -xh / | sort -h | tail` shows the rest"
    )
    if free_mb < NONE_MB:
        return Check(NAME, "problem", text, cure)
    return Check(NAME, "warning", text, cure) if free_mb < LITTLE_MB else Check(NAME, "ok", text)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    for place in (folder, *folder.parents):
        if os.path.isdir(place):  # noqa: PTH112  this never raises
            return place
    return folder
