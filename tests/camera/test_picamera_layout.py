"""Sizes, sensor modes and planes of a Raspberry Pi camera: no camera, no picamera2."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.picamera_double import PADDING, SYCC, Encoding, Range, Space, array_of
from support.pictures import bilinear, smooth

from edged.camera.geometry import Size
from edged.camera.picamera_layout import (
    LEAST_FPS,
    UNKNOWN_WANTED,
    Layout,
    colours,
    frame_duration,
    sees_whole,
    sensor_modes,
    stream_size,
)
from edged.camera.picture import Matrix
from edged.errors import SourceError

WANTED = st.none() | st.builds(Size, st.integers(1, 5000), st.integers(1, 5000))
VIEWS = st.builds(Size, st.integers(64, 10000), st.integers(64, 10000))


@given(WANTED, VIEWS, st.sampled_from([64, 128]))
def test_stream_is_even_fits_the_hardware_and_loses_nothing_that_the_sensor_has(
    wanted: Size | None, view: Size, multiple: int
) -> None:
    size = stream_size(wanted, view, multiple)
    least = wanted or UNKNOWN_WANTED
    assert size.width > 0 < size.height
    assert size.width % 2 == size.height % 2 == 0
    assert size.width <= view.width
    assert size.height <= view.height
    assert size.width % multiple == 0 or size.width >= view.width - 1  # the sensor is narrower than that
    assert size.width >= least.width or size.width > view.width - max(multiple, 2)
    assert size.height >= least.height or size.width > view.width - max(multiple, 2) or size.height > view.height - 2


@given(WANTED, st.sampled_from([Size(3280, 2464), Size(4608, 2592), Size(4056, 3040), Size(1280, 800)]))
def test_stream_shows_the_whole_view_without_stretching_it(wanted: Size | None, view: Size) -> None:
    size = stream_size(wanted, view, 64)
    assert size.width * view.height == pytest.approx(size.height * view.width, abs=2 * view.width)


@given(WANTED, st.sampled_from([Size(3280, 2464), Size(4608, 2592)]))
def test_stream_is_no_larger_than_it_must_be(wanted: Size | None, view: Size) -> None:
    size, least = stream_size(wanted, view, 64), wanted or UNKNOWN_WANTED
    assert (
        size.width - 64 < least.width
        or (size.width - 64) * view.height < least.height * view.width
        or (size.width == 64)
    )


@pytest.mark.parametrize(
    ("wanted", "view", "multiple", "size"),
    [
        (Size(224, 224), Size(3280, 2464), 64, Size(320, 240)),
        (Size(224, 224), Size(3280, 2464), 128, Size(384, 288)),
        (Size(300, 224), Size(4608, 2592), 64, Size(448, 252)),
        (None, Size(2592, 1944), 64, Size(640, 480)),
        (Size(224, 241), Size(3280, 2464), 64, Size(384, 288)),
        (Size(10, 2453), Size(3280, 2464), 64, Size(3264, 2452)),
        (Size(9000, 9000), Size(2592, 1944), 64, Size(2560, 1920)),
    ],
)
def test_sizes_for_known_sensors(wanted: Size | None, view: Size, multiple: int, size: Size) -> None:
    assert stream_size(wanted, view, multiple) == size


IMX219 = [Size(640, 480), Size(1640, 1232), Size(1920, 1080), Size(3280, 2464)]
IMX708 = [Size(1536, 864), Size(2304, 1296), Size(4608, 2592)]
IMX477 = [Size(1332, 990), Size(2028, 1080), Size(2028, 1520), Size(4056, 3040)]


@pytest.mark.parametrize(
    ("modes", "size", "tried"),
    [
        (IMX219, Size(320, 240), [IMX219[0], IMX219[1], IMX219[3]]),
        (IMX219, Size(704, 528), [IMX219[1], IMX219[3]]),
        (IMX219 * 2, Size(2048, 1538), [IMX219[3]]),
        (IMX708, Size(448, 252), IMX708),
        (IMX477, Size(640, 480), [IMX477[0], IMX477[2], IMX477[3]]),
        ([Size(1640, 922), Size(3280, 2464)], Size(320, 240), [Size(3280, 2464)]),
        ([], Size(320, 240), []),
    ],
)
def test_modes_are_tried_from_the_cheapest_to_the_largest(modes: list[Size], size: Size, tried: list[Size]) -> None:
    assert sensor_modes(modes, size, modes[-1] if modes else size) == tried


def test_a_mode_that_cuts_the_view_is_told_from_one_that_leaves_out_a_few_columns() -> None:
    assert sees_whole(Size(2560, 1920), Size(2592, 1944))
    assert sees_whole(Size(3280, 2464), Size(3280, 2464))
    assert not sees_whole(Size(3072, 1728), Size(4608, 2592))
    assert not sees_whole(Size(3280, 1845), Size(3280, 2464))


def test_frame_duration_is_what_was_asked_for_where_the_camera_can() -> None:
    assert frame_duration(10, 33_333, 200_000) == 100_000
    assert frame_duration(120, 33_333, 200_000) == 33_333
    assert frame_duration(0.01, 33_333, 10**9) == 1e6 / LEAST_FPS
    assert frame_duration(5, 33_333, 100_000) == 100_000


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("Rec601", "Full"), (Matrix.BT601, True)),
        (("Rec601", "Limited"), (Matrix.BT601, False)),
        (("Rec709", "Limited"), (Matrix.BT709, False)),
        ((None, None), (Matrix.BT601, False)),
    ],
)
def test_colour_spaces_become_matrix_and_range(
    names: tuple[str | None, str | None], wanted: tuple[Matrix, bool]
) -> None:
    assert colours(*names) == wanted


@pytest.mark.parametrize("kind", ["YUV420", "YVU420", "NV12", "NV21"])
@pytest.mark.parametrize("size", [(64, 48), (66, 50), (320, 242)])
@pytest.mark.parametrize("space", [SYCC, Space(Encoding.Rec601, Range.Limited), Space(Encoding.Rec709, Range.Limited)])
def test_padded_planes_come_out_in_their_colours(kind: str, size: tuple[int, int], space: Space) -> None:
    array = array_of({"format": kind, "size": size, "stride": size[0] + PADDING}, space)
    matrix, full_range = colours(space.ycbcrEncoding.name, space.range.name)
    picture = Layout(kind, Size(*size), matrix, full_range).picture(array)
    assert picture.size == Size(*size)
    wanted = bilinear(smooth(*size), 32, 24)
    assert np.abs(picture.render(Size(32, 24)) - wanted).mean() < 0.8
    assert np.abs(picture.render(Size(32, 24)) - wanted).max() <= 6


def test_interleaved_rows_may_be_padded_too() -> None:
    tight = array_of({"format": "NV12", "size": (64, 48), "stride": 64}, SYCC)
    padded = np.pad(tight, ((0, 0), (0, 8)))
    layout = Layout("NV12", Size(64, 48), Matrix.BT601, full_range=True)
    for size in (Size(64, 48), Size(20, 10)):
        assert np.array_equal(layout.picture(padded).render(size), layout.picture(tight).render(size))


def test_pictures_of_another_kind_are_refused_with_those_that_can_be_used() -> None:
    with pytest.raises(SourceError, match=r"MJPEG pictures; these can be used: YUV420, YVU420, NV12, NV21"):
        Layout("MJPEG", Size(64, 48), Matrix.BT601, full_range=True)
