"""Photos of a folder, one after the other."""

from __future__ import annotations

import logging
import os
import random
from collections import deque
from pathlib import Path
from typing import Literal

from edged.camera.image_file import SUFFIXES, read_picture
from edged.camera.source import Pace, Shot, SourceEndedError
from edged.errors import BadImageError, SourceError

log = logging.getLogger(__name__)

Order = Literal["name", "time", "random"]


def find_photos(folder: Path, order: Order = "name") -> list[Path]:
    """Every photo below a folder, hidden ones left out. Raises SourceError when the folder cannot be read."""

    def give_up(error: OSError) -> None:
        raise SourceError(f"folder {error.filename or folder}: {error.strerror}")

    photos = []
    for root, folders, names in os.walk(folder, onerror=give_up):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        photos += [
            Path(root, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    if order == "time":
        photos.sort(key=_modified)
    elif order == "random":
        random.shuffle(photos)
    return photos


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it went meanwhile: the reader will say so
        return 0.0


class FolderSource:
    """Photos in order. The folder is read anew at each round, so photos may come and go.

    A photo that cannot be read is named once in the log and left out.
    """

    pace = Pace.ON_DEMAND

    def __init__(self, folder: Path, *, loop: bool = True, order: Order = "name") -> None:
        self._folder = folder
        self._loop = loop
        self._order: Order = order
        self._bad: set[Path] = set()
        self._round: deque[Path] = deque()
        self._begin_round()

    def read(self, timeout: float) -> Shot:  # noqa: ARG002  a photo is there or it is not
        """See `Source.read`."""
        unreadable = 0
        while True:
            if not self._round:
                if not self._loop:
                    raise SourceEndedError(f"folder {self._folder}: all photos shown")
                self._begin_round()
            if unreadable >= self._round_length:
                raise SourceError(f"folder {self._folder}: not one of its {unreadable} photos can be read")
            path = self._round.popleft()
            try:
                return Shot(read_picture(path), origin=path.name)
            except BadImageError as error:
                unreadable += 1
                if path not in self._bad:
                    log.warning("photo left out: %s", error)
                    self._bad.add(path)

    def close(self) -> None:
        """Nothing is held."""

    def _begin_round(self) -> None:
        self._round.extend(find_photos(self._folder, self._order))
        if not self._round:
            raise SourceError(f"folder {self._folder}: no photos in it ({', '.join(sorted(SUFFIXES))})")
        self._round_length = len(self._round)
