"""Round weights to integers so that the layer's answers change least, not so that each weight does.

The method is GPTQ (Frantar et al. 2022, arXiv:2210.17323): weights are rounded one input at a time, and the error of
each is spread over the inputs not yet rounded, by how inputs vary together on real photos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

LARGEST: Final = 127
# Keeps the rounding near the plain one where sixteen photos say little; 0.1 was best of 0.001, 0.01, 0.1 and 1.
_DAMPING: Final = 0.1
_COLUMNS_AT_A_TIME: Final = 64


def round_weights(weights: Floats, scales: Floats, covariance: Floats) -> Floats:
    """Return integers in [-127, 127] as float64, of the shape of `weights`.

    weights: [out, in]. scales: [out], the real value of one step. covariance: [in, in], of the inputs about their mean
    (the mean is the bias's to correct).
    """
    count = weights.shape[1]
    if not covariance.any():  # inputs that never change: any rounding is as good
        covariance = np.eye(count)
    damped = covariance + np.eye(count) * _DAMPING * float(np.mean(np.diag(covariance)))
    order = np.argsort(-np.diag(damped), kind="stable")  # the inputs that matter most go first, while all can help
    remaining = weights[:, order]
    spread = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    rounded = np.empty_like(remaining)
    for start in range(0, count, _COLUMNS_AT_A_TIME):
        end = min(start + _COLUMNS_AT_A_TIME, count)
        errors = np.empty((len(weights), end - start))
        for column in range(start, end):
            rounded[:, column] = np.clip(np.round(remaining[:, column] / scales), -LARGEST, LARGEST)
            error = (remaining[:, column] - rounded[:, column] * scales) / spread[column, column]
            remaining[:, column:end] -= error[:, None] * spread[column, column:end]
            errors[:, column - start] = error
        remaining[:, end:] -= errors @ spread[start:end, end:]
    integers = np.empty_like(rounded)
    integers[:, order] = rounded
    return integers
