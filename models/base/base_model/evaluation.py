"""Compare the integer model with the float one, and both with what the photos show."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from base_model.photos import CALIBRATION_PHOTOS, decode, stretch
from base_model.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from base_model.sources import Sources

    Pixels = npt.NDArray[np.uint8]

PHOTO_LIST: Final = Path(__file__).parent.parent / "evaluation_photos.txt"
_SCORE_STEP: Final = 256
# Whole, four overlapping corners, the middle, the middle of the middle: left, top and side as parts of the photo.
_VIEWS: Final = (
    (0.0, 0.0, 1.0),
    (0.0, 0.0, 0.6),
    (0.4, 0.0, 0.6),
    (0.0, 0.4, 0.6),
    (0.4, 0.4, 0.6),
    (0.15, 0.15, 0.7),
    (0.3, 0.3, 0.4),
)
_TIMED_RUNS: Final = 200


@dataclass(frozen=True)
class Photo:
    """A photo to evaluate with. expected: the classes that would be right; empty where nobody says."""

    name: str
    pixels: Pixels
    expected: frozenset[int]


@dataclass(frozen=True)
class Comparison:
    """One view of one photo. drift: |float's confidence in its best class - integer's confidence in that class|."""

    photo: Photo
    float_best: int
    integer_best: int
    float_confidence: float
    drift: float

    @property
    def agrees(self) -> bool:
        """Whether both name the same class."""
        return self.float_best == self.integer_best


def listed_photos(folders: Sequence[Path]) -> tuple[list[Photo], list[str]]:
    """Return the listed photos that are below the folders, and the names of those that are not."""
    found, missing = [], []
    for line in PHOTO_LIST.read_text(encoding="utf-8").splitlines():
        name, _, expected = line.partition("#")[0].strip().partition(" ")
        if not name:
            continue
        paths = sorted(path for folder in folders for path in folder.rglob(name))
        if paths:
            classes = frozenset(int(number) for number in expected.split())
            found.append(Photo(name, decode(paths[0].read_bytes()), classes))
        else:
            missing.append(name)
    return found, missing


def calibration_photos(sources: Sources) -> Iterator[Photo]:
    """Yield the photos that the model was calibrated with: an easier test than the others."""
    for wheel, member in CALIBRATION_PHOTOS:
        yield Photo(member, decode(sources.read(wheel, member)), frozenset())


def compare(float_model: bytes, integer_model: bytes, photos: Sequence[Photo]) -> list[list[Comparison]]:
    """Return a list for each photo: the whole first, then its other views."""
    reference, integer = Runner(float_model), Runner(integer_model)
    return [
        [_compare(reference, integer, photo, stretch(_view(photo.pixels, *view))) for view in _VIEWS]
        for photo in photos
    ]


def _view(pixels: Pixels, left: float, top: float, side: float) -> Pixels:
    height, width = pixels.shape[:2]
    rows = slice(int(height * top), int(height * (top + side)))
    return pixels[rows, int(width * left) : int(width * (left + side))]


def _compare(reference: Runner, integer: Runner, photo: Photo, tensor: Pixels) -> Comparison:
    wanted = reference.run(tensor)
    given = integer.run(tensor).astype(np.float32) / _SCORE_STEP
    best = int(wanted.argmax())
    confidence = float(wanted[best])
    return Comparison(photo, best, int(given.argmax()), confidence, abs(confidence - float(given[best])))


def summary(title: str, compared: Sequence[Comparison]) -> str:
    """Return one line of figures."""
    agreeing = sum(item.agrees for item in compared)
    drift = statistics.fmean(item.drift for item in compared)
    return f"{title}: same best class {agreeing} of {len(compared)}, mean |confidence difference| {drift:.4f}"


def milliseconds(model: bytes) -> float:
    """Return the median time of one inference, one thread."""
    runner = Runner(model)
    tensor = np.zeros((224, 224, 3), np.uint8)
    times = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        runner.run(tensor)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
