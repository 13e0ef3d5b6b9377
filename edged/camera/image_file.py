"""A picture from an image file's bytes: whatever Pillow reads, turned upright by its EXIF data."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edged.camera.picture import JpegPicture, PackedPicture, Picture, TurnedPicture
from edged.errors import BadImageError

if TYPE_CHECKING:
    from pathlib import Path

    from edged.camera.geometry import Rotation

MAX_PIXELS: Final = 120_000_000  # 360 MB as RGB: the most that one picture may cost
MAX_BYTES: Final = 256 * 1024 * 1024
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})

PillowImage = Image.Image

_ORIENTATION: Final = 0x0112
_JPEG_TURNS: Final[dict[int, Rotation]] = {1: 0, 3: 180, 6: 90, 8: 270}  # EXIF 2.32, table 4; the others are mirrored


def read_picture(path: Path) -> Picture:
    """Read an image file. Raises BadImageError, whose text names the file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadImageError(f"larger than {MAX_BYTES // 2**20} MB")
        return parse_picture(path.read_bytes())
    except (BadImageError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadImageError(f"{path}: {reason}") from error


def parse_picture(data: bytes) -> Picture:
    """Read an image file's bytes. Of an animation, the first picture.

    A JPEG stays compressed until it is rendered. 16-bit grey keeps its upper 8 bits; transparency is put on white.

    Raises:
        BadImageError: not an image, damaged, or larger than 120 megapixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise BadImageError(f"{width}x{height} pixels; {MAX_PIXELS // 10**6} megapixels is the most")
            turn = _JPEG_TURNS.get(image.getexif().get(_ORIENTATION, 1)) if image.format in ("JPEG", "MPO") else None
            if turn is None:
                return PackedPicture(_rgb(image))
        picture = JpegPicture(data)
        _ = picture.size  # a JPEG that Pillow knows and the decoder does not must be refused here, by name
    except UnidentifiedImageError as error:
        raise BadImageError("not an image" if data else "empty") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError(f"too large: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:  # what Pillow raises
        raise BadImageError(f"damaged: {error}") from error
    return TurnedPicture(picture, turn) if turn else picture


def picture_of_pillow(image: Image.Image) -> PackedPicture:
    """A Pillow image as it is, turned upright by its EXIF data. Raises BadImageError."""
    try:
        return PackedPicture(_rgb(image))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImageError(f"damaged: {error}") from error


def _rgb(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image.load()
    if image.mode.startswith("I;16"):
        grey = np.right_shift(np.asarray(image), 8).astype(np.uint8)
        image = Image.merge("RGB", [Image.fromarray(grey)] * 3)
    elif image.mode in ("I", "F"):  # 32-bit grey: 16-bit PNGs under older Pillows, or floating point
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode == "I" and values.max(initial=0) > 255 else max(values.max(initial=0), 1.0)  # noqa: PLR2004
        grey = np.clip(values / top * 255, 0, 255).astype(np.uint8)
        image = Image.merge("RGB", [Image.fromarray(grey)] * 3)
    elif image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
