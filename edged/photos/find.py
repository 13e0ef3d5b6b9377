"""What the words of a command name: photos and videos, folders looked through."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.camera.folder import find_photos, is_photo
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".mts", ".m2ts", ".wmv", ".flv", ".ogv"}
)


@dataclass(frozen=True, slots=True)
class Found:
    """A photo or a video; or with `problem`, a folder that cannot be looked through."""

    path: Path
    problem: SourceError | None = None

    @property
    def is_video(self) -> bool:
        """By its name."""
        return is_video(self.path.name)


def is_video(name: str) -> bool:
    """Whether a file of this name is taken for a video."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122  names, not paths


def find(paths: Iterable[Path]) -> Iterator[Found]:
    """The files that are named, whatever they are, and the photos and videos below the folders that are named."""
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  Path's own raises for what it may not look at
            yield from _below(path)
        else:
            yield Found(path)


def _below(folder: Path) -> Iterator[Found]:
    closed: list[Found] = []

    def leave_out(path: Path, why: str) -> None:
        closed.append(Found(path, SourceError(f"{path}: {why}")))

    try:
        found = find_photos(folder, wanted=lambda name: is_photo(name) or is_video(name), unreadable=leave_out)
        if not found and not closed:
            raise SourceError(f"{folder}: no photos or videos in this folder")
    except SourceError as error:
        yield Found(folder, error)
    else:
        yield from map(Found, found)
        yield from closed
