"""PNG files of the common kinds, decoded with kornia-rs: several times faster than Pillow, strict, and in safe Rust.

Pillow has parsed the header before; what is not of a common kind, turned by its EXIF data or damaged is left to it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import cv2
from kornia_rs.io import decode_image_png_u8
from PIL import Image

from edged.camera.picture import Order, PackedPicture
from edged.camera.pixels import as_pixels

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_MODES: Final = {"L": "mono", "RGB": "rgb", "RGBA": "rgba"}
_ORIENTATION: Final = 0x0112
_SIGNATURE_BYTES: Final = 8
_CHUNK: Final = struct.Struct(">I4s")  # length of the content and kind; a checksum of four bytes ends it
_PIXELS: Final = b"IDAT"
# They may say how the picture is turned (EXIF, EXIF as text, XMP), and Pillow sees those behind the pixels late.
_TELLING: Final = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt"})


def decode_png(image: ImageFile, data: bytes) -> PackedPicture | None:
    """The picture that Pillow has opened; None where Pillow is to decode it, or to say what is wrong with it."""
    if image.format != "PNG" or not _common(image):
        return None
    if _told_late(data):
        return None
    try:
        if Image.Image.getexif(image).get(_ORIENTATION, 1) != 1:  # the PNG's own would decode the pixels first
            return None
        pixels = as_pixels(decode_image_png_u8(data, (image.height, image.width), _MODES[image.mode]))
    except Exception:  # noqa: BLE001  the decoder's has no class of its own; Pillow's EXIF parser raises anything
        return None
    if image.mode == "RGBA":
        return PackedPicture(as_pixels(cv2.cvtColor(pixels, cv2.COLOR_RGBA2mRGBA, dst=pixels)), Order.RGBA)
    return PackedPicture(pixels[:, :, 0], Order.GREY) if image.mode == "L" else PackedPicture(pixels)


def _common(image: ImageFile) -> bool:
    """8 bits a channel (the decoder's name for them is the mode's), no palette, no colour that stands for nothing."""
    still = len(image.tile) == 1 and not getattr(image, "is_animated", False)
    return still and image.mode in _MODES and image.tile[0].args == image.mode and "transparency" not in image.info


def _told_late(data: bytes) -> bool:
    """Whether something is said behind the pixels."""
    at, pixels = _SIGNATURE_BYTES, False
    while at + _CHUNK.size <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        pixels = pixels or kind == _PIXELS
        if pixels and kind in _TELLING:
            return True
        at += _CHUNK.size + length + 4
    return False
