"""Real video files, written with FFmpeg, that say of themselves what a test wants."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from edged.camera.geometry import Size
from edged.camera.source import SourceEndedError
from support.pictures import smooth

if TYPE_CHECKING:
    from pathlib import Path

    from edged.camera.video import VideoSource

GREYS = [20, 60, 100, 140, 180, 220]


def write_video(  # noqa: PLR0913  what a file may say of itself
    path: Path,
    *,
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    rate: int = 10,
    greys: list[int] | None = None,
    rotation: int | None = None,
    colours: dict[str, int] | None = None,
    size: tuple[int, int] = (64, 48),
) -> Path:
    """One grey a frame, or `smooth` where there are none."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.bit_rate = 4_000_000
        stream.codec_context.gop_size = 1
        for name, value in (colours or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number, grey in enumerate(GREYS if greys is None else greys):
            image = smooth(*size) if grey < 0 else np.full((size[1], size[0], 3), grey, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def grey_of(source: VideoSource) -> int:
    """Which of GREYS the next frame shows."""
    mean = source.read(5.0).picture.render(Size(8, 8)).mean()
    return min(GREYS, key=lambda grey: abs(grey - mean))


def greys_of(source: VideoSource) -> list[int]:
    """All that it shows until it ends."""
    shown = []
    try:
        while True:
            shown.append(grey_of(source))
    except SourceEndedError:
        source.close()
    return shown
