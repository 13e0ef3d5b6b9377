"""A model's output to confidences: dequantised, activated, calibrated, and refused where it would be none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edged.errors import ModelError
from edged.labeling.activation import Activation
from edged.labeling.calibration import ScoreCalibration, calibrate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edged.engine.worker.wire import TensorSpec

BYTES: Final = 256
ROUNDING: Final = 0.02  # quantised and float softmax alike may come out a little outside of [0, 1]
NAME_IT: Final = (
    "they are logits, or those of another kind of model. Say what is still to be applied to them:"
    " `activation: softmax` (one class of all), `activation: sigmoid` (each class by itself) or `activation: none`,"
    " as a line of the member in model.yaml; or --activation softmax (ImageLabeler: activation=)"
)


def class_count(spec: TensorSpec) -> int:
    """The number of classes of an output [1, N] or [1, 1, 1, N].

    Raises:
        ModelError: the output is not a classifier's.
    """
    if len(spec.shape) not in (2, 4) or any(side != 1 for side in spec.shape[:-1]):
        raise ModelError(
            f"the model's output is {list(spec.shape)}; a classifier's is [1, classes] or [1, 1, 1, classes]"
        )
    if spec.dtype not in ("uint8", "int8", "float32"):
        raise ModelError(f"the model's output is {spec.dtype}; a classifier's is uint8, int8 or float32")
    if spec.dtype != "float32" and spec.scale <= 0:
        raise ModelError(f"the model's output is {spec.dtype} and does not say what its numbers mean (no quantisation)")
    return spec.shape[-1]


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """How the numbers of one output become confidences.

    Attributes:
        activation: what is still to be applied to them; None: nobody says, so that scores outside [0, 1] are refused.
        calibration: what makes them comparable afterwards, where there is one.
        table: of an output of bytes: what each of the 256 becomes, seen as uint8. For a softmax: e to the power of each
            difference from the largest score. In float64, as the difference of two uint8 does not fit into one.
    """

    activation: Activation | None
    calibration: ScoreCalibration | None
    table: NDArray[np.float64] | None

    @classmethod
    def of(
        cls, spec: TensorSpec, activation: Activation | None = None, calibration: ScoreCalibration | None = None
    ) -> ScoreRule:
        """Read the rule off an output.

        Raises:
            ModelError: its quantisation reaches beyond [0, 1], and nobody says what is to be done about it.
        """
        if spec.dtype == "float32":
            return cls(activation, calibration, None)
        values = np.arange(BYTES, dtype=np.uint8).view(spec.dtype).astype(np.float64)
        scores = (values - spec.zero_point) * spec.scale
        if activation is None and calibration is None:
            _check_range(float(scores.min()), float(scores.max()), "can be")
        if activation is Activation.SOFTMAX:
            return cls(activation, calibration, np.exp(-spec.scale * np.arange(BYTES)))
        return cls(activation, calibration, _sigmoid(scores) if activation is Activation.SIGMOID else scores)

    @property
    def must_be_seen(self) -> bool:
        """Whether the numbers have to be seen to know that they are confidences."""
        return self.table is None and self.activation is None and self.calibration is None

    def confidences(self, output: NDArray[np.generic]) -> NDArray[np.float64]:
        """Confidences by class, (N,); NaN for a score that is no number. They may be a little outside [0, 1].

        Raises:
            ModelError: they are far outside, and nobody says what is to be done about it.
        """
        flat = output.reshape(-1)
        result = self._of_floats(flat.astype(np.float64)) if self.table is None else self._of_bytes(flat, self.table)
        return result if self.calibration is None else calibrate(result, self.calibration)

    def _of_bytes(self, flat: NDArray[np.generic], table: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.activation is not Activation.SOFTMAX:
            return table.take(flat.view(np.uint8))
        largest = flat.max().astype(np.int16)
        powers = table.take((largest - flat).astype(np.uint8))
        shares: NDArray[np.float64] = powers / powers.sum()
        return shares

    def _of_floats(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        finite = np.isfinite(scores)
        if not finite.all():
            scores = np.where(finite, scores, np.nan)
        if self.activation is Activation.SOFTMAX:
            powers = np.exp(scores - (np.nanmax(scores) if finite.any() else 0.0))
            shares: NDArray[np.float64] = powers / np.nansum(powers)
            return shares
        if self.activation is Activation.SIGMOID:
            return _sigmoid(scores)
        if self.activation is None and self.calibration is None and finite.any():
            _check_range(float(np.fmin.reduce(scores)), float(np.fmax.reduce(scores)), "are")
        return scores


def _sigmoid(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    small = np.exp(-np.abs(scores))  # of the two forms of one number, the one that cannot overflow
    result: NDArray[np.float64] = np.where(scores >= 0, 1.0, small) / (1.0 + small)
    return result


def _check_range(least: float, most: float, are: str) -> None:
    if least < -ROUNDING or most > 1 + ROUNDING:
        raise ModelError(
            f"the model's scores {are} from {least:.4g} to {most:.4g}, so they are no confidences, which are from 0 to"
            f" 1; {NAME_IT}"
        )
