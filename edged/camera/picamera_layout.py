"""How large a Raspberry Pi camera's pictures are asked for, and how they lie in memory: needs no camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from edged.camera.geometry import Size
from edged.camera.picture import Matrix, YuvPicture
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.camera.pixels import Pixels

UNKNOWN_WANTED: Final = Size(640, 480)  # enough for most models, and cheap

# Automatic exposure learns from frame to frame: slower than this it takes too long to follow the light, and a slower
# camera than `stall` would be taken for a dead one. The frames that are too many are left out later.
LEAST_FPS: Final = 5.0

_SAME_ASPECT: Final = 0.02  # 1640x1232 is 3280x2464 halved; 1640x922 is not
_WHOLE_VIEW: Final = 0.95  # drivers leave out a few columns at the edges of their binned modes


class StreamConfiguration(TypedDict):
    """What of a stream's configuration is read back (picamera2 has more in it): size in pixels, stride in bytes."""

    format: str
    size: tuple[int, int]
    stride: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What libcamera gives, which need not be what it was asked for.

    Attributes:
        format: libcamera's name: YUV420, YVU420, NV12 or NV21.
        size: of the picture, without padding.
        matrix: the luma weights.
        full_range: 0 to 255 instead of 16 to 235.
    """

    format: str
    size: Size
    matrix: Matrix
    full_range: bool

    def __post_init__(self) -> None:
        if self.format not in _PLANAR | _INTERLEAVED:
            known = ", ".join((*_PLANAR, *_INTERLEAVED))
            raise SourceError(f"the camera gives {self.format} pictures; these can be used: {known}")

    def picture(self, array: Pixels) -> YuvPicture:
        """A picture of picamera2's array: (height * 3 / 2, row) uint8, with or without padding; views, no copy."""
        width, height = self.size.width, self.size.height
        luma, chroma = array[:height, :width], array[height : height + height // 2]
        if self.format in _INTERLEAVED:
            pairs = chroma[:, :width].reshape(height // 2, width // 2, 2)
            return YuvPicture(luma, pairs, None, self.matrix, self.full_range, v_first=_INTERLEAVED[self.format])
        # Each row of the array holds two rows of chroma, with half the padding each: first all of U, then all of V.
        rows = chroma.reshape(height, array.shape[1] // 2)[:, : width // 2]
        u, v = rows[: height // 2], rows[height // 2 :]
        return YuvPicture(luma, *((v, u) if _PLANAR[self.format] else (u, v)), self.matrix, self.full_range)


# Whether V comes before U, by libcamera's names.
_PLANAR: Final = {"YUV420": False, "YVU420": True}
_INTERLEAVED: Final = {"NV12": False, "NV21": True}


def stream_size(wanted: Size | None, view: Size, multiple: int) -> Size:
    """How large to ask for the whole view so that nothing of the wanted size is lost.

    Args:
        wanted: the least size of the whole picture; None: not known.
        view: the sensor's whole field of view, whose aspect is kept. It is never enlarged.
        multiple: of pixels that a row has: others cost the hardware, or us, a copy.

    Returns:
        Even, its width a multiple of `multiple` wherever the sensor is as wide as that.
    """
    least = wanted or UNKNOWN_WANTED
    width = max(least.width, -(-least.height * view.width // view.height))
    width = min(-(-width // multiple) * multiple, view.width // multiple * multiple or _even(view.width))
    height = (width * view.height + view.width) // (2 * view.width) * 2  # the nearest that is even
    if height < min(least.height, -(-width * view.height // view.width)):
        height += 2
    return Size(width, min(height, _even(view.height)))


def sensor_modes(modes: Iterable[Size], size: Size, view: Size) -> list[Size]:
    """Ways to read the sensor that may show the whole view in no fewer pixels than `size`: the cheapest first.

    The largest comes last in any case: where no other shows everything, it does.
    """
    found = sorted(set(modes), key=lambda mode: mode.width * mode.height)
    good = [
        mode
        for mode in found
        if mode.width >= size.width
        and mode.height >= size.height
        and abs(mode.width * view.height / (mode.height * view.width) - 1) < _SAME_ASPECT
    ]
    return good if found[-1:] == good[-1:] else [*good, *found[-1:]]


def sees_whole(crop: Size, view: Size) -> bool:
    """Whether the part of the sensor that a mode shows is all of it, but for a few columns and rows."""
    return crop.width >= view.width * _WHOLE_VIEW and crop.height >= view.height * _WHOLE_VIEW


def frame_duration(fps: float, least: int, most: int) -> int:
    """Microseconds from frame to frame, within what the camera can."""
    return max(least, min(round(1e6 / max(fps, LEAST_FPS)), most))


def colours(encoding: str | None, value_range: str | None) -> tuple[Matrix, bool]:
    """Luma weights and "full range" of libcamera's names for them; None where a driver says nothing.

    sYCC, which is asked for, is JPEG's: BT.601 and the full range. Unsaid is video's: BT.601 from 16 to 235.
    """
    return Matrix.BT709 if encoding == "Rec709" else Matrix.BT601, value_range == "Full"


def _even(value: int) -> int:
    return value - value % 2
