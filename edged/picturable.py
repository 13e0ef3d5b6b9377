"""Whatever a program has that can be seen, as a picture; and which way, and which part of it, is looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edged.camera.frame import Frame
from edged.camera.geometry import WHOLE, Region
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Order, PackedPicture, Picture, TurnedPicture, YuvPicture
from edged.errors import BadImageError, UsageError

if TYPE_CHECKING:
    from _typeshed import SupportsRead
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edged.camera.geometry import Rotation

    File = str | os.PathLike[str] | bytes | bytearray | memoryview | SupportsRead[bytes]
    Part = Region | tuple[float, float, float, float]
    Picturable = File | Image | NDArray[np.uint8] | Picture | Frame


def as_picture(image: Picturable) -> Picture:  # noqa: PLR0911  one a kind
    """Whatever a caller has, as a picture.

    Raises:
        BadImageError: it cannot be read as a picture.
        UsageError: it is no kind of picture.
    """
    if isinstance(image, Frame):
        return image.picture
    if isinstance(image, PackedPicture | YuvPicture | JpegPicture | TurnedPicture):  # first: Pillow need not be loaded
        return image
    if isinstance(image, np.ndarray):
        return PackedPicture(image, Order.GREY if image.ndim == 2 else Order.RGB)  # noqa: PLR2004  axes
    from edged.camera import image_file  # noqa: PLC0415  Pillow: arrays and frames do without

    if isinstance(image, bytes | bytearray | memoryview):
        return image_file.parse_picture(bytes(image))
    if isinstance(image, str | os.PathLike):
        return image_file.read_picture(Path(image))
    if isinstance(image, image_file.PillowImage):
        return image_file.picture_of_pillow(image)
    if isinstance(image, Picture):  # a caller's own kind
        return image
    if hasattr(image, "read"):
        return image_file.parse_picture(_read(image), name=str(getattr(image, "name", "the file")))
    raise UsageError(
        f"a {type(image).__name__} is no picture: give a path, a file or its bytes, a PIL image, a numpy array or a"
        " picture"
    )


def turned(picture: Picture, rotation: Rotation) -> Picture:
    """The picture, to be seen after a clockwise turn. Raises UsageError, as `check_rotation`."""
    check_rotation(rotation)
    return TurnedPicture(picture, rotation) if rotation else picture


def check_rotation(rotation: int) -> None:
    """Raise UsageError for anything but whole quarters of a turn."""
    if rotation not in (0, 90, 180, 270):
        raise UsageError(f"the rotation is {rotation}; it is 0, 90, 180 or 270")


def part_of(region: Part | None) -> Region:
    """The region that a caller means; None is the whole picture.

    Raises:
        BadImageError: it is empty or leaves the picture.
        UsageError: these are not four fractions.
    """
    if region is None or isinstance(region, Region):
        return region or WHOLE
    try:
        x, y, width, height = map(float, region)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the region is {region!r}; it is four fractions: x, y, width, height") from error
    return Region(x, y, width, height)


def _read(file: SupportsRead[bytes]) -> bytes:
    from edged.camera.image_file import MAX_BYTES  # noqa: PLC0415  as above

    try:
        data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise BadImageError(f"the file cannot be read ({error})") from error
    if not isinstance(data, bytes):
        raise UsageError("the file gives text: open it for reading bytes ('rb')")
    if len(data) > MAX_BYTES:
        raise BadImageError(f"the file is larger than {MAX_BYTES // 2**20} MB")
    return data
