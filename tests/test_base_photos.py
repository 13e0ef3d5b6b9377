"""Golden cases that run everywhere: the base model on photos of published packages, one for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edged import ImageLabeler
from edged.models.package import find_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.demo.media import Media
    from edged.labeling.label import Label


@pytest.fixture(scope="module")
def base() -> Iterator[ImageLabeler]:
    if not (find_model("base") / "model.yaml").exists():
        pytest.skip("models/base has not been built")
    with ImageLabeler(threads=1) as labeler:
        yield labeler


def _confidences(labels: list[Label]) -> dict[str, float]:
    return {label.text: label.confidence for label in labels}


def test_whole_photo_is_stretched(base: ImageLabeler, media: Media) -> None:
    for photo, text, least in (("coffee.png", "Espresso", 0.8), ("chelsea.png", "Egyptian cat", 0.65)):
        assert _confidences(base.process(media.photos / photo))[text] > least


def test_everyday_word_is_surer_than_each_of_its_classes(base: ImageLabeler, media: Media) -> None:
    found = _confidences(base.process(media.photos / "chelsea.png"))
    assert found["Cat"] > 0.9
    assert found["Animal"] > found["Cat"] > found["Egyptian cat"]


def test_person_is_known_and_what_is_none_is_not_called_one(base: ImageLabeler, media: Media) -> None:
    (person,) = (label for label in base.process(media.photos / "astronaut.png") if label.text == "Person")
    assert person.confidence > 0.9
    assert person.member == "people"
    for photo in ("coffee.png", "chelsea.png", "rocket.jpg", "china.jpg"):
        assert "Person" not in _confidences(base.process(media.photos / photo)), photo


def test_rotation_brings_the_photo_upright(base: ImageLabeler, media: Media) -> None:
    upright = _confidences(base.process(media.photos / "motorcycle_left.png"))
    pixels = np.asarray(Image.open(media.photos / "motorcycle_left.png").convert("RGB"))
    assert "Motorcycle" in upright
    assert "Motorcycle" not in _confidences(base.process(pixels[::-1, ::-1]))
    for quarters, rotation in ((1, 90), (2, 180), (3, 270)):
        found = _confidences(base.process(np.rot90(pixels, quarters), rotation=rotation))  # type: ignore[arg-type]
        assert found == pytest.approx(upright, abs=0.02)


def test_region_is_all_that_is_looked_at(base: ImageLabeler, media: Media) -> None:
    """The cup in a larger picture, which is grey elsewhere: found in its region, and only there."""
    coffee = np.asarray(Image.open(media.photos / "coffee.png").convert("RGB"))
    height, width = coffee.shape[:2]
    scene = np.full((3 * height, 3 * width, 3), 128, np.uint8)
    scene[height : 2 * height, 2 * width :] = coffee
    whole = _confidences(base.process(coffee))
    found = _confidences(base.process(scene, region=(2 / 3, 1 / 3, 1 / 3, 1 / 3)))
    assert "Espresso" in whole
    assert found == pytest.approx(whole, abs=0.01)
    assert "Espresso" not in _confidences(base.process(scene, region=(0, 0, 0.6, 1)))


def test_jpeg_and_its_pixels_have_the_same_best_label(media: Media, base: ImageLabeler) -> None:
    """The decoder's own scaling is on for the one and not for the other."""
    with ImageLabeler(threads=1, confidence_threshold=0.0, max_results=1) as labeler:
        for photo in ("china.jpg", "flower.jpg", "rocket.jpg"):
            (scaled,) = labeler.process(media.photos / photo)
            (whole,) = labeler.process(Image.open(media.photos / photo))
            assert scaled.text == whole.text
            assert scaled.confidence == pytest.approx(whole.confidence, abs=0.05)
    assert base.model.name == "base"
