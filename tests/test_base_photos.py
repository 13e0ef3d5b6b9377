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


@pytest.fixture(scope="module")
def base() -> Iterator[ImageLabeler]:
    if not (find_model("base") / "model.yaml").exists():
        pytest.skip("models/base has not been built")
    with ImageLabeler(threads=1) as labeler:
        yield labeler


def test_whole_photo_is_stretched(base: ImageLabeler, media: Media) -> None:
    for photo, text, least in (("coffee.png", "Espresso", 0.8), ("chelsea.png", "Egyptian cat", 0.65)):
        (found,) = base.process(media.photos / photo)
        assert found.text == text
        assert found.confidence > least


def test_rotation_brings_the_photo_upright(base: ImageLabeler, media: Media) -> None:
    (upright,) = base.process(media.photos / "motorcycle_left.png")
    pixels = np.asarray(Image.open(media.photos / "motorcycle_left.png").convert("RGB"))
    assert base.process(pixels[::-1, ::-1]) == []
    for quarters, rotation in ((1, 90), (2, 180), (3, 270)):
        (found,) = base.process(np.rot90(pixels, quarters), rotation=rotation)  # type: ignore[arg-type]
        assert found.text == upright.text
        assert found.confidence == pytest.approx(upright.confidence, abs=0.02)


def test_region_is_all_that_is_looked_at(base: ImageLabeler, media: Media) -> None:
    """The cup in a larger picture, which is grey elsewhere: found in its region, and only there."""
    coffee = np.asarray(Image.open(media.photos / "coffee.png").convert("RGB"))
    height, width = coffee.shape[:2]
    scene = np.full((3 * height, 3 * width, 3), 128, np.uint8)
    scene[height : 2 * height, 2 * width :] = coffee
    (whole,) = base.process(coffee)
    (found,) = base.process(scene, region=(2 / 3, 1 / 3, 1 / 3, 1 / 3))
    assert found.text == whole.text
    assert found.confidence == pytest.approx(whole.confidence, abs=0.01)
    assert "Espresso" not in [label.text for label in base.process(scene, region=(0, 0, 0.6, 1))]


def test_jpeg_and_its_pixels_have_the_same_best_label(media: Media, base: ImageLabeler) -> None:
    """The decoder's own scaling is on for the one and not for the other."""
    with ImageLabeler(threads=1, confidence_threshold=0.0, max_results=1) as labeler:
        for photo in ("china.jpg", "flower.jpg", "rocket.jpg"):
            (scaled,) = labeler.process(media.photos / photo)
            (whole,) = labeler.process(Image.open(media.photos / photo))
            assert scaled.text == whole.text
            assert scaled.confidence == pytest.approx(whole.confidence, abs=0.05)
    assert base.model.name == "base"
