"""A camera's thread: the newest frame, at its pace, upright and masked."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from support.pictures import encoded, smooth
from support.scene import OPTIONS, SHOT, FakeSource, Scene, soon

from edged.camera.geometry import Size
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import PackedPicture
from edged.camera.source import Pace, Shot


def test_newest_frame_wins_and_the_others_are_counted() -> None:
    with Scene(FakeSource([SHOT, 0.01] * 20), options=replace(OPTIONS, stall=5.0)) as scene:
        soon(lambda: scene.camera.state.frames == 20)
        assert scene.take().number == 20
        assert scene.camera.state.dropped == 19
        assert scene.newest.take(0) is None


@pytest.mark.parametrize(("pace", "step"), [(Pace.LIVE, 0.005), (Pace.ON_DEMAND, 0.0)])
def test_no_more_frames_than_wanted_come(pace: Pace, step: float) -> None:
    source = FakeSource([SHOT, step] * 2000, pace)
    with Scene(source, options=replace(OPTIONS, fps=20.0)) as scene:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            scene.newest.take(0.01)
        frames = scene.camera.state.frames
    assert 16 <= frames <= 22
    if pace is Pace.ON_DEMAND:
        assert source.reads <= 22, "a photo that nobody wants is not read"


def test_photos_wait_for_somebody_who_has_time_for_them() -> None:
    source = FakeSource([SHOT] * 2000, Pace.ON_DEMAND)
    with Scene(source, options=replace(OPTIONS, fps=100.0)) as scene:
        time.sleep(0.3)
        assert source.reads == 1
        for number in range(1, 20):
            assert scene.take().number == number
        assert scene.camera.state.dropped == 0


def test_in_lock_step_the_next_frame_is_read_when_the_last_was_taken() -> None:
    source = FakeSource([SHOT] * 2000, Pace.LOCK_STEP)
    with Scene(source) as scene:
        for number in range(1, 200):
            assert scene.take().number == number
        time.sleep(0.7)
        assert scene.camera.state.dropped == 0
        assert source.reads <= 201


def test_frame_says_when_and_where_from() -> None:
    before = time.monotonic()
    with Scene(FakeSource([replace(SHOT, origin="cat.jpg")])) as scene:
        found = scene.take()
    assert found.origin == "cat.jpg"
    assert before <= found.captured <= time.monotonic()
    assert found.time.utcoffset() is not None


def test_a_camera_that_was_told_to_stop_offers_nothing_more() -> None:
    awaited, arrived = threading.Event(), threading.Event()

    class Late(FakeSource):
        def read(self, timeout: float) -> Shot:
            if self.reads:
                awaited.set()
                arrived.wait(timeout)
            return super().read(timeout)

    late = Late([SHOT, SHOT])
    with Scene(late, options=replace(OPTIONS, stall=5.0)) as scene:
        scene.take()
        assert awaited.wait(2.0)
        scene.camera.stop()
        arrived.set()
        late.closed.set()
        assert scene.camera.join(2.0)
        assert scene.newest.take(0.0) is None, "what takes the camera's name next has other masks"


def test_rotation_and_masks_are_applied_before_anybody_sees_the_frame() -> None:
    options = replace(OPTIONS, rotation=90, masks=(((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)),))
    with Scene(FakeSource([Shot(PackedPicture(np.full((40, 60, 3), 200, np.uint8)))]), options=options) as scene:
        picture = scene.take().picture
    assert picture.size == Size(40, 60)
    rendered = picture.render(Size(40, 60))
    assert rendered[:30].max() == 0
    assert rendered[32:].min() == 200


def test_damaged_photo_under_a_mask_costs_that_photo_and_not_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    broken = Shot(JpegPicture(encoded(smooth(80, 60), "JPEG")[:-40], "b.jpg"), "b.jpg")
    options = replace(OPTIONS, masks=(((0.0, 0.0), (0.5, 0.0), (0.5, 0.5)),), stall=5.0)
    with Scene(FakeSource([broken, 0.01, SHOT, 0.01, broken, 0.01, SHOT]), options=options) as scene:
        soon(lambda: scene.camera.state.frames == 2)
        assert scene.opened == 1
    assert (
        len([line for line in [record.getMessage() for record in caplog.records] if "b.jpg: damaged JPEG" in line]) == 1
    )
