"""Which frames are worth labelling: what counts as motion, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.pictures import encoded, smooth

from edged.camera.geometry import WHOLE, Region
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Order, PackedPicture, Picture, YuvPicture
from edged.errors import BadImageError
from edged.motion import CELLS, EXPOSURE, NOISE, MotionGate, MotionOptions, changed

if TYPE_CHECKING:
    from edged.camera.pixels import Pixels

GRID = (CELLS.height, CELLS.width)
cells = arrays(np.uint8, (6, 7))
SCENE = smooth(1920, 1080)[:, :, 1]


def grey(pixels: Pixels) -> PackedPicture:
    return PackedPicture(pixels, Order.GREY)


def with_object(share: float, *, x: int = 0, y: int = 0, level: int = 0) -> Pixels:
    """The scene with a dark rectangle that covers this share of it."""
    pixels = SCENE.copy()
    pixels[y : y + int(1080 * share**0.5), x : x + int(1920 * share**0.5)] = level
    return pixels


def sensor(pixels: Pixels, deviation: float, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, deviation, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def gate(threshold: float = 0.01, max_interval: float = 10.0, first: Picture | None = None) -> MotionGate:
    """A gate for which a frame, the scene as a rule, was labelled at 0 s."""
    made = MotionGate(MotionOptions(threshold, max_interval))
    assert made.differs(first or grey(SCENE), WHOLE, 0.0)
    made.labelled()
    return made


@given(cells)
def test_nothing_changes_between_a_frame_and_itself(before: Pixels) -> None:
    assert changed(before, before) == 0


@given(cells, cells)
def test_the_share_lies_between_0_and_1_and_is_the_same_in_both_directions(before: Pixels, after: Pixels) -> None:
    assert 0 <= changed(before, after) <= 1
    assert changed(before, after) == pytest.approx(changed(after, before), abs=0)


@given(cells, st.integers(-EXPOSURE - NOISE, EXPOSURE + NOISE))
def test_a_picture_that_becomes_lighter_as_a_whole_counts_only_beyond_exposure(before: Pixels, shift: int) -> None:
    before = before // 2 + 40
    assert changed(before, (before.astype(int) + shift).astype(np.uint8)) == 0


@given(cells, st.integers(EXPOSURE + NOISE + 1, 60))
def test_lamps_that_go_on_change_everything(before: Pixels, shift: int) -> None:
    before = before // 2 + 40
    assert changed(before, (before.astype(int) + shift).astype(np.uint8)) == 1


@given(st.integers(0, 20), st.integers(0, 20))
def test_the_share_is_that_of_the_cells_beyond_the_noise(loud: int, quiet: int) -> None:
    before = np.full(GRID, 100, np.uint8)
    after = before.copy()
    after.flat[:loud] += NOISE + 1
    after.flat[100 : 100 + quiet] += NOISE
    assert changed(before, after) == loud / before.size


def test_the_first_frame_is_labelled() -> None:
    assert MotionGate(MotionOptions(0.5)).differs(grey(SCENE), WHOLE, 0.0)


def test_without_a_threshold_every_frame_is_labelled_and_none_is_looked_at() -> None:
    damaged = JpegPicture(b"not looked at")
    off = MotionGate(MotionOptions())
    for now in range(3):
        assert off.differs(damaged, WHOLE, float(now))
        off.labelled()


def test_a_still_frame_waits_until_the_interval_is_over() -> None:
    still = gate(max_interval=10)
    assert not any(still.differs(grey(SCENE), WHOLE, now) for now in (0.2, 5.0, 9.9))
    assert all(still.differs(grey(SCENE), WHOLE, now) for now in (10.0, 30.0))
    still.labelled()
    assert not still.differs(grey(SCENE), WHOLE, 39.9)


def test_a_frame_that_was_not_labelled_is_asked_for_again() -> None:
    still = MotionGate(MotionOptions(0.01))
    assert still.differs(grey(SCENE), WHOLE, 0.0)
    assert still.differs(grey(SCENE), WHOLE, 0.1), "the first one failed: no labels stand"


@pytest.mark.parametrize("threshold", [0.01, 0.02, 0.05, 0.2])
def test_an_object_counts_from_the_threshold_on(threshold: float) -> None:
    assert gate(threshold).differs(grey(with_object(threshold * 1.3)), WHOLE, 0.1)
    assert not gate(threshold).differs(grey(with_object(threshold * 0.6)), WHOLE, 0.1)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1690, 0), (0, 950), (1690, 950), (907, 511)])
def test_a_small_object_counts_wherever_it_comes_in(x: int, y: int) -> None:
    assert gate().differs(grey(with_object(0.014, x=x, y=y)), WHOLE, 0.1)


def test_what_moves_slowly_adds_up_until_it_counts() -> None:
    slow = gate(0.01, max_interval=1000)
    asked = 0
    while not slow.differs(grey(with_object(0.0005 * asked)), WHOLE, float(asked)):
        asked += 1
        assert asked < 40
    assert asked > 5, "each step alone is far below the threshold"


def test_dawn_adds_up_until_it_counts() -> None:
    dawn = gate(0.05, max_interval=1000)
    asked = [level for level in range(30) if dawn.differs(grey(SCENE // 2 + np.uint8(level)), WHOLE, 1.0)]
    assert asked  # the scene at half its brightness is another picture to begin with
    dawn = gate(0.05, 1000, first=grey(SCENE // 2))
    steps = [dawn.differs(grey(SCENE // 2 + np.uint8(level)), WHOLE, 1.0) for level in range(30)]
    assert not any(steps[:EXPOSURE])
    assert all(steps[EXPOSURE + NOISE + 2 :])


@pytest.mark.parametrize("deviation", [3, 8])
@pytest.mark.parametrize("brightness", [1.0, 0.25])
def test_sensor_noise_and_jpegs_own_is_no_motion(deviation: float, brightness: float) -> None:
    scene = (SCENE * brightness).astype(np.uint8)
    still = gate(0.002, first=grey(sensor(scene, deviation, 0)))
    for seed in range(1, 5):
        noisy = sensor(scene, deviation, seed)
        assert not still.differs(grey(noisy), WHOLE, 0.1)
        assert not still.differs(JpegPicture(encoded(noisy, "JPEG", quality=40)), WHOLE, 0.1)


def test_even_a_very_noisy_camera_stays_below_a_sensible_threshold() -> None:
    still = gate(0.01, first=grey(sensor(SCENE, 15, 0)))
    assert not any(still.differs(grey(sensor(SCENE, 15, seed)), WHOLE, 0.1) for seed in range(1, 6))


def test_only_the_region_counts() -> None:
    right = Region(0.5, 0, 0.5, 1)
    half = MotionGate(MotionOptions(0.01))
    half.differs(grey(SCENE), right, 0.0)
    half.labelled()
    assert not half.differs(grey(with_object(0.1)), right, 0.1)
    assert half.differs(grey(with_object(0.1, x=1200)), right, 0.1)


def test_what_a_mask_hides_does_not_count() -> None:
    masks = (((0.0, 0.0), (0.4, 0.0), (0.4, 0.4), (0.0, 0.4)),)
    still = gate(0.01, first=grey(SCENE).masked(masks))
    assert not still.differs(grey(with_object(0.1)).masked(masks), WHOLE, 0.1)
    chroma = np.full((540, 960), 128, np.uint8)
    yuv = gate(0.01, first=YuvPicture(SCENE, chroma, chroma).masked(masks))
    assert not yuv.differs(YuvPicture(with_object(0.1), chroma, chroma).masked(masks), WHOLE, 0.1)


def test_a_damaged_picture_is_said_to_be_damaged() -> None:
    data = encoded(smooth(640, 480), "JPEG")
    with pytest.raises(BadImageError, match="damaged"):
        gate().differs(JpegPicture(data[:2000]), WHOLE, 0.1)
