"""Score calibration: what makes the scores of different classes comparable, as TFLite Metadata has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from edged.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_LOGARITHM: Final = 1e-16  # the Task Library's kLogScoreMinimum


class Transformation(StrEnum):
    """What is done to a score before calibration, in the schema's order."""

    IDENTITY = "identity"
    LOG = "log"
    INVERSE_LOGISTIC = "inverse logistic"


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """How the score of one class is calibrated; `least` is the score below which it is not, where there is one."""

    scale: float
    slope: float
    offset: float
    least: float | None = None


@dataclass(frozen=True)
class ScoreCalibration:
    """How scores are made comparable between classes; None for a class whose score is always the default."""

    transformation: Transformation
    default: float
    sigmoids: tuple[Sigmoid | None, ...]

    @cached_property
    def columns(self) -> NDArray[np.float64]:
        """Scale, slope, offset and least score, each by class; a class without numbers has NaN."""
        none = Sigmoid(math.nan, math.nan, math.nan)
        rows = [
            (row.scale, row.slope, row.offset, -math.inf if row.least is None else row.least)
            for row in (row or none for row in self.sigmoids)
        ]
        return np.array(rows).reshape(-1, 4).T


def calibrate(scores: NDArray[np.float64], calibration: ScoreCalibration) -> NDArray[np.float64]:
    """Scores by class (on the last axis), calibrated: scale / (1 + e^-(slope * g(x) + offset)).

    A score below the class's least, and every score of a class without numbers, becomes the default. The logarithms go
    on smoothly below 1e-16. All of it is the Task Library's, whose code has `<` where the schema has `>`.

    Raises:
        ModelError: there are not as many classes.
    """
    lines, classes = len(calibration.sigmoids), scores.shape[-1]
    if lines != classes:
        raise ModelError(f"the model has {classes} classes and its score calibration {lines} lines")
    scale, slope, offset, least = calibration.columns
    with np.errstate(all="ignore"):  # scores that are no numbers stay none
        power = slope * _transform(scores, calibration.transformation) + offset
        small = np.exp(-np.abs(power))  # of the two forms of one number, the one that cannot overflow
        calibrated = scale * np.where(power >= 0, 1, small) / (1 + small)
    return np.where(np.isnan(scale) | (scores < least), calibration.default, calibrated)


def _transform(scores: NDArray[np.float64], transformation: Transformation) -> NDArray[np.float64]:
    match transformation:
        case Transformation.IDENTITY:
            return scores
        case Transformation.LOG:
            return _logarithm(scores)
        case Transformation.INVERSE_LOGISTIC:
            return _logarithm(scores) - _logarithm(1 - scores)


def _logarithm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(x), and below the least x its mirror image: order stays, and nothing becomes infinite."""
    least = _LEAST_LOGARITHM
    below = 2 * math.log(least) - np.log(2 * least - np.minimum(values, least))
    result: NDArray[np.float64] = np.where(values < least, below, np.log(np.maximum(values, least)))
    return result
