"""A picture from an image file's bytes, turned upright by its EXIF data."""

from __future__ import annotations

import io
import threading
import warnings
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from edged.camera.geometry import Size
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Order, PackedPicture, Picture, TurnedPicture
from edged.camera.pixels import Pixels, as_pixels, check_size
from edged.camera.png import decode_png
from edged.camera.regular_file import read_regular_file
from edged.errors import BadImageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    from edged.camera.geometry import Rotation

MAX_BYTES: Final = 256 * 1024 * 1024
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
# Pillow knows forty formats, some of which start other programs (EPS) or fetch further files.
FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")

PillowImage = Image.Image

_ORIENTATION: Final = 0x0112
_JPEG_TURNS: Final[dict[int, Rotation]] = {1: 0, 3: 180, 6: 90, 8: 270}  # EXIF 2.32, table 4; the others are mirrored
_MIRRORED: Final = frozenset({2, 4, 5, 7})
_QUARTERS: Final = {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}  # of a turn anti-clockwise, after mirroring left to right
_STRIP_PIXELS: Final = 4_000_000  # turned into RGB at a time: Pillow's copies stay small beside the picture

_warnings_lock = threading.Lock()  # Python's filters belong to all threads; held while a header is parsed


def read_picture(path: Path) -> Picture:
    """Read an image file. Raises BadImageError, whose text names the file."""
    try:
        return parse_picture(read_regular_file(path, MAX_BYTES), name=str(path))
    except OSError as error:
        raise BadImageError(f"{path}: {error.strerror or error}") from error


def parse_picture(data: bytes, *, name: str = "the picture") -> Picture:
    """Read an image file's bytes. Of an animation, the first picture.

    A JPEG stays compressed until it is rendered. 16-bit grey keeps its upper 8 bits. What is transparent is black, as
    where ML Kit runs: Android's bitmaps hold colours multiplied by their opacity.

    Raises:
        BadImageError: not an image, damaged, or larger than 120 megapixels.
    """
    try:
        with _open(data, name) as image:
            if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
                turn = _JPEG_TURNS.get(_orientation(image))
                if turn is not None:
                    picture = JpegPicture(data, name)
                    _ = picture.size  # a JPEG that Pillow knows and the decoder does not must be refused here, by name
                    return TurnedPicture(picture, turn) if turn else picture
            return _uncompressed(image, data) or decode_png(image, data) or PackedPicture(_upright(image))
    except UnidentifiedImageError as error:
        what = f"not an image ({', '.join(FORMATS)})" if data else "empty"
        raise BadImageError(f"{name}: {what}") from error
    except BadImageError:
        raise
    except Image.DecompressionBombError as error:
        raise BadImageError(f"{name}: too large ({error})") from error
    except Exception as error:  # Pillow's parsers raise whatever a damaged file makes them stumble over
        raise BadImageError(f"{name}: damaged ({error!r}); copy the file anew") from error


def picture_of_pillow(image: Image.Image) -> PackedPicture:
    """A Pillow image as it is, turned upright by its EXIF data. Raises BadImageError."""
    try:
        check_size(Size(*image.size), "the Pillow image")
        return PackedPicture(_upright(image))
    except BadImageError:
        raise
    except Exception as error:  # as above
        raise BadImageError(f"the Pillow image cannot be read ({error!r})") from error


def _open(data: bytes, name: str) -> ImageFile:
    """Parse the header: the image, not decoded yet."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow thinks of a file's tags is not for the caller's terminal
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        check_size(Size(*image.size), name)
        return image


def _orientation(image: Image.Image) -> int:
    """1 to 8; 1, upright, where there is none or where the EXIF data are damaged."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  Pillow's EXIF parser raises anything; the pixels may well be whole
        return 1
    return found if found in _JPEG_TURNS or found in _MIRRORED else 1


def _uncompressed(image: ImageFile, data: bytes) -> PackedPicture | None:
    """A BMP file's pixels where they lie in it: nothing is decoded or copied. None where they are not of that kind."""
    if image.format != "BMP" or image.mode != "RGB" or len(image.tile) != 1:
        return None
    codec, extents, offset, how = image.tile[0]
    if codec != "raw" or extents != (0, 0, *image.size) or not isinstance(how, tuple) or how[0] != "BGR":
        return None
    _, stride, direction = how
    try:
        rows = np.ndarray((image.height, image.width, 3), np.uint8, data, offset, (stride, 3, 1))
    except (TypeError, ValueError):  # it ends too early, which Pillow says better
        return None
    return PackedPicture(rows[::direction], Order.BGR)


def _upright(image: Image.Image) -> Pixels:
    """The image's pixels as RGB, turned as EXIF says."""
    image.load()
    orientation = _orientation(image)  # not before: Pillow turns a TIFF itself while it loads it
    pixels = _rgb(image)
    if orientation in _MIRRORED:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, _QUARTERS.get(orientation, 0)))


def _rgb(image: Image.Image) -> Pixels:
    white = _white(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        whole = rows >= image.height
        strip = image if whole else image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows] = _rgb_strip(strip, white)
    return pixels


def _white(image: Image.Image) -> float:
    """The value of white in 32-bit grey: whole numbers are of 16 bits, floating point goes as far as it goes."""
    if image.mode not in ("I", "F"):
        return 255.0
    brightest = image.getextrema()[1]
    assert not isinstance(brightest, tuple)  # noqa: S101  one channel
    if image.mode == "I":
        return 65535.0 if brightest > 255 else 255.0  # noqa: PLR2004
    return brightest if 1.0 < brightest < float("inf") else 1.0


def _rgb_strip(strip: Image.Image, white: float) -> Pixels:
    grey: NDArray[np.generic]
    if strip.mode.startswith("I;16"):
        grey = np.right_shift(np.asarray(strip), 8)
        return grey.astype(np.uint8)[:, :, np.newaxis]
    if strip.mode in ("I", "F"):
        grey = np.clip(np.nan_to_num(np.asarray(strip, np.float32) * (255 / white)), 0, 255)
        return grey.astype(np.uint8)[:, :, np.newaxis]
    if strip.has_transparency_data:
        rgba = np.asarray(strip.convert("RGBA"))
        return as_pixels(cv2.cvtColor(cv2.cvtColor(rgba, cv2.COLOR_RGBA2mRGBA), cv2.COLOR_RGBA2RGB))
    return np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))
