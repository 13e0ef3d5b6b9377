"""A video file through FFmpeg (PyAV), at its own speed or as fast as it is taken."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from edged.camera.picture import Matrix, PackedPicture, Picture, TurnedPicture, YuvPicture
from edged.camera.source import Pace, Shot, SourceEndedError
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from edged.camera.geometry import Rotation
    from edged.camera.pixels import Pixels

log = logging.getLogger(__name__)

BEHIND_SECONDS = 1.0  # a player that is later than this (slow decoder, machine asleep) goes on from where it is
AHEAD_SECONDS = 60.0  # a frame that is due later than this comes after a jump in the file's clock
USUAL_RATE = 25  # frames per second of a file that does not say
HD_HEIGHT = 720  # untagged video of this height and more is BT.709 by convention (ITU-R BT.709 is HD's)

_PLANAR = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
_INTERLEAVED = {"nv12": False, "nv21": True}
_TURNS: Final[dict[int, Rotation]] = {90: 90, 180: 180, 270: 270}
_BT709 = 1  # AVCOL_SPC_BT709, ITU-T H.273
_UNSPECIFIED = 2
_COVER = 0x400  # AV_DISPOSITION_ATTACHED_PIC: the cover of a piece of music
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


class VideoSource:
    """Frames of a video file; in real time they come when the file says so."""

    def __init__(self, path: Path, *, loop: bool = True, realtime: bool = True) -> None:
        self._path = path
        self._loop = loop
        self.pace = Pace.LIVE if realtime else Pace.LOCK_STEP
        self._open()
        self._due: float | None = None  # the monotonic time of the last frame, and its time in the file
        self._at = 0.0

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
            self._at = (frame.time or 0.0) - self._interval  # the first frame follows the last at the usual distance
        if self.pace is Pace.LIVE:
            self._wait_until_due(frame, timeout)
        return Shot(picture_of(frame))

    def close(self) -> None:
        """Close the file."""
        self._frames.close()
        self._container.close()

    def _open(self) -> None:
        self._container, stream = open_container(self._path)
        self._frames = decode_video(self._container, stream)
        self._interval = float(1 / (stream.average_rate or USUAL_RATE))

    def _wait_until_due(self, frame: VideoFrame, timeout: float) -> None:
        now = time.monotonic()
        at = self._at + self._interval if frame.pts is None else frame.time
        due = now if self._due is None else self._due + at - self._at
        if not -BEHIND_SECONDS <= due - now <= AHEAD_SECONDS:
            due = now
        self._due, self._at = due, at
        time.sleep(max(0.0, min(due - now, timeout)))


def open_container(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a video file and find its picture. Raises SourceError when FFmpeg finds none in it."""
    try:
        # `file:` and nothing else: a name such as `tcp:x.mp4` is a name, and a playlist may not send us elsewhere
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path}: not a video that can be read ({_words(error)})") from error
    for stream in container.streams.video:
        if not int(stream.disposition) & _COVER:
            stream.thread_type = "NONE"  # a core for each camera is enough; frame threads add delay and memory
            return container, stream
    container.close()
    raise SourceError(f"{path}: there is no video in it")


def decode_video(container: InputContainer, stream: VideoStream) -> Generator[VideoFrame, None, None]:
    """The stream's frames; what cannot be decoded is left out. Raises SourceError when the file cannot be read on."""
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                log.debug("%s: a frame left out (%s)", container.name, _words(error))
                continue
            yield from frames
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{container.name}: cannot be read further ({_words(error)})") from error


def picture_of(frame: VideoFrame) -> Picture:
    """The frame's own planes where they are 8-bit YUV (no copy: they live as long as the picture), else RGB."""
    name = frame.format.name
    if name in _PLANAR:
        y, u, v = (_plane(frame, index) for index in range(3))
        picture: Picture = YuvPicture(y, u, v, _matrix(frame), _full_range(frame))
    elif name in _INTERLEAVED:
        y, uv = _plane(frame, 0), _plane(frame, 1)
        uv = uv.reshape(uv.shape[0], -1, 2)
        picture = YuvPicture(y, uv, None, _matrix(frame), _full_range(frame), v_first=_INTERLEAVED[name])
    else:
        picture = PackedPicture(frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False))
    turn = _TURNS.get(-frame.rotation % 360)  # FFmpeg counts the display matrix anti-clockwise
    return TurnedPicture(picture, turn) if turn is not None else picture


def _plane(frame: VideoFrame, index: int) -> Pixels:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]  # a buffer
    pixels: Pixels = rows[: plane.height, : plane.width * (2 if frame.format.name in _INTERLEAVED and index else 1)]
    return pixels


def _matrix(frame: VideoFrame) -> Matrix:
    if frame.colorspace == _UNSPECIFIED:
        return Matrix.BT709 if frame.height >= HD_HEIGHT else Matrix.BT601
    return Matrix.BT709 if frame.colorspace == _BT709 else Matrix.BT601


def _full_range(frame: VideoFrame) -> bool:
    return frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
