"""`ImageLabeler.process_many`: in order, each picture's trouble its own, never many pictures in memory."""

from __future__ import annotations

import io
import itertools
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.models import write_package
from support.pictures import encoded, noise

from edged import ImageLabeler
from edged.camera.geometry import WHOLE
from edged.camera.picture import PackedPicture
from edged.errors import BadImageError, SourceError, UsageError, WorkerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.camera.geometry import Region, Size
    from edged.camera.pixels import Pixels


@pytest.fixture(scope="module")
def labeler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageLabeler]:
    with ImageLabeler(write_package(tmp_path_factory.mktemp("tiny")), threads=1) as found:
        yield found


def red(value: int) -> Pixels:
    return np.full((20, 20, 3), value, np.uint8)


def test_outcomes_are_in_the_order_of_the_pictures_and_name_them(labeler: ImageLabeler) -> None:
    images: list[Any] = [encoded(red(value), "JPEG", quality=100) if value % 2 else red(value) for value in range(200)]
    outcomes = list(labeler.process_many(images, jobs=4))
    assert [outcome.image is image for outcome, image in zip(outcomes, images, strict=True)] == [True] * 200
    assert [round(outcome.labels[0].confidence * 255) for outcome in outcomes] == list(range(200))
    assert all(outcome.classification and outcome.classification.device == "cpu" for outcome in outcomes)


def test_one_pictures_trouble_is_its_own(labeler: ImageLabeler, tmp_path: Path) -> None:
    good, cut = tmp_path / "good.png", tmp_path / "cut.jpg"
    good.write_bytes(encoded(red(255)))
    cut.write_bytes(encoded(noise(300, 200), "JPEG")[:3000])
    outcomes = list(labeler.process_many([good, cut, tmp_path / "none.jpg", b"", good]))
    assert [type(outcome.error) for outcome in outcomes] == [type(None)] + [BadImageError] * 3 + [type(None)]
    assert "cut.jpg: damaged JPEG" in str(outcomes[1].error)
    assert outcomes[1].labels == ()
    assert outcomes[4].labels[0].confidence == 1.0


def test_anything_can_stand_for_a_picture(labeler: ImageLabeler, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(red(51)))

    def picture(row: tuple[int, str]) -> Path:
        if not row[1]:
            raise SourceError("it has been deleted")
        return tmp_path / row[1]

    first, second = labeler.process_many([(1, "a.png"), (2, "")], picture=picture)
    assert (first.image[0], round(first.labels[0].confidence, 4)) == (1, 0.2)
    assert (second.image[0], str(second.error)) == (2, "it has been deleted")


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_labels_are_those_of_one_picture_alone(tmp_path: Path, fit: str) -> None:
    image = encoded(noise(600, 400), "JPEG")
    with ImageLabeler(write_package(tmp_path), threads=1, fit=fit) as labeler:
        for rotation, region in ((0, None), (90, (0.1, 0.2, 0.5, 0.5)), (270, (0.0, 0.0, 1.0, 0.1))):
            (many,) = labeler.process_many([image], rotation=rotation, region=region)  # type: ignore[arg-type]  # an int
            assert list(many.labels) == labeler.process(image, rotation=rotation, region=region)  # type: ignore[arg-type]  # as above


class Counted(PackedPicture):
    """Knows how many of its kind are alive."""

    alive, most, lock = 0, 0, threading.Lock()

    def __init__(self) -> None:
        super().__init__(red(9))
        with self.lock:
            Counted.alive += 1
            Counted.most = max(Counted.most, Counted.alive)

    def __del__(self) -> None:
        with self.lock:
            Counted.alive -= 1


def test_no_more_pictures_are_in_memory_than_jobs(labeler: ImageLabeler) -> None:
    for outcome in labeler.process_many(range(300), picture=lambda _: Counted(), jobs=3):
        assert outcome.error is None
    assert 1 <= Counted.most <= 3
    assert Counted.alive == 0


def test_pictures_are_read_at_the_same_time(labeler: ImageLabeler) -> None:
    meeting = threading.Barrier(2)

    def picture(number: int) -> Pixels:
        meeting.wait(10)  # broken, were one read after the other
        return red(number)

    assert len(list(labeler.process_many(range(20), picture=picture, jobs=2))) == 20


def test_next_picture_is_decoded_while_the_worker_infers(labeler: ImageLabeler) -> None:
    """A picture that is slow to decode does so outside the inference's lock: others pass by."""
    passed = threading.Event()

    class Slow(Counted):
        def render(self, size: Size, region: Region = WHOLE, out: Pixels | None = None) -> Pixels:
            assert passed.wait(10)
            return super().render(size, region, out)

    def picture(number: int) -> PackedPicture:
        return Slow() if number == 0 else PackedPicture(red(number))

    outcomes = labeler.process_many(range(2), picture=picture, jobs=2)

    def pass_by() -> None:
        labeler.process(red(1))
        passed.set()

    threading.Thread(target=pass_by).start()
    assert [outcome.error for outcome in outcomes] == [None, None]


def test_endless_pictures_are_taken_as_they_are_wanted_and_left_at_will(labeler: ImageLabeler) -> None:
    for outcome in labeler.process_many(itertools.count(), picture=lambda number: red(number % 256), jobs=2):
        if outcome.image == 40:
            break
    assert labeler.process(red(255))[0].confidence == 1.0


def test_impossible_calls_are_refused_before_anything_is_taken(labeler: ImageLabeler) -> None:
    untouched = iter([red(1)])
    for options in ({"jobs": 0}, {"rotation": 45}, {"region": (0, 0, 2, 1)}, {"region": "left"}):
        with pytest.raises((UsageError, BadImageError)):
            labeler.process_many(untouched, **options)
    assert next(untouched) is not None


def test_what_is_no_picture_at_all_is_the_callers_mistake(labeler: ImageLabeler) -> None:
    with pytest.raises(UsageError, match="a NoneType is no picture"):
        list(labeler.process_many([red(1), None]))


def test_closed_labeler_ends_it(tmp_path: Path) -> None:
    labeler = ImageLabeler(write_package(tmp_path), threads=1)
    labeler.close()
    with pytest.raises(WorkerError, match="closed"):
        list(labeler.process_many([red(1)]))


def test_open_files_are_pictures_too(labeler: ImageLabeler, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(red(255)))
    with path.open("rb") as file:
        assert labeler.process(file)[0].confidence == 1.0
    with pytest.raises(BadImageError, match="cannot be read"):
        labeler.process(file)
    assert labeler.process(io.BytesIO(path.read_bytes()))[0].confidence == 1.0
    path.write_bytes(b"text")
    with path.open("rb") as file, pytest.raises(BadImageError, match=r"a\.png: not an image"):
        labeler.process(file)
    with path.open() as words, pytest.raises(UsageError, match="'rb'"):
        labeler.process(words)  # type: ignore[arg-type]  # wrong on purpose
    with Path("/dev/zero").open("rb", buffering=0) as endless, pytest.raises(BadImageError, match="larger than 256 MB"):
        labeler.process(endless)
