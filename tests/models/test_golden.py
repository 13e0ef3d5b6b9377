"""Golden photos: what they must give, within the tolerance, and the first as the best of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edged.errors import ModelError
from edged.labeling.label import Label, ModelRef
from edged.labeling.preprocess import Fit
from edged.labeling.vocabulary import Detail, Group
from edged.models.golden import check_golden
from edged.models.member import Expected, GoldenPhoto, Member, Package

if TYPE_CHECKING:
    from collections.abc import Sequence

PHOTO = Path("golden_cat.jpg")
GROUPS = (Group("Animal", (0, 1, 2)), Group("Cat", (0, 1)), Group("Dog", (2,)))
FINE = [
    Label("tabby", 0.5, 0),
    Label("Person", 0.4, 0, "people"),
    Label("tiger cat", 0.25, 1),
    Label("beagle", 0.125, 2),
]
EVERYDAY = [
    Label("Animal", 0.875, 0),
    Label("Cat", 0.75, 0),
    Label("Person", 0.4, 0, "people"),
    Label("Dog", 0.125, 2),
]


def look(photo: Path, detail: Detail) -> Sequence[Label]:
    """What a model sees that is sure of a cat."""
    assert photo == PHOTO
    both = sorted(FINE + EVERYDAY[:2] + EVERYDAY[3:], key=lambda label: -label.confidence)
    return {Detail.FINE: FINE, Detail.EVERYDAY: EVERYDAY, Detail.BOTH: both}[detail]


def package(*labels: tuple[str, float], tolerance: float = 0.1) -> Package:
    members = [
        Member(name, Path("m.tflite"), None, (), None, Fit.STRETCH, 0.0, groups)
        for name, groups in (("things", GROUPS), ("people", ()))
    ]
    golden = GoldenPhoto(PHOTO, tuple(Expected(*label) for label in labels), tolerance)
    return Package(ModelRef("m", "1.0.0", "sha256:0"), tuple(members), (golden,))


@pytest.mark.parametrize(
    "labels",
    [
        [("tabby", 0.5)],
        [("tabby", 0.42)],
        [("Cat", 0.8)],
        [("Animal", 0.875)],
        [("Person", 0.5)],
        [("Cat", 0.75), ("tabby", 0.5), ("beagle", 0.1), ("Person", 0.4)],
    ],
)
def test_photo_that_gives_what_it_must_proves_the_model(labels: list[tuple[str, float]]) -> None:
    check_golden(package(*labels), look)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([("tabby", 0.39)], r"golden_cat\.jpg: must give tabby 0\.39 ± 0\.1; gives tabby 0\.50, Animal 0\.88"),
        ([("Horse", 0.5)], r"must give Horse 0\.50 ± 0\.1; gives Animal 0\.88"),
        ([("tabby", 0.5), ("beagle", 0.5)], r"must give beagle 0\.50"),
        ([("tiger cat", 0.25)], r"must give tiger cat as the best of its kind; gives tiger cat 0\.25, Animal"),
        ([("Dog", 0.125)], "must give Dog as the best of its kind"),
    ],
)
def test_photo_that_gives_something_else_is_named_with_both(labels: list[tuple[str, float]], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        check_golden(package(*labels), look)


def test_tolerance_is_the_photos_own() -> None:
    check_golden(package(("tabby", 0.48), tolerance=0.02), look)
    with pytest.raises(ModelError):
        check_golden(package(("tabby", 0.47), tolerance=0.02), look)


def test_package_without_golden_photos_has_nothing_to_show() -> None:
    check_golden(Package(ModelRef("m", "1.0.0", "sha256:0"), package().members), look)


def test_model_that_sees_nothing_gives_nothing() -> None:
    with pytest.raises(ModelError, match="gives nothing"):
        check_golden(package(("tabby", 0.05)), lambda _photo, _detail: [])
