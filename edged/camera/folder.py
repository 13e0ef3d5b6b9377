"""Photos of a folder, one after the other."""

from __future__ import annotations

import logging
import os
import random
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edged.camera.image_file import SUFFIXES, read_picture
from edged.camera.source import Pace, Shot, SourceEndedError
from edged.errors import BadImageError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

Order = Literal["name", "time", "random"]


def is_photo(name: str) -> bool:
    """Whether a file of this name is taken for a photo."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122  100,000 names a round


def find_photos(
    folder: Path,
    order: Order = "name",
    *,
    wanted: Callable[[str], bool] = is_photo,
    unreadable: Callable[[Path, str], None] = lambda _path, _reason: None,
) -> list[Path]:
    """Every photo below a folder, hidden ones left out; links to photos count, links to folders are not followed.

    A folder below it that cannot be read is given to `unreadable`, with the reason, and left out. `wanted` says by a
    file's name whether it is one.

    Raises:
        SourceError: the folder itself cannot be read.
    """

    def leave_out(error: OSError) -> None:
        reason = error.strerror or str(error)
        if Path(error.filename) == folder:
            raise SourceError(f"folder {folder}: {reason}")
        unreadable(Path(error.filename), reason)

    photos = []
    for root, folders, names in os.walk(folder, onerror=leave_out):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        photos += [Path(root, name) for name in sorted(names) if wanted(name) and not name.startswith(".")]
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
    """Photos in order, or a single photo again and again. The folder is read anew at each round: photos come and go.

    A photo that cannot be read is named once in the log and left out.
    """

    pace = Pace.ON_DEMAND

    def __init__(self, path: Path, *, loop: bool = True, order: Order = "name") -> None:
        self._path = path
        self._loop = loop
        self._order: Order = order
        self._shown = False
        self._named: set[str] = set()
        self._round: deque[Path] = deque()
        self._begin_round()

    def read(self, timeout: float) -> Shot:  # noqa: ARG002  a photo is there or it is not
        """See `Source.read`."""
        problems: dict[Path, str] = {}
        while True:
            if not self._round:
                if self._shown and not self._loop:
                    self._name(problems.values())
                    raise SourceEndedError(f"{self._path}: all photos shown")
                self._begin_round()
                if problems.keys() >= set(self._round):
                    first = next(iter(problems.values()))
                    raise SourceError(f"{self._path}: not one of its {len(problems)} photos can be read; {first}")
            path = self._round.popleft()
            try:
                shot = Shot(read_picture(path), origin=path.name)
            except BadImageError as error:
                if os.path.lexists(path):  # else it was taken away since the round began
                    problems[path] = str(error)
            else:
                self._shown = True
                self._name(problems.values())
                return shot

    def close(self) -> None:
        """Nothing is held."""

    def _begin_round(self) -> None:
        if not os.path.exists(self._path):  # noqa: PTH110  this never raises
            raise SourceError(f"{self._path} is not there")
        if self._path.is_file():
            self._round.append(self._path)
        else:
            self._round.extend(find_photos(self._path, self._order, unreadable=self._leave_out))
        if not self._round:
            raise SourceError(f"folder {self._path}: no photos in it ({', '.join(sorted(SUFFIXES))})")

    def _leave_out(self, folder: Path, reason: str) -> None:
        self._name([f"{folder}: {reason}"])

    def _name(self, problems: Iterable[str]) -> None:
        """Say what is left out, once. Not before a photo could be read: where none can, the camera says so instead."""
        for problem in problems:
            if problem not in self._named:
                self._named.add(problem)
                log.warning("left out: %s", problem)
