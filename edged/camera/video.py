"""A video file through FFmpeg (PyAV), at its own speed or as fast as it is taken."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import av

from edged.camera.play_clock import PlayClock
from edged.camera.source import Pace, Shot, SourceEndedError
from edged.camera.video_frame import picture_of, video_in, words_of
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator
    from fractions import Fraction
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

USUAL_RATE: Final = 25  # frames per second of a file that does not say


class VideoSource:
    """Frames of a video file; in real time they come when the file says so."""

    def __init__(self, path: Path, *, loop: bool = True, realtime: bool = True) -> None:
        self._path = path
        self._loop = loop
        self.pace = Pace.LIVE if realtime else Pace.LOCK_STEP
        rate = self._open()
        self._clock = PlayClock(float(1 / rate))

    def read(self, timeout: float) -> Shot:
        """See `Source.read`."""
        frame = next(self._frames, None)
        if frame is None:
            if not self._loop:
                raise SourceEndedError(f"{self._path}: at its end")
            self.close()
            self._open()
            frame = next(self._frames, None)
            if frame is None:
                raise SourceError(f"{self._path}: no frame in it can be decoded")
            self._clock.begin_again(frame.time or 0.0)
        if self.pace is Pace.LIVE:
            time.sleep(min(self._clock.seconds_until(None if frame.pts is None else frame.time), timeout))
        return Shot(picture_of(frame))

    def close(self) -> None:
        """Close the file."""
        self._frames.close()
        self._container.close()

    def _open(self) -> Fraction | int:
        self._container, stream = open_container(self._path)
        self._frames = decode_video(self._container, stream)
        return stream.average_rate or USUAL_RATE


def open_container(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a video file and find its picture. Raises SourceError when FFmpeg finds none in it."""
    try:
        # `file:` and nothing else: a name such as `tcp:x.mp4` is a name, and a playlist may not send us elsewhere
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path}: not a video that can be read ({words_of(error)})") from error
    stream = video_in(container)
    if stream is None:
        container.close()
        raise SourceError(f"{path}: there is no video in it")
    return container, stream


def decode_video(container: InputContainer, stream: VideoStream) -> Generator[VideoFrame, None, None]:
    """The stream's frames; what cannot be decoded is left out. Raises SourceError when the file cannot be read on."""
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                log.debug("%s: a frame left out (%s)", container.name, words_of(error))
                continue
            yield from frames
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{container.name}: cannot be read further ({words_of(error)})") from error
