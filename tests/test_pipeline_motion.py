"""The pipeline leaves out frames in which nothing has moved, camera by camera, and counts them."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from support.models import tiny_model, write_package
from support.mosquitto import until

from edged.camera.frame import Frame
from edged.camera.geometry import Region
from edged.camera.jpeg import JpegPicture
from edged.camera.newest import Newest
from edged.camera.picture import PackedPicture
from edged.classifier import Classifier
from edged.engine.engine import Engine
from edged.models.package import open_package
from edged.motion import MotionOptions
from edged.pipeline import MANY_LEFT_OUT, Pipeline, View

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from edged.camera.picture import Picture
    from edged.labeling.label import Result

DARK, LIGHT = (PackedPicture(np.full((60, 80, 3), grey, np.uint8)) for grey in (20, 220))


class Bench:
    """A pipeline at work on frames that a test puts before it one by one."""

    def __init__(self, package: Path, views: dict[str, View]) -> None:
        self.results: list[Result] = []
        self.left_out = 0  # frames that a test knows to be damaged
        self.engine = Engine()
        self.newest = Newest()
        self.pipeline = Pipeline(
            self.newest,
            lambda: Classifier(self.engine, open_package(package)),
            views,
            lambda result, _: self.results.append(result),
        )
        self._number = 0

    def show(self, picture: Picture, at: float, camera: str = "a") -> list[int]:
        """Put a frame of that moment, and wait until it is dealt with. Returns the labelled frames so far."""
        self._number += 1
        self.newest.put(camera, Frame(picture, self._number, at, datetime.now(UTC)))
        assert self.newest.wait_taken(camera, 5.0)
        until(lambda: self._dealt_with() == self._number)
        return [result.frame for result in self.results]

    def _dealt_with(self) -> int:
        return len(self.results) + sum(self.pipeline.unchanged().values()) + self.left_out


@contextmanager
def at_work(tmp_path: Path, views: dict[str, View]) -> Iterator[Bench]:
    bench = Bench(write_package(tmp_path, model=tiny_model()), views)
    thread = threading.Thread(target=bench.pipeline.run)
    thread.start()
    try:
        yield bench
    finally:
        bench.pipeline.stop()
        thread.join(10)
        bench.engine.close()
    assert not thread.is_alive()


def watching(threshold: float = 0.02, max_interval: float = 10.0) -> View:
    return View(motion=MotionOptions(threshold, max_interval))


def test_frames_like_the_last_labelled_one_are_counted_and_nothing_is_published(tmp_path: Path) -> None:
    with at_work(tmp_path, {"a": watching(max_interval=10)}) as bench:
        start = time.monotonic()
        for second in range(5):
            assert bench.show(DARK, start + second) == [1]
        assert bench.show(LIGHT, start + 5) == [1, 6]
        assert bench.show(LIGHT, start + 6) == [1, 6]
        assert bench.show(DARK, start + 7) == [1, 6, 8]
        assert bench.show(DARK, start + 16.9) == [1, 6, 8]
        assert bench.show(DARK, start + 17) == [1, 6, 8, 10], "one in every interval"
        assert bench.pipeline.unchanged() == {"a": 6}
        assert bench.pipeline.counts() == {"a": 4}
        assert len(bench.pipeline.latencies()) == 4


def test_every_frame_is_labelled_where_no_threshold_is_set(tmp_path: Path) -> None:
    with at_work(tmp_path, {"a": View()}) as bench:
        for number in range(1, 6):
            assert len(bench.show(DARK, time.monotonic())) == number
        assert bench.pipeline.unchanged() == {"a": 0}


def test_each_camera_is_compared_with_itself_and_only_within_its_region(tmp_path: Path) -> None:
    views = {
        "a": View(Region(0, 0, 0.5, 1), motion=MotionOptions(0.02, 10)),
        "b": watching(),
        "c": View(),
    }
    right_half = DARK.data.copy()
    right_half[:, 40:] = 220
    with at_work(tmp_path, views) as bench:
        now = time.monotonic()
        for camera in "abc":
            bench.show(DARK, now, camera)
        for camera in "abc":
            bench.show(PackedPicture(right_half), now + 1, camera)
        assert bench.pipeline.unchanged() == {"a": 1, "b": 0, "c": 0}
        assert bench.pipeline.counts() == {"a": 1, "b": 2, "c": 2}


def test_a_damaged_frame_is_left_out_and_the_next_one_is_compared_as_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with at_work(tmp_path, {"a": watching()}) as bench:
        now = time.monotonic()
        bench.show(DARK, now)
        bench.left_out = 1
        bench.show(JpegPicture(b"\xff\xd8rubbish", "a photo"), now + 1)
        assert bench.show(DARK, now + 2) == [1]
        assert bench.show(LIGHT, now + 3) == [1, 4]
    assert "left out: a photo: not a JPEG" in caplog.text


def test_a_camera_whose_frames_are_all_damaged_is_in_trouble_until_one_is_not(tmp_path: Path) -> None:
    with at_work(tmp_path, {"a": View(), "b": View()}) as bench:
        now = time.monotonic()
        bench.show(DARK, now, "b")
        for number in range(MANY_LEFT_OUT):
            assert bench.pipeline.troubles() == {}
            bench.left_out = number + 1
            bench.show(JpegPicture(b"\xff\xd8rubbish", "a camera"), now)
        until(lambda: "not a JPEG" in bench.pipeline.troubles().get("a", ""))
        assert list(bench.pipeline.troubles()) == ["a"]
        bench.show(LIGHT, now)
        until(lambda: bench.pipeline.troubles() == {})


def test_a_frame_whose_labels_died_with_the_worker_is_labelled_by_the_next_one(tmp_path: Path) -> None:
    with at_work(tmp_path, {"a": watching()}) as bench:
        now = time.monotonic()
        assert bench.show(DARK, now) == [1]
        worker = bench.engine.state().pid
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        assert bench.show(LIGHT, now + 1) == [1, 2]
        assert bench.show(LIGHT, now + 2) == [1, 2]
