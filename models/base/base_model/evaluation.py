"""Compare the integer model of things with the float one, and both with what the photos show."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from base_model.efficientnet import CLASSES, PICTURE
from base_model.photos import CALIBRATION_PHOTOS, decode, stretch
from base_model.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from base_model.network import Input
    from base_model.sources import Sources

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float64]

PHOTO_LIST: Final = Path(__file__).parent.parent / "evaluation_photos.txt"
GROUPS: Final = Path(__file__).parent.parent / "groups.json"
_ROUGH_STEPS: Final = 256
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
# Words with less are not what anybody would be told of a photo.
_LEAST_CONFIDENCE: Final = 0.05


@dataclass(frozen=True)
class Photo:
    """A photo to evaluate with. expected: the classes that would be right; empty where nobody says."""

    name: str
    pixels: Pixels
    expected: frozenset[int]


@dataclass(frozen=True)
class Comparison:
    """One view of one photo.

    drift: |float's confidence in its best class - integer's confidence in that class|. word_drift: the same of the
    everyday words that either has at 0.05 or more, on average. rounded_away: the most of any word's confidence that
    would be lost if the integer model rounded its probabilities to 1/256.
    """

    photo: Photo
    float_best: int
    integer_best: int
    float_confidence: float
    drift: float
    word_drift: float
    rounded_away: float

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
    reference, integer = Runner(float_model, PICTURE), Runner(integer_model)
    words = _words()
    return [
        [
            _compare(photo, words, *(_softmax(runner.scores(tensor)) for runner in (reference, integer)))
            for tensor in (stretch(_view(photo.pixels, *view), PICTURE.size) for view in _VIEWS)
        ]
        for photo in photos
    ]


def _view(pixels: Pixels, left: float, top: float, side: float) -> Pixels:
    height, width = pixels.shape[:2]
    rows = slice(int(height * top), int(height * (top + side)))
    return pixels[rows, int(width * left) : int(width * (left + side))]


def _words() -> Floats:
    """Return [classes, words]: 1 where a class counts for an everyday word."""
    groups = json.loads(GROUPS.read_text(encoding="utf-8"))
    words = np.zeros((CLASSES, len(groups)))
    for number, classes in enumerate(groups.values()):
        words[classes, number] = 1
    return words


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def _compare(photo: Photo, words: Floats, wanted: Floats, given: Floats) -> Comparison:
    best = int(wanted.argmax())
    confidence = float(wanted[best])
    float_words, integer_words = wanted @ words, given @ words
    said = np.maximum(float_words, integer_words) >= _LEAST_CONFIDENCE
    rounded = np.round(given * _ROUGH_STEPS) / _ROUGH_STEPS
    return Comparison(
        photo,
        best,
        int(given.argmax()),
        confidence,
        abs(confidence - float(given[best])),
        float(np.abs(float_words - integer_words)[said].mean()),
        float((integer_words - rounded @ words).max()),
    )


def summary(title: str, compared: Sequence[Comparison]) -> str:
    """Return one line of figures."""
    agreeing = sum(item.agrees for item in compared)
    drift = statistics.fmean(item.drift for item in compared)
    words = statistics.fmean(item.word_drift for item in compared)
    lost = statistics.fmean(item.rounded_away for item in compared)
    return (
        f"{title}: same best class {agreeing} of {len(compared)}, mean |confidence difference| {drift:.4f}, "
        f"of everyday words {words:.4f}; probabilities in 1/256 would lose {lost:.3f} of one word a view"
    )


def milliseconds(model: bytes, picture: Input) -> float:
    """Return the median time of one inference, one thread."""
    runner = Runner(model)
    tensor = np.zeros(picture.shape[1:], np.uint8)
    times = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        runner.run(tensor)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
