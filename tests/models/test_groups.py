"""`groups.json`: what is one, and what is refused with the word that is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import ModelError
from edged.labeling.vocabulary import Group
from edged.models.groups import read_groups


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=10), st.lists(st.integers(0, 99), min_size=1, unique=True), max_size=10
    )
)
def test_groups_are_what_the_file_says(words: dict[str, list[int]]) -> None:
    found = read_groups(json.dumps(words).encode(), "groups.json", 100)
    assert found == tuple(Group(text, tuple(classes)) for text, classes in words.items())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[1]", "not groups, such as"),
        ("[" * 100_000, "not JSON"),
        ('{"Cat": [281, 282], "Cat": [1]}', "'Cat' is there twice"),
        ('{"Cat": [281, 281]}', "'Cat' has the class 281 twice"),
        ('{"Cat": [1000]}', "'Cat' has the class 1000; the model has 1000, from 0 on"),
        ('{"Cat": [-1]}', "Cat"),
        ('{"Cat": [true]}', "Cat"),
        ('{"Cat": [1.5]}', "Cat"),
        ('{"Cat": []}', "Cat"),
        ('{"Cat": "281"}', "Cat"),
        ('{"Cat": {"a": 1}}', "Cat"),
        ('{"": [1]}', "at least 1 character"),
        ('{"Cat": [NaN]}', "Cat"),
        ('{"Cat": [' + "9" * 5000 + "]}", "groups.json: "),
        (" " * (4 * 2**20 + 1), "larger than 4 MB"),
    ],
)
def test_file_that_is_none_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ModelError, match=r"^groups\.json: ") as caught:
        read_groups(text.encode(), "groups.json", 1000)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_file_that_is_not_text_is_refused() -> None:
    with pytest.raises(ModelError, match="not JSON"):
        read_groups(b"\xff\xfe{", "groups.json", None)
