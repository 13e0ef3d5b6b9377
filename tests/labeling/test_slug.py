"""Labels as parts of a topic: unique, whatever a label file holds."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edged.labeling.slug import slugs

nasty = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "-", "label-0", "label-1", "Label 2", "label-1-", "crane", "Crane", "CRANE!", "+", "#", "a/b"]
    ),
    st.integers(0, 30).map(lambda number: f"label {number}"),
)


@given(st.lists(nasty, max_size=40))
@example(["", "label-0", "label-0-", "LABEL 0"])
@example(["label-1", "label-1", "label-1"])
def test_slugs_are_unique_and_fit_into_a_topic_for_any_labels(texts: list[str]) -> None:
    found = slugs(texts)
    assert len(found) == len(set(found)) == len(texts)
    assert all(re.fullmatch("[a-z0-9][a-z0-9-]*", slug) for slug in found)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["Egyptian cat", "Hot dog, red hot"], ("egyptian-cat", "hot-dog-red-hot")),
        (["crane", "dog", "crane"], ("crane", "dog", "label-2")),
        (["Größe", "猫", "!!!"], ("gr-e", "label-1", "label-2")),
        (["  a  b  "], ("a-b",)),
        (["Café\n", "caf\u00e9"], ("caf", "label-1")),
    ],
)
def test_slugs_of_known_labels(texts: list[str], wanted: tuple[str, ...]) -> None:
    assert slugs(texts) == wanted


@given(st.lists(nasty, max_size=20), st.lists(nasty, max_size=5))
def test_labels_further_down_change_no_slug_above(texts: list[str], more: list[str]) -> None:
    assert slugs([*texts, *more])[: len(texts)] == slugs(texts)
