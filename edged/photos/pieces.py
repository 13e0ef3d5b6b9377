"""What is labelled of each file: a photo as a whole, a video at every so many seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from edged.errors import EdgedError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from edged.camera.picture import Picture
    from edged.photos.find import Found


@dataclass(frozen=True, slots=True)
class Piece:
    """One picture to label.

    Attributes:
        number: of its file, counted from 0; the pieces of a video have the same.
        file: where it comes from.
        at: seconds from the video's beginning; None for a photo.
        source: the picture, the file that it is to be read from, or why there is none.
    """

    number: int
    file: Path
    at: float | None
    source: Path | Picture | EdgedError

    def picture(self) -> Path | Picture:
        """What is to be labelled. Raises what is wrong with it."""
        if isinstance(self.source, EdgedError):
            raise self.source
        return self.source


def pieces(files: Iterable[Found], every: float) -> Iterator[Piece]:
    """All pieces of all files; of a video one every `every` seconds. A video is decoded as its pieces are taken."""
    for number, found in enumerate(files):
        if found.problem is not None:
            yield Piece(number, found.path, None, found.problem)
        elif found.is_video:
            yield from _video(number, found.path, every)
        else:
            yield Piece(number, found.path, None, found.path)


def _video(number: int, path: Path, every: float) -> Iterator[Piece]:
    at = None
    try:
        for at, picture in _frames(path, every):
            yield Piece(number, path, at, picture)
        if at is None:
            raise SourceError(f"{path}: no frame in it can be decoded")
    except SourceError as error:
        yield Piece(number, path, at, error)


def _frames(path: Path, every: float) -> Iterator[tuple[float, Picture]]:
    """The first frame, and the first at or after each multiple of `every` seconds. Raises SourceError."""
    from edged.camera.video import USUAL_RATE, decode_video, open_container  # noqa: PLC0415  FFmpeg takes 20 MB
    from edged.camera.video_frame import picture_of  # noqa: PLC0415  as above

    if not os.path.isfile(path):  # noqa: PTH113  it never raises
        there = "not a regular file" if os.path.lexists(path) else "No such file or directory"
        raise SourceError(f"{path}: {there}")
    container, stream = open_container(path)
    with container:
        rate = float(stream.average_rate or USUAL_RATE)
        begin, due = None, 0.0
        for count, frame in enumerate(decode_video(container, stream)):
            time = count / rate if frame.pts is None or frame.time is None else frame.time
            begin = time if begin is None else begin
            at = time - begin
            if at >= due - 0.5 / rate:  # a frame's time is not an exact multiple
                yield at, picture_of(frame)
                due = every * (floor(max(at, due) / every + 1e-6) + 1)
