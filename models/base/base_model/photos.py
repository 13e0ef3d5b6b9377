"""Photos as a network sees them: RGB, stretched to its square with plain bilinear scaling, as edged does."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from base_model.sources import SCIKIT_IMAGE, SCIKIT_LEARN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from base_model.sources import Sources

    Pixels = npt.NDArray[np.uint8]

# What a camera could see, colour and grey; the packages' drawings and microscope pictures are left out.
CALIBRATION_PHOTOS: Final = (
    *(
        (SCIKIT_IMAGE, f"skimage/data/{name}")
        for name in (
            *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png"),
            *("grass.png", "gravel.png", "hubble_deep_field.jpg", "motorcycle_left.png", "motorcycle_right.png"),
            *("page.png", "rocket.jpg"),
        )
    ),
    (SCIKIT_LEARN, "sklearn/datasets/images/china.jpg"),
    (SCIKIT_LEARN, "sklearn/datasets/images/flower.jpg"),
)
_SEED: Final = 0
_SMALLEST_CROP, _LARGEST_CROP = 0.3, 0.95


def calibration_tensors(sources: Sources, size: int, crops: int) -> list[Pixels]:
    """Return uint8 [size, size, 3] tensors: every photo whole, and crops at random places, every other mirrored."""
    random = np.random.default_rng(_SEED)
    tensors = []
    for wheel, member in CALIBRATION_PHOTOS:
        photo = decode(sources.read(wheel, member))
        tensors.append(stretch(photo, size))
        tensors.extend(_crops(photo, size, crops, random))
    return tensors


def _crops(photo: Pixels, size: int, crops: int, random: np.random.Generator) -> Iterator[Pixels]:
    height, width = photo.shape[:2]
    for number in range(crops):
        side = random.uniform(_SMALLEST_CROP, _LARGEST_CROP)
        left, top = random.uniform(0, 1 - side, 2)
        rows = slice(int(height * top), int(height * (top + side)))
        columns = slice(int(width * left), int(width * (left + side)))
        crop = stretch(photo[rows, columns], size)
        yield crop[:, ::-1] if number % 2 else crop


def decode(content: bytes) -> Pixels:
    """Return a photo's pixels, uint8 [height, width, 3] RGB."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def stretch(photo: Pixels, size: int) -> Pixels:
    """Return the whole photo stretched to uint8 [size, size, 3].

    Plain bilinear with half-pixel centres and no antialiasing: what ML Kit, the TFLite Task Library and OpenCV's
    INTER_LINEAR do.
    """
    above, below, down = _taps(photo.shape[0], size)
    rows = photo[above] * (1 - down)[:, None, None] + photo[below] * down[:, None, None]
    before, after, along = _taps(photo.shape[1], size)
    scaled = rows[:, before] * (1 - along)[:, None] + rows[:, after] * along[:, None]
    return np.round(scaled).astype(np.uint8)


def _taps(side: int, size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return, for each of the `size` output positions, the two input positions and how much of the second."""
    centres = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
    first = centres.astype(np.intp)
    return first, np.minimum(first + 1, side - 1), (centres - first).astype(np.float32)
