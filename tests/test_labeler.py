"""`ImageLabeler`, as a program uses it: every kind of picture, many threads, a worker that is killed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from support.models import write_package
from support.pictures import encoded, noise, strided, yuv_picture

from edged import ImageLabeler
from edged.camera.frame import Frame
from edged.camera.geometry import Region
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Order, PackedPicture, TurnedPicture
from edged.errors import BadImageError, EdgedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PIXELS = np.full((40, 60, 3), 0, np.uint8)
PIXELS[:, :30] = (255, 102, 51)  # left half: red 1.0, green 0.4, blue 0.2; right half: nothing
HALF = {"red": 0.5, "green": 0.2, "blue": 0.1}
LEFT = {"red": 1.0, "green": 0.4, "blue": 0.2}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def labeler(tiny: Path) -> Iterator[ImageLabeler]:
    with ImageLabeler(tiny, threads=1) as found:
        yield found


def scores(labeler: ImageLabeler, image: Any, **options: Any) -> dict[str, float]:  # noqa: ANN401  whatever a caller has
    return {label.text: round(label.confidence, 2) for label in labeler.process(image, **options)}


def kinds(folder: Path) -> dict[str, object]:
    """The same picture in every form."""
    path = folder / "picture.png"
    path.write_bytes(encoded(PIXELS))
    large = np.repeat(np.repeat(PIXELS, 4, axis=0), 4, axis=1)
    return {
        "path": path,
        "str": str(path),
        "bytes": encoded(PIXELS),
        "bytearray": bytearray(encoded(PIXELS)),
        "memoryview": memoryview(encoded(PIXELS)),
        "jpeg bytes": encoded(PIXELS, "JPEG", quality=100, subsampling=0),
        "large jpeg": encoded(large, "JPEG", quality=100, subsampling=0),
        "pil": Image.fromarray(PIXELS),
        "pil palette": Image.fromarray(PIXELS).quantize(4),
        "pil alpha": Image.fromarray(PIXELS).convert("RGBA"),
        "array": PIXELS,
        "read-only array": np.frombuffer(PIXELS.tobytes(), np.uint8).reshape(PIXELS.shape),
        "strided array": strided(PIXELS, 3),
        "flipped view": PIXELS[::-1, :, ::-1][::-1, :, ::-1],
        "fortran array": np.asfortranarray(PIXELS),
        "every second": large[::4, ::4],
        "bgr": PackedPicture(PIXELS[:, :, ::-1], Order.BGR),
        "yuv": yuv_picture(PIXELS),
        "nv12": yuv_picture(PIXELS, "nv12"),
        "jpeg picture": JpegPicture(encoded(PIXELS, "JPEG", quality=100, subsampling=0)),
        "turned": TurnedPicture(PackedPicture(np.ascontiguousarray(np.rot90(PIXELS, 1))), 90),
        "frame": Frame(PackedPicture(PIXELS), 1, 0.0, datetime.now(UTC)),
    }


@pytest.mark.parametrize("kind", list(kinds(Path("/tmp"))))
def test_every_kind_of_picture_gives_the_same_labels(labeler: ImageLabeler, tmp_path: Path, kind: str) -> None:
    got = scores(labeler, kinds(tmp_path)[kind])
    assert got == pytest.approx(HALF, abs=0.025)


def test_grey_arrays_and_grey_files_are_pictures(labeler: ImageLabeler) -> None:
    grey = np.full((40, 60), 51, np.uint8)
    for image in (grey, encoded(grey), Image.fromarray(grey)):
        assert scores(labeler, image) == {"red": 0.2, "green": 0.2, "blue": 0.2}


@pytest.mark.parametrize(
    ("rotation", "region"),
    [(0, (0, 0, 0.5, 1)), (90, (0, 0, 1, 0.5)), (180, (0.5, 0, 0.5, 1)), (270, (0, 0.5, 1, 0.5))],
)
def test_region_is_that_of_the_upright_picture(
    labeler: ImageLabeler, rotation: int, region: tuple[float, float, float, float]
) -> None:
    for part in (region, Region(*region), list(region)):
        assert scores(labeler, PIXELS, rotation=rotation, region=part) == LEFT


def test_labels_are_best_first_with_index_and_confidence(labeler: ImageLabeler) -> None:
    found = labeler.process(PIXELS)
    assert [(label.text, label.index) for label in found] == [("red", 0), ("green", 1), ("blue", 2)]
    done = labeler.classify(PIXELS)
    assert list(done.labels) == found
    assert done.device == "cpu"
    assert 0 < done.inference < 1
    assert 0 < done.preprocess < 1
    assert labeler.model.name == "tiny"


def test_options_choose_labels(tiny: Path) -> None:
    for options, wanted in (
        ({"confidence_threshold": 0.15}, ["red", "green"]),
        ({"max_results": 1}, ["red"]),
        ({"allow": ["blue", "green"]}, ["green", "blue"]),
        ({"deny": {"red"}}, ["green", "blue"]),
        ({"confidence_threshold": 1.0}, []),
        ({"fit": "crop"}, ["red", "green", "blue"]),
    ):
        with ImageLabeler(tiny, threads=1, **options) as labeler:
            assert [label.text for label in labeler.process(PIXELS)] == wanted


@pytest.mark.parametrize(
    "options",
    [
        {"max_results": 0},
        {"confidence_threshold": 1.1},
        {"confidence_threshold": float("nan")},
        {"allow": ["a"], "deny": ["b"]},
        {"fit": "squeeze"},
        {"threads": 0},
    ],
)
def test_impossible_options_are_refused_before_anything_starts(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ImageLabeler("nowhere", **options)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ({"rotation": 45}, UsageError),
        ({"region": (0, 0, 1)}, UsageError),
        ({"region": "left"}, UsageError),
        ({"region": (0, 0, 2, 1)}, BadImageError),
        ({"image": None}, UsageError),
        ({"image": 7}, UsageError),
        ({"image": [[1, 2], [3, 4]]}, UsageError),
        ({"image": np.zeros((4, 4, 3), np.float32)}, BadImageError),
        ({"image": np.zeros((4, 4, 4), np.uint8)}, BadImageError),
        ({"image": np.zeros((0, 4, 3), np.uint8)}, BadImageError),
        ({"image": b""}, BadImageError),
        ({"image": "nowhere.jpg"}, BadImageError),
        ({"image": "/dev/zero"}, BadImageError),
    ],
)
def test_impossible_calls_are_refused_and_the_next_works(
    labeler: ImageLabeler, call: dict[str, Any], error: type[EdgedError]
) -> None:
    with pytest.raises(error):
        labeler.process(**({"image": PIXELS} | call))
    assert scores(labeler, PIXELS) == HALF


def test_damaged_photo_is_named(labeler: ImageLabeler, tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes(encoded(noise(200, 100), "JPEG")[:1500])
    with pytest.raises(BadImageError, match=r"half\.jpg: damaged JPEG"):
        labeler.process(path)
