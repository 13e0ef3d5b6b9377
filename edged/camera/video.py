"""A video file through FFmpeg (PyAV), at its own speed or as fast as it is taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from edged.camera.picture import Matrix, PackedPicture, Picture, Pixels, TurnedPicture, YuvPicture
from edged.camera.source import Pace, Shot, SourceEndedError
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame

    from edged.camera.geometry import Rotation

BEHIND_SECONDS = 1.0  # a player that is later than this (slow decoder, machine asleep) goes on from where it is
HD_HEIGHT = 720  # untagged video of this height and more is BT.709 by convention (ITU-R BT.709 is HD's)

_PLANAR = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
_INTERLEAVED = {"nv12": False, "nv21": True}
_TURNS: Final[dict[int, Rotation]] = {90: 90, 180: 180, 270: 270}
_BT709 = 1  # AVCOL_SPC_BT709, ITU-T H.273
_UNSPECIFIED = 2
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


class VideoSource:
    """Frames of a video file; in real time they come when the file says so."""

    def __init__(self, path: Path, *, loop: bool = True, realtime: bool = True) -> None:
        self._path = path
        self._loop = loop
        self.pace = Pace.LIVE if realtime else Pace.LOCK_STEP
        self._container = open_container(path)
        self._frames = decode_video(self._container)
        self._began: float | None = None  # the monotonic time of pts 0, once the first frame is out

    def read(self, timeout: float) -> Shot:
        """See `Source.read`."""
        deadline = time.monotonic() + timeout
        frame = next(self._frames, None)
        if frame is None:
            if not self._loop:
                raise SourceEndedError(f"{self._path}: at its end")
            self.close()
            self._container = open_container(self._path)
            self._frames = decode_video(self._container)
            self._began = None
            frame = next(self._frames, None)
            if frame is None:
                raise SourceError(f"{self._path}: no frame in it can be decoded")
        if self.pace is Pace.LIVE:
            self._wait_until_due(frame, deadline)
        return Shot(picture_of(frame))

    def close(self) -> None:
        """Close the file."""
        self._frames.close()
        self._container.close()

    def _wait_until_due(self, frame: VideoFrame, deadline: float) -> None:
        now = time.monotonic()
        at = frame.time or 0.0
        if self._began is None or now - (self._began + at) > BEHIND_SECONDS:
            self._began = now - at
        time.sleep(max(0.0, min(self._began + at, deadline) - now))


def open_container(path: Path) -> InputContainer:
    """Open a video file. Raises SourceError when FFmpeg finds no video in it."""
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: not a video that can be read ({error.strerror or error})") from error
    if not container.streams.video:
        container.close()
        raise SourceError(f"{path}: there is no video in it")
    return container


def decode_video(container: InputContainer) -> Generator[VideoFrame, None, None]:
    """The frames of the first video stream. Raises SourceError when the stream turns into garbage."""
    stream = container.streams.video[0]
    stream.thread_type = "NONE"  # a core for each camera is enough; frame threads add delay and memory
    try:
        yield from container.decode(stream)
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{container.name}: cannot be decoded further ({error.strerror or error})") from error


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
