"""Confidences to labels: what slow lists and a sort give, whatever is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.labeling.decode import Choice, decode, merge
from edged.labeling.label import Label
from edged.labeling.vocabulary import Detail, Group, Vocabulary, Word, vocabularies

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXTS = ("Cat", "Dog", "Hot dog!", "Cat", "")
GROUPS = (Group("Pet", (0, 1, 3)), Group("Dog", (1,)), Group("Thing", (4, 2)), Group("Cat", (0, 3)))
QUARTERS = [number / 8 for number in range(9)]  # exact in binary, so that sums are, and many ties


def words_of(texts: Sequence[str] = TEXTS, groups: Sequence[Group] = ()) -> Vocabulary:
    return vocabularies([("things", texts, groups)], first="things")[0]


def labels_of(
    scores: Sequence[float], choice: Choice | None = None, groups: Sequence[Group] = (), texts: Sequence[str] = TEXTS
) -> tuple[Label, ...]:
    wanted = choice or Choice()
    found = decode(np.array(scores, np.float64), wanted.candidates(words_of(texts, groups)), wanted)
    return merge(found, wanted.max_results)


def slow(scores: Sequence[float], words: Vocabulary, choice: Choice) -> list[Label]:
    """One candidate after the other, in plain Python."""
    candidates: list[tuple[Word, float, int]] = []
    if choice.detail is not Detail.FINE:
        for word, under in zip(words.groups, words.under, strict=True):
            best = max(under, key=lambda index: scores[index])  # the first of those that are equal
            candidates.append((word, min(sum(scores[index] for index in under), 1.0), best))
    if choice.detail is not Detail.EVERYDAY or not words.groups:
        candidates += [(word, scores[index], index) for index, word in enumerate(words.classes)]
    best_of: dict[str, Label] = {}
    for word, confidence, index in sorted(candidates, key=lambda entry: (-entry[1], entry[2])):
        names = {word.text, word.slug}
        if confidence >= choice.threshold and (not choice.allow or names & choice.allow) and not names & choice.deny:
            best_of.setdefault(word.text, Label(word.text, confidence, index))
    return list(best_of.values())[: choice.max_results]


choices = st.builds(
    Choice,
    threshold=st.one_of(st.floats(0, 1), st.sampled_from(QUARTERS)),
    max_results=st.integers(1, 8),
    allow=st.frozensets(st.sampled_from(["Cat", "Dog", "hot-dog", "label-3", "cat", "Pet", "unknown"]), max_size=2),
    deny=st.frozensets(st.sampled_from(["Cat", "Hot dog!", "dog", "label-4", "pet"]), max_size=2),
    detail=st.sampled_from(Detail),
)


@given(hnp.arrays(np.float64, 5, elements=st.sampled_from(QUARTERS)), choices, st.sampled_from([(), GROUPS]))
def test_labels_are_what_slow_lists_give(scores: np.ndarray, choice: Choice, groups: tuple[Group, ...]) -> None:
    words = words_of(TEXTS, groups)
    assert list(labels_of(scores.tolist(), choice, groups)) == slow(scores.tolist(), words, choice)


@given(st.data())
def test_the_best_of_many_labels_are_what_slow_lists_give(data: st.DataObject) -> None:
    count = data.draw(st.integers(20, 60))
    scores = data.draw(hnp.arrays(np.float64, count, elements=st.sampled_from(QUARTERS)))
    texts = data.draw(st.lists(st.sampled_from("abcdefghijkl"), min_size=count, max_size=count))
    inside = st.lists(st.integers(0, count - 1), min_size=1, max_size=8, unique=True).map(tuple)
    groups = data.draw(st.dictionaries(st.sampled_from("abcxyz"), inside, max_size=6))
    found = tuple(Group(text, under) for text, under in groups.items())
    choice = Choice(data.draw(st.sampled_from([0.0, 0.5])), data.draw(st.integers(1, 5)))
    assert list(labels_of(scores.tolist(), choice, found, texts)) == slow(
        scores.tolist(), words_of(texts, found), choice
    )


def test_a_group_is_the_sum_of_its_classes_and_points_to_the_most_probable() -> None:
    found = labels_of([0.125, 0.25, 0.0, 0.5, 0.0], Choice(detail=Detail.EVERYDAY, threshold=0.25), GROUPS)
    assert found == (Label("Pet", 0.875, 3), Label("Cat", 0.625, 3), Label("Dog", 0.25, 1))


def test_a_sum_that_rounding_puts_above_one_is_one() -> None:
    found = labels_of([0.504, 0.0, 0.0, 0.504, 0.0], Choice(detail=Detail.EVERYDAY, threshold=0.5), GROUPS)
    assert [(label.text, label.confidence) for label in found] == [("Pet", 1.0), ("Cat", 1.0)]


def test_everyday_words_are_the_groups_and_the_classes_of_a_model_without_any() -> None:
    scores = [0.5, 0.25, 0.125, 0.0, 0.0]
    everyday = Choice(0.1, detail=Detail.EVERYDAY)
    assert [label.text for label in labels_of(scores, everyday, GROUPS)] == ["Pet", "Cat", "Dog", "Thing"]
    assert [label.text for label in labels_of(scores, everyday)] == ["Cat", "Dog", "Hot dog!"]
    fine = labels_of(scores, Choice(0.1, detail=Detail.FINE), GROUPS)
    assert [label.text for label in fine] == ["Cat", "Dog", "Hot dog!"]


def test_a_group_and_a_class_of_one_text_are_one_label_with_the_better_confidence() -> None:
    found = labels_of([0.25, 0.125, 0.0, 0.25, 0.0], Choice(0.1), GROUPS)
    assert [label for label in found if label.text == "Cat"] == [Label("Cat", 0.5, 0)]
    assert [label for label in found if label.text == "Dog"] == [Label("Dog", 0.125, 1)]


def test_labels_of_several_members_are_merged_by_text() -> None:
    first, second = vocabularies(
        [("things", ["Cat", "Person"], ()), ("people", ["Person", "Crowd"], ())], first="things"
    )
    choice = Choice(0.25)
    found = decode(np.array([0.5, 0.25]), choice.candidates(first), choice)
    found += decode(np.array([0.75, 0.5]), choice.candidates(second), choice)
    assert merge(found, 10) == (
        Label("Person", 0.75, 0, "people"),
        Label("Cat", 0.5, 0),
        Label("Crowd", 0.5, 1, "people"),
    )
    assert [label.text for label in merge(found, 1)] == ["Person"]


def test_threshold_counts_what_is_exactly_at_it() -> None:
    assert [label.index for label in labels_of([0.5, 0.25, 0.75, 0.4999, 0.0], Choice(threshold=0.5))] == [2, 0]
    assert len(labels_of([0.0] * 5)) == 4


def test_best_come_first_and_ties_by_index() -> None:
    assert [label.index for label in labels_of([0.25, 0.5, 0.25, 0.25, 0.25])] == [1, 0, 2, 4]
    assert [label.index for label in labels_of([0.25, 0.5, 0.25, 0.5, 0.25], Choice(max_results=3))] == [1, 3, 2]


@pytest.mark.parametrize(
    ("allow", "deny", "indices"),
    [
        ({"Cat"}, set(), [3]),
        ({"cat"}, set(), [0]),
        ({"label-3"}, set(), [3]),
        ({"hot-dog"}, set(), [2]),
        ({"Hot dog!", "label-4"}, set(), [2, 4]),
        (set(), {"Cat"}, [1, 2, 4]),
        (set(), {"cat", "dog"}, [3, 2, 4]),
        ({"unknown"}, set(), []),
    ],
)
def test_lists_name_texts_or_slugs(allow: set[str], deny: set[str], indices: list[int]) -> None:
    choice = Choice(allow=frozenset(allow), deny=frozenset(deny))
    assert [label.index for label in labels_of([0.5, 0.5, 0.5, 0.6, 0.5], choice)] == indices


def test_scores_that_are_no_numbers_are_no_labels() -> None:
    assert [label.index for label in labels_of([math.nan, 0.5, math.nan, math.nan, 0.25])] == [1, 4]


def test_rounding_above_one_is_one() -> None:
    assert labels_of([1.0000001, 0, 0, 0, 0])[0].confidence == 1.0


def test_slugs_are_unique_across_a_package_and_one_for_a_text() -> None:
    things, people = vocabularies(
        [
            ("things", ["T-shirt", "Cat", "Cat", "?"], [Group("T shirt", (0,)), Group("Cat", (1, 2))]),
            ("people", ["Cat", "!"], ()),
        ],
        first="things",
    )
    assert [word.slug for word in things.classes] == ["t-shirt", "cat", "label-2", "label-3"]
    assert [word.slug for word in things.groups] == ["label-4", "cat"]
    assert [word.slug for word in people.classes] == ["cat", "label-5"]
    assert (things.member, people.member) == (None, "people")
