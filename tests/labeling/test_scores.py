"""Outputs to confidences: what slow arithmetic gives, for every type, activation and calibration."""

from __future__ import annotations

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker.wire import TensorSpec
from edged.errors import ModelError
from edged.labeling.activation import Activation
from edged.labeling.calibration import ScoreCalibration, Sigmoid, Transformation
from edged.labeling.scores import ScoreRule, class_count

SOFTMAX, SIGMOID, NONE = Activation.SOFTMAX, Activation.SIGMOID, Activation.NONE


def spec(dtype: str = "float32", count: int = 5, scale: float = 0.0, zero: int = 0) -> TensorSpec:
    return TensorSpec("output", (1, count), dtype, scale, zero)


def slow_softmax(scores: list[float]) -> list[float]:
    largest = max(scores)
    powers = [math.exp(score - largest) for score in scores]
    return [power / math.fsum(powers) for power in powers]


def slow_sigmoid(scores: list[float]) -> list[float]:
    return [math.exp(score) / (1 + math.exp(score)) if score < 0 else 1 / (1 + math.exp(-score)) for score in scores]


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 0), ("uint8", 7), ("int8", -128), ("int8", 3)])
@given(st.data(), st.sampled_from([1 / 256, 0.1, 3.0]), st.sampled_from([NONE, SOFTMAX, SIGMOID]))
def test_bytes_are_what_slow_arithmetic_gives(
    dtype: str, zero: int, data: st.DataObject, scale: float, activation: Activation
) -> None:
    values = data.draw(hnp.arrays(dtype, 5))
    scores = [(int(value) - zero) * scale for value in values]  # the difference of two bytes does not fit into one
    wanted = {NONE: lambda each: each, SOFTMAX: slow_softmax, SIGMOID: slow_sigmoid}[activation](scores)
    got = ScoreRule.of(spec(dtype, 5, scale, zero), activation).confidences(values.reshape(1, 1, 1, 5))
    assert got.tolist() == (wanted if activation is NONE else pytest.approx(wanted, abs=1e-12))


@given(hnp.arrays(np.float32, 5, elements=st.floats(-1000, 1000, width=32)), st.sampled_from([SOFTMAX, SIGMOID]))
def test_floats_are_what_slow_arithmetic_gives(values: np.ndarray, activation: Activation) -> None:
    wanted = {SOFTMAX: slow_softmax, SIGMOID: slow_sigmoid}[activation](values.astype(float).tolist())
    assert ScoreRule.of(spec(), activation).confidences(values).tolist() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("activation", [None, NONE, SOFTMAX, SIGMOID])
def test_scores_that_are_no_numbers_stay_none_and_spoil_no_others(activation: Activation | None) -> None:
    values = np.array([math.nan, 0.5, math.inf, -math.inf, 0.5], np.float32)
    got = ScoreRule.of(spec(), activation).confidences(values)
    assert np.isnan(got[[0, 2, 3]]).all()
    assert got[1] == got[4] == pytest.approx(slow_sigmoid([0.5])[0] if activation is SIGMOID else 0.5)
    assert np.isnan(ScoreRule.of(spec(), activation).confidences(np.full(3, math.nan, np.float32))).all()


@pytest.mark.parametrize("values", [[-4.0, 13.5, 2.0], [0.5, 1.03, 0.0], [-0.03, 0.5, 0.5], [-1.0, -2.0, math.nan]])
def test_floats_outside_of_0_to_1_are_refused_until_their_activation_is_named(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    with pytest.raises(ModelError, match=r"are logits.*`activation: softmax`.*model\.yaml; or --activation"):
        ScoreRule.of(spec()).confidences(scores)
    for activation in Activation:
        ScoreRule.of(spec(), activation).confidences(scores)


def test_rounding_outside_of_0_to_1_is_no_reason() -> None:
    assert ScoreRule.of(spec()).confidences(np.array([1.001, -0.001], np.float32))[0] == pytest.approx(1.001)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero", "refused"),
    [
        ("uint8", 1 / 256, 0, False),
        ("uint8", 1 / 255, 3, False),
        ("int8", 1 / 256, -128, False),
        ("uint8", 0.1, 128, True),
        ("int8", 0.2, 10, True),
        ("uint8", 1 / 128, 0, True),
        ("int8", 1 / 256, 0, True),
    ],
)
def test_bytes_that_reach_outside_are_refused_before_a_picture_is_seen(
    dtype: str, scale: float, zero: int, *, refused: bool
) -> None:
    output = spec(dtype, 5, scale, zero)
    if refused:
        with pytest.raises(ModelError, match=r"scores can be from .* to .*, so they are no confidences"):
            ScoreRule.of(output)
    else:
        ScoreRule.of(output)
    for activation in Activation:
        ScoreRule.of(output, activation)


def test_calibration_comes_after_the_activation() -> None:
    calibration = ScoreCalibration(Transformation.IDENTITY, 0.1, (Sigmoid(0.9, 2.0, -1.0), None, Sigmoid(1, 0, 0, 0.5)))
    values = np.array([3.0, 2.0, 1.0], np.float32)
    first, _, third = slow_softmax(values.tolist())
    got = ScoreRule.of(spec(count=3), SOFTMAX, calibration).confidences(values)
    assert third < 0.5
    assert got.tolist() == pytest.approx([0.9 * slow_sigmoid([2 * first - 1])[0], 0.1, 0.1])


@pytest.mark.parametrize("shape", [(1, 5), (1, 1, 1, 5)])
def test_classifiers_have_their_classes_in_the_last_axis(shape: tuple[int, ...]) -> None:
    assert class_count(TensorSpec("output", shape, "float32", 0.0, 0)) == 5


@pytest.mark.parametrize("shape", [(5,), (2, 5), (1, 10, 4), (1, 7, 7, 5), ()])
def test_other_outputs_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"a classifier's is \[1, classes\]"):
        class_count(TensorSpec("output", shape, "float32", 0.0, 0))


@pytest.mark.parametrize(("dtype", "scale"), [("int32", 0.1), ("int64", 0.0), ("uint8", 0.0), ("int8", 0.0)])
def test_outputs_without_a_known_meaning_are_refused(dtype: str, scale: float) -> None:
    with pytest.raises(ModelError, match=f"output is {dtype}"):
        class_count(spec(dtype, scale=scale))
