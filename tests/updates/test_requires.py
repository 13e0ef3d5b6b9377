"""What a model asks of a device."""

from __future__ import annotations

import platform

import pytest

from edged.errors import UsageError
from edged.updates.requires import parse_requirement, unmet


@pytest.mark.parametrize(
    ("asked", "version", "met"),
    [
        (">=0.1", "0.1.0", True),
        (">=0.2", "0.1.9", False),
        (">=0.10", "0.9.0", False),
        (">=0.2,<2", "1.9.9", True),
        (">=0.2, <2", "2.0.0", False),
        ("==0.1", "0.1.0", True),
        (">0.1", "0.1.0", False),
        ("<=0.1", "0.1.0rc1", True),
        ("soon", "1.0.0", False),
        ("", "1.0.0", False),
        (">=0.1 or so", "1.0.0", False),
    ],
)
def test_edged_is_compared_number_by_number(asked: str, version: str, *, met: bool) -> None:
    assert (unmet({"edged": asked}, version=version) is None) is met


def test_machine_is_one_of_those_named() -> None:
    assert unmet({"machine": "x86_64, aarch64"}, machine="aarch64") is None
    assert unmet({"machine": "x86_64"}, machine="aarch64") == "it is for x86_64, this machine is aarch64"
    assert unmet({"machine": platform.machine()}) is None


def test_what_is_not_known_is_not_met_and_nothing_asked_is() -> None:
    assert "magic 3, which this edged (9.9) cannot judge" in str(unmet({"magic": "3"}, version="9.9"))
    assert unmet({}) is None


@pytest.mark.parametrize("text", ["edged=>=0.2,<2", "machine=aarch64", "machine=aarch64,x86_64"])
def test_operators_words_are_taken_as_they_are(text: str) -> None:
    assert "=".join(parse_requirement(text)) == text


@pytest.mark.parametrize("text", ["edged", "edged=", "edged=0.2", "edged=>=x", "edge=>=1", "machine=", "machine=a b"])
def test_wrong_words_are_said_with_what_would_be_right(text: str) -> None:
    with pytest.raises(UsageError, match=r"--requires .*such as"):
        parse_requirement(text)
