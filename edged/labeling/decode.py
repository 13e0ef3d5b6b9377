"""Scores to labels: dequantised, filtered, best first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from edged.errors import ModelError
from edged.labeling.label import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edged.engine.worker.wire import TensorSpec

BYTES = (np.dtype(np.uint8), np.dtype(np.int8))
ROUNDING = 0.02  # quantised and float softmax alike may come out a little above 1


@dataclass(frozen=True, slots=True)
class Choice:
    """Which labels are wanted.

    Attributes:
        threshold: least confidence; a label at exactly the threshold counts.
        max_results: at most so many labels.
        allow: texts or slugs of the only labels wanted; empty means all.
        deny: texts or slugs of labels that are not wanted.
    """

    threshold: float = 0.0
    max_results: int = 10
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LabelSet:
    """A model's labels by class index, and which of them a choice lets through (None: all)."""

    texts: tuple[str, ...]
    wanted: NDArray[np.bool_] | None

    @classmethod
    def of(cls, texts: Sequence[str], slugs: Sequence[str], choice: Choice) -> LabelSet:
        """Apply the allow and deny lists once, so that a frame costs no string comparison."""
        wanted = None
        if choice.allow or choice.deny:
            names = list(zip(texts, slugs, strict=True))
            wanted = np.array([_wanted(choice, text, slug) for text, slug in names], dtype=np.bool_)
        return cls(tuple(texts), wanted)


def _wanted(choice: Choice, text: str, slug: str) -> bool:
    if choice.allow and not choice.allow & {text, slug}:
        return False
    return not choice.deny & {text, slug}


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


def decode(scores: NDArray[np.generic], spec: TensorSpec, labels: LabelSet, choice: Choice) -> tuple[Label, ...]:
    """The wanted labels at or above the threshold, best first, ties by index.

    Args:
        scores: one output tensor, in the model's own type.
        spec: its quantisation: confidence = (score - zero_point) * scale, in float64, since the difference of two uint8
            does not fit into one.
        labels: the model's labels.
        choice: which of them are wanted.

    Raises:
        ModelError: the scores are no confidences.
    """
    flat = scores.reshape(-1)
    if spec.scale > 0 and flat.dtype in BYTES:  # a thousand scores need not become float64 to find the few that count
        passing = np.greater_equal(flat, _least_score(flat.dtype, spec.scale, spec.zero_point, choice.threshold))
    else:
        confidences = flat.astype(np.float64)
        if spec.scale > 0:
            confidences = (confidences - spec.zero_point) * spec.scale
        passing = (confidences >= choice.threshold) & (confidences < np.inf)  # neither is true for NaN
    if labels.wanted is not None:
        passing &= labels.wanted
    indices = passing.nonzero()[0]
    if not indices.size:
        return ()
    # From here on plain Python: for a few labels it is quicker than numpy, whose code is not in the caches by now.
    values = zip(flat[indices].tolist(), indices.tolist(), strict=True)
    found = sorted((-_confidence(value, spec), index) for value, index in values)
    if found[0][0] < -1 - ROUNDING:
        raise ModelError(
            f"the model's scores are no confidences: {-found[0][0]:g} is above 1 (logits, without softmax?)"
        )
    return tuple(
        Label(labels.texts[index], min(-negative, 1.0), index) for negative, index in found[: choice.max_results]
    )


def _confidence(score: float, spec: TensorSpec) -> float:
    return (score - spec.zero_point) * spec.scale if spec.scale > 0 else score


@lru_cache(maxsize=256)
def _least_score(dtype: np.dtype[np.generic], scale: float, zero_point: int, threshold: float) -> int:
    """The least score of a byte that reaches the threshold; one past the largest where none does."""
    limits = np.iinfo(str(dtype))
    scores = np.arange(limits.min, limits.max + 1, dtype=np.float64)
    return int(limits.max) + 1 - int(np.count_nonzero((scores - zero_point) * scale >= threshold))
