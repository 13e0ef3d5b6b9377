"""What FFmpeg (PyAV) decodes, as pictures: what video files and streams have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edged.camera.picture import Matrix, PackedPicture, Picture, TurnedPicture, YuvPicture

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from edged.camera.geometry import Rotation
    from edged.camera.pixels import Pixels

HD_HEIGHT = 720  # untagged video of this height and more is BT.709 by convention (ITU-R BT.709 is HD's)

_PLANAR = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
_INTERLEAVED = {"nv12": False, "nv21": True}
_TURNS: Final[dict[int, Rotation]] = {90: 90, 180: 180, 270: 270}
_BT709 = 1  # AVCOL_SPC_BT709, ITU-T H.273
_UNSPECIFIED = 2
_COVER = 0x400  # AV_DISPOSITION_ATTACHED_PIC: the cover of a piece of music
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


def video_in(container: InputContainer) -> VideoStream | None:
    """The stream that is the picture, ready to be decoded; None where there is none."""
    for stream in container.streams.video:
        if not int(stream.disposition) & _COVER:
            stream.thread_type = "NONE"  # a core for each camera is enough; frame threads add delay and memory
            return stream
    return None


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


def words_of(error: Exception) -> str:
    """What went wrong; not the address, which PyAV's own text ends with."""
    return getattr(error, "strerror", None) or str(error)


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
