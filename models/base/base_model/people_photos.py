"""Photos as the people network sees them: the whole picture, stretched to its square with plain bilinear scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from base_model.people_network import INPUT_SIZE
from base_model.photos import CALIBRATION_PHOTOS, decode

if TYPE_CHECKING:
    import numpy.typing as npt

    from base_model.sources import Sources

    Pixels = npt.NDArray[np.uint8]

_CROPS: Final = 8
_SEED: Final = 0
_SMALLEST_CROP, _LARGEST_CROP = 0.3, 0.95


def calibration_tensors(sources: Sources) -> list[Pixels]:
    """Return the first member's calibration photos at this one's size: each whole, and seven crops, some mirrored."""
    random = np.random.default_rng(_SEED)
    tensors = []
    for wheel, member in CALIBRATION_PHOTOS:
        photo = decode(sources.read(wheel, member))
        height, width = photo.shape[:2]
        tensors.append(stretch(photo))
        for number in range(_CROPS - 1):
            side = random.uniform(_SMALLEST_CROP, _LARGEST_CROP)
            left, top = random.uniform(0, 1 - side, 2)
            rows = slice(int(height * top), int(height * (top + side)))
            crop = stretch(photo[rows, int(width * left) : int(width * (left + side))])
            tensors.append(crop[:, ::-1] if number % 2 else crop)
    return tensors


def stretch(photo: Pixels) -> Pixels:
    """Return the whole photo as uint8 [INPUT_SIZE, INPUT_SIZE, 3]: bilinear, half-pixel centres, no antialiasing."""
    above, below, down = _taps(photo.shape[0])
    rows = photo[above] * (1 - down)[:, None, None] + photo[below] * down[:, None, None]
    before, after, along = _taps(photo.shape[1])
    scaled = rows[:, before] * (1 - along)[:, None] + rows[:, after] * along[:, None]
    return np.round(scaled).astype(np.uint8)


def _taps(side: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return, for each position of the square, the two positions of the photo and how much of the second."""
    centres = np.clip((np.arange(INPUT_SIZE) + 0.5) * side / INPUT_SIZE - 0.5, 0, side - 1)
    first = centres.astype(np.intp)
    return first, np.minimum(first + 1, side - 1), (centres - first).astype(np.float32)
