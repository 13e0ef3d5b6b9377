"""Scores to labels, against a slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edged.engine.worker.wire import TensorSpec
from edged.errors import ModelError
from edged.labeling.decode import Choice, LabelSet, class_count, decode
from edged.labeling.label import Label
from edged.labeling.slug import slugs

TEXTS = ("Cat", "Dog", "Hot dog!", "Cat", "")


def spec(dtype: str = "float32", count: int = 5, scale: float = 0.0, zero: int = 0) -> TensorSpec:
    return TensorSpec("output", (1, count), dtype, scale, zero)


def labels_of(scores: list[float], choice: Choice | None = None, texts: tuple[str, ...] = TEXTS) -> tuple[Label, ...]:
    wanted = choice or Choice()
    values = np.array([scores], np.float32)
    return decode(values, spec(count=len(texts)), LabelSet.of(texts, slugs(texts), wanted), wanted)


def slow(values: list[int], scale: float, zero: int, choice: Choice, texts: tuple[str, ...]) -> list[Label]:
    """Plain Python integers and a sort."""
    found = []
    names = slugs(texts)
    for index, value in enumerate(values):
        confidence = (value - zero) * scale
        listed = {texts[index], names[index]}
        if confidence >= choice.threshold and (not choice.allow or listed & choice.allow) and not listed & choice.deny:
            found.append(Label(texts[index], confidence, index))
    found.sort(key=lambda label: (-label.confidence, label.index))
    return found[: choice.max_results]


choices = st.builds(
    Choice,
    threshold=st.one_of(st.floats(0, 1), st.integers(0, 255).map(lambda number: number / 256)),
    max_results=st.integers(1, 8),
    allow=st.frozensets(st.sampled_from(["Cat", "Dog", "hot-dog", "label-3", "cat", "unknown"]), max_size=2),
    deny=st.frozensets(st.sampled_from(["Cat", "Hot dog!", "dog", "label-4"]), max_size=2),
)


@given(hnp.arrays(np.uint8, 5), st.integers(0, 255), choices)
def test_uint8_scores_are_what_slow_integers_give(values: np.ndarray, zero: int, choice: Choice) -> None:
    texts = LabelSet.of(TEXTS, slugs(TEXTS), choice)
    got = decode(values.reshape(1, 1, 1, 5), spec("uint8", 5, 1 / 256, zero), texts, choice)
    assert list(got) == slow(values.tolist(), 1 / 256, zero, choice, TEXTS)


@given(hnp.arrays(np.int8, 5), st.integers(-128, 0), choices)
def test_int8_scores_are_what_slow_integers_give(values: np.ndarray, zero: int, choice: Choice) -> None:
    texts = LabelSet.of(TEXTS, slugs(TEXTS), choice)
    got = decode(values.reshape(1, 5), spec("int8", 5, 1 / 256, zero), texts, choice)
    assert list(got) == slow(values.tolist(), 1 / 256, zero, choice, TEXTS)


def test_difference_of_two_bytes_does_not_wrap() -> None:
    got = decode(
        np.array([[5, 200]], np.uint8), spec("uint8", 2, 1 / 256, 10), LabelSet(("a", "b"), None), Choice(threshold=0.0)
    )
    assert got == (Label("b", 190 / 256, 1),)


def test_threshold_counts_what_is_exactly_at_it() -> None:
    assert [label.index for label in labels_of([0.5, 0.25, 0.75, 0.4999, 0.0], Choice(threshold=0.5))] == [2, 0]
    assert len(labels_of([0.0] * 5)) == 5


def test_best_come_first_and_ties_by_index() -> None:
    assert [label.index for label in labels_of([0.25, 0.5, 0.25, 0.5, 0.25])] == [1, 3, 0, 2, 4]
    assert [label.index for label in labels_of([0.25, 0.5, 0.25, 0.5, 0.25], Choice(max_results=3))] == [1, 3, 0]


@pytest.mark.parametrize(
    ("allow", "deny", "indices"),
    [
        ({"Cat"}, set(), [0, 3]),
        ({"cat"}, set(), [0]),
        ({"hot-dog"}, set(), [2]),
        ({"Hot dog!", "label-4"}, set(), [2, 4]),
        (set(), {"Cat"}, [1, 2, 4]),
        (set(), {"cat", "dog"}, [2, 3, 4]),
        ({"unknown"}, set(), []),
    ],
)
def test_lists_name_texts_or_slugs(allow: set[str], deny: set[str], indices: list[int]) -> None:
    choice = Choice(allow=frozenset(allow), deny=frozenset(deny))
    assert [label.index for label in labels_of([0.5] * 5, choice)] == indices


def test_scores_that_are_no_numbers_are_no_labels() -> None:
    got = labels_of([math.nan, 0.5, math.inf, -math.inf, 0.25])
    assert [label.index for label in got] == [1, 4]


def test_rounding_above_one_is_one() -> None:
    assert labels_of([1.0000001, 0, 0, 0, 0])[0].confidence == 1.0


def test_logits_are_refused_rather_than_called_confidences() -> None:
    with pytest.raises(ModelError, match=r"13\.5 is above 1 \(logits"):
        labels_of([-4.0, 13.5, 2.0, 0.5, 0.0])


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


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 0), ("uint8", 7), ("int8", -128), ("int8", 3)])
@given(st.floats(0, 1), st.sampled_from([1 / 256, 1 / 255, 0.004]))
def test_a_byte_counts_exactly_where_its_confidence_reaches_the_threshold(
    dtype: str, zero: int, threshold: float, scale: float
) -> None:
    limits = np.iinfo(dtype)
    scores = np.arange(limits.min, limits.max + 1).astype(dtype)
    confidences = (scores.astype(np.float64) - zero) * scale
    names = tuple(map(str, scores))
    nearest = float(np.clip(confidences[np.abs(confidences - threshold).argmin()], 0, 1))
    for edge in (threshold, nearest):
        choice = Choice(edge, max_results=256)
        found = decode(scores, spec(dtype, 256, scale, zero), LabelSet.of(names, names, choice), choice)
        assert {label.text for label in found} == {str(score) for score in scores[confidences >= edge]}
