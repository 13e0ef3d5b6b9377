"""What a V4L2 camera offers, through linuxpy's ioctls and structures."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from linuxpy.video import device as v4l2
from linuxpy.video import raw

from edged.camera.geometry import Size
from edged.camera.picture import Matrix
from edged.camera.v4l2_formats import Format, Mode, SizeRange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

CAPTURE: Final = raw.BufType.VIDEO_CAPTURE
FORMATS: Final = {raw.v4l2_fourcc(*kind.value): kind for kind in Format}


def card(device: v4l2.Device) -> str:
    """The camera's name, as it gives it itself."""
    name: bytes = device.info.raw_capabilities.card
    return name.decode("utf-8", "replace")  # cut at 31 bytes, wherever that is


def codes(device: v4l2.Device) -> list[int]:
    """The pixel formats that it offers."""
    # linuxpy's own loop warns of every format that it does not know, at every opening
    description = raw.v4l2_fmtdesc(type=CAPTURE)
    return [found.pixelformat for found in v4l2.iter_read(device, raw.IOC.ENUM_FMT, description)]


def letters(code: int) -> str:
    """The four letters of a pixel format."""
    text: str = v4l2.human_pixel_format(code)
    return text.strip()


def modes(device: v4l2.Device, formats: Collection[Format], wanted: Size, fps: float) -> list[Mode]:
    """What it offers in these formats; where it offers any size, only those that matter for `wanted` and `fps`."""
    kinds = [(code, FORMATS[code]) for code in codes(device) if FORMATS.get(code) in formats]
    return [
        Mode(kind, size, tuple(_rates(device, code, size, fps)))
        for code, kind in kinds
        for size in sorted(set(_sizes(device, code, wanted)), key=lambda size: (size.width, size.height)) or [wanted]
    ]


def _sizes(device: v4l2.Device, code: int, wanted: Size) -> Iterator[Size]:
    for found in v4l2.iter_read_frame_sizes(device, code):
        info = found.info
        if found.type == raw.Frmsizetypes.DISCRETE:
            yield Size(info.width, info.height)
        else:
            least, most = Size(info.min_width, info.min_height), Size(info.max_width, info.max_height)
            yield from SizeRange(least, most, Size(info.step_width, info.step_height)).sizes(wanted)


def _rates(device: v4l2.Device, code: int, size: Size, fps: float) -> Iterator[float]:
    with contextlib.suppress(ArithmeticError):  # a driver's interval of 0 seconds
        for found in v4l2.iter_read_frame_intervals(device, code, size.width, size.height):
            # of a range, linuxpy's names are those of the intervals: its least rate is the highest
            low, high = sorted((float(found.min_fps), float(found.max_fps)))
            if high:
                yield from (low, min(max(low, fps), high), high)


def colours(colorspace: int, encoding: int, quantization: int) -> tuple[Matrix, bool]:
    """The luma weights, and whether the range is full, of YUV with these V4L2 numbers.

    Source: the kernel's V4L2 documentation, "Colorspaces", the defaults of each. BT.2020 and SMPTE 240M are taken for
    BT.709, the nearest.
    """
    by_encoding = {
        raw.YcbcrEncoding._601: Matrix.BT601,  # noqa: SLF001  linuxpy's name
        raw.YcbcrEncoding.XV601: Matrix.BT601,
        raw.YcbcrEncoding.SYCC: Matrix.BT601,
    }
    wide = (raw.Colorspace.REC709, raw.Colorspace.DCI_P3, raw.Colorspace.BT2020, raw.Colorspace.SMPTE240M)
    matrix = by_encoding.get(encoding, Matrix.BT709)
    if encoding == raw.YcbcrEncoding.DEFAULT:
        matrix = Matrix.BT709 if colorspace in wide else Matrix.BT601
    if quantization == raw.Quantization.DEFAULT:
        return matrix, colorspace == raw.Colorspace.JPEG
    return matrix, quantization == raw.Quantization.FULL_RANGE
