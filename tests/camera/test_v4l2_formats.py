"""Which mode of a camera is asked for."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.camera.geometry import Size
from edged.camera.v4l2_formats import COMPRESSED, USUAL_SIZE, Format, Mode, SizeRange, alternatives, choose

MODEL = Size(299, 224)  # what a 224x224 model needs of a 4:3 picture


def modes(*lines: str) -> list[Mode]:
    """`YUYV 640x480 30 15`: format, size, rates."""
    found = []
    for line in lines:
        kind, size, *rates = line.split()
        width, _, height = size.partition("x")
        found.append(Mode(Format(kind), Size(int(width), int(height)), tuple(map(float, rates))))
    return found


# The modes of a 1080p webcam for USB 2, as many of them are.
WEBCAM = modes(
    *(
        f"YUYV {size} 30 24 20 15 10 7.5 5"
        for size in ("640x480", "160x90", "160x120", "320x180", "320x240", "640x360")
    ),
    *("YUYV 1280x720 10 7.5 5", "YUYV 1920x1080 5"),
    *(f"MJPG {size} 30 24 20 15 10 7.5 5" for size in ("640x480", "320x240", "640x360", "1280x720", "1920x1080")),
)


@pytest.mark.parametrize(
    ("least", "fps", "wanted"),
    [
        (Size(224, 224), 5, "YUYV 640x360 5"),
        (Size(320, 180), 30, "YUYV 320x180 30"),
        (MODEL, 5, "YUYV 640x360 5"),
        (USUAL_SIZE, 5, "YUYV 640x360 5"),
        (Size(700, 400), 5, "YUYV 1280x720 5"),
        (Size(700, 400), 8, "YUYV 1280x720 10"),
        (Size(700, 400), 15, "MJPG 1280x720 15"),
        (Size(1300, 800), 29.97, "MJPG 1920x1080 30"),
        (Size(640, 360), 6, "YUYV 640x360 7.5"),
        (Size(640, 360), 0.5, "YUYV 640x360 5"),
        (Size(4000, 3000), 5, "YUYV 1920x1080 5"),
        (Size(4000, 3000), 60, "MJPG 1920x1080 30"),
        (Size(640, 360), 60, "YUYV 640x360 30"),
    ],
)
def test_webcam_is_asked_for_the_least_that_does(least: Size, fps: float, wanted: str) -> None:
    chosen = choose(WEBCAM, least, fps)
    assert f"{chosen.format.value} {chosen.size.width}x{chosen.size.height} {chosen.rate(fps):g}" == wanted


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        (["MJPG 320x240 30", "YUYV 320x240 30"], "320x240 YUYV"),
        (["YUYV 320x240 4", "MJPG 320x240 30"], "320x240 MJPG"),
        (["YUYV 320x240 4"], "320x240 YUYV"),
        (["GREY 320x240 30", "MJPG 1920x1080 30"], "1920x1080 MJPG"),
        (["GREY 320x240 30", "GREY 640x480 30"], "320x240 GREY"),
        (["YUYV 320x240", "YUYV 640x480"], "320x240 YUYV"),
        (["YUYV 320x240 30", "MJPG 2560x1440 30", "YUYV 1024x576 30"], "320x240 YUYV"),  # the whole view: 8 times
        (["YUYV 160x120 30", "YUYV 176x144 30"], "176x144 YUYV"),
    ],
)
def test_colour_size_rate_and_view_decide_in_this_order(offered: list[str], wanted: str) -> None:
    assert str(choose(modes(*offered), Size(224, 224), 5)) == wanted


@st.composite
def offers(draw: st.DrawFn) -> list[Mode]:
    sizes = st.builds(Size, st.integers(16, 4000), st.integers(16, 4000))
    rates = st.lists(st.sampled_from([1, 5, 7.5, 15, 29.97, 30, 60]), max_size=4).map(tuple)
    return draw(st.lists(st.builds(Mode, st.sampled_from(Format), sizes, rates), min_size=1, max_size=20))


def covers(mode: Mode, least: Size) -> bool:
    return mode.size.width >= least.width and mode.size.height >= least.height


@given(offers(), st.builds(Size, st.integers(16, 3000), st.integers(16, 3000)), st.floats(0.1, 60))
def test_whatever_is_offered_a_colour_mode_that_covers_and_is_fast_wins_over_one_that_is_not(
    offered: list[Mode], least: Size, fps: float
) -> None:
    first, *others = alternatives(offered, least, fps)
    assert first in offered
    colour = [mode for mode in offered if mode.format is not Format.GREY] or offered
    assert first in colour
    large = [mode for mode in colour if covers(mode, least)]
    fast = [mode for mode in large if not mode.missing(fps)]
    assert not large or first in large
    assert not fast or first in fast
    if fast:
        area = first.size.width * first.size.height
        assert area <= 4 * min(mode.size.width * mode.size.height for mode in offered if covers(mode, least)) or all(
            area <= mode.size.width * mode.size.height for mode in fast
        )
    assert all(mode.format in COMPRESSED for mode in others)
    assert len(others) <= 1
    assert first.rate(fps) in first.rates or not first.rates


@given(st.lists(st.floats(0.5, 120), min_size=1, max_size=8), st.floats(0.1, 90))
def test_rate_is_the_least_that_is_enough_else_the_highest(rates: list[float], fps: float) -> None:
    rate = Mode(Format.YUYV, MODEL, tuple(rates)).rate(fps)
    enough = [each for each in rates if each >= fps * 0.98]
    assert rate == (min(enough) if enough else max(rates))


def test_camera_whose_rate_is_unknown_is_asked_for_the_wanted_one() -> None:
    assert Mode(Format.YUYV, MODEL).rate(7) == 7


def test_full_bus_is_tried_again_with_jpeg() -> None:
    assert [str(mode) for mode in alternatives(WEBCAM, MODEL, 5)] == ["640x360 YUYV", "640x360 MJPG"]
    assert [str(mode) for mode in alternatives(modes("YUYV 320x240 30"), MODEL, 5)] == ["320x240 YUYV"]


@given(
    st.tuples(st.integers(2, 64), st.integers(2, 64)),
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
    st.tuples(st.integers(0, 16), st.integers(0, 16)),
    st.builds(Size, st.integers(1, 3000), st.integers(1, 3000)),
)
def test_size_from_a_range_is_one_of_it_covers_the_wanted_one_and_keeps_the_shape(
    least: tuple[int, int], steps: tuple[int, int], step: tuple[int, int], wanted: Size
) -> None:
    most = Size(*(low + count * max(size, 1) for low, count, size in zip(least, steps, step, strict=True)))
    sizes = set(SizeRange(Size(*least), most, Size(*step)).sizes(wanted))
    assert most in sizes
    for size in sizes:
        assert (size.width - least[0]) % max(step[0], 1) == 0
        assert (size.height - least[1]) % max(step[1], 1) == 0
        assert least[0] <= size.width <= most.width
        assert least[1] <= size.height <= most.height
    smallest = min(sizes, key=lambda size: size.width * size.height)
    if wanted.width <= most.width and wanted.height <= most.height:
        assert smallest.width >= wanted.width
        assert smallest.height >= wanted.height
        share = max(Fraction(wanted.width, most.width), Fraction(wanted.height, most.height))
        assert smallest.width == least[0] or smallest.width < share * most.width + max(step[0], 1)
        assert smallest.height == least[1] or smallest.height < share * most.height + max(step[1], 1)
