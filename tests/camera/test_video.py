"""Video files as a source: in order, in time, and in their colours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.pictures import smooth
from support.videos import GREYS, grey_of, write_video

from edged.camera.geometry import Size
from edged.camera.picture import Matrix, PackedPicture, TurnedPicture, YuvPicture
from edged.camera.source import Pace, SourceEndedError
from edged.camera.video import VideoSource

if TYPE_CHECKING:
    from pathlib import Path


def test_frames_come_in_order_and_start_again(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4"), realtime=False)
    assert source.pace is Pace.LOCK_STEP
    assert [grey_of(source) for _ in range(14)] == [*GREYS, *GREYS, *GREYS[:2]]
    source.close()


def test_without_loop_it_ends(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4"), loop=False, realtime=False)
    assert [grey_of(source) for _ in GREYS] == GREYS
    with pytest.raises(SourceEndedError, match=r"a\.mp4: at its end"):
        source.read(1.0)
    source.close()


def test_as_fast_as_it_goes_does_not_wait(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", rate=1), realtime=False)
    began = time.monotonic()
    for _ in range(12):
        source.read(5.0)
    assert time.monotonic() - began < 1.0
    source.close()


@pytest.mark.parametrize("greys", [GREYS, GREYS[:1]])
def test_in_real_time_frames_keep_their_distance_across_the_loop_too(tmp_path: Path, greys: list[int]) -> None:
    """A video of one frame would otherwise be opened thousands of times a second."""
    source = VideoSource(write_video(tmp_path / "a.mp4", rate=20, greys=greys))
    assert source.pace is Pace.LIVE
    source.read(5.0)
    began = time.monotonic()
    for _ in range(14):
        source.read(5.0)
    assert 0.62 <= time.monotonic() - began <= 1.2
    source.close()


def test_late_reader_gets_no_burst_of_old_frames(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", rate=20, greys=GREYS * 5))
    source.read(5.0)
    time.sleep(1.5)
    source.read(5.0)
    began = time.monotonic()
    for _ in range(4):
        source.read(5.0)
    assert time.monotonic() - began >= 0.15
    source.close()


def test_read_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "slow.mp4", rate=1))
    source.read(0.1)
    began = time.monotonic()
    source.read(0.2)
    assert time.monotonic() - began < 0.5
    source.close()


def test_stream_without_times_plays_at_the_usual_speed(tmp_path: Path) -> None:
    """Bare H.264, as a Pi's camera programs write it."""
    source = VideoSource(write_video(tmp_path / "a.h264", codec="libx264", rate=25))
    source.read(5.0)
    began = time.monotonic()
    for _ in range(5):
        source.read(5.0)
    assert 0.15 <= time.monotonic() - began <= 0.6
    source.close()


@pytest.mark.parametrize(
    ("pixels", "codec", "kind"),
    [
        ("yuv420p", "ffv1", YuvPicture),
        ("yuv422p", "ffv1", YuvPicture),
        ("yuv444p", "ffv1", YuvPicture),
        ("yuvj420p", "mjpeg", YuvPicture),
        ("nv12", "rawvideo", YuvPicture),
        ("nv21", "rawvideo", YuvPicture),
        ("gray", "ffv1", PackedPicture),
        ("yuv420p10le", "ffv1", PackedPicture),
        ("bgr0", "ffv1", PackedPicture),
    ],
)
def test_every_pixel_format_has_its_colours(tmp_path: Path, pixels: str, codec: str, kind: type) -> None:
    source = VideoSource(write_video(tmp_path / "a.mkv", codec=codec, pixels=pixels, greys=[-1]), realtime=False)
    picture = source.read(1.0).picture
    assert isinstance(picture, kind)
    rendered, wanted = picture.render(Size(64, 48)).astype(int), smooth(64, 48).astype(int)
    if pixels == "gray":
        wanted = np.rint(wanted @ (0.299, 0.587, 0.114)).astype(int)[:, :, np.newaxis]
    assert np.abs(rendered - wanted).mean() < (6 if codec == "mjpeg" else 3)
    source.close()


def test_odd_sizes_are_shown_whole(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", codec="ffv1", greys=[-1], size=(63, 47))
    picture = VideoSource(path, realtime=False).read(1.0).picture
    assert picture.size == Size(63, 47)
    assert np.abs(picture.render(Size(63, 47)).astype(int) - smooth(63, 47)).mean() < 3


def test_colours_are_what_the_file_says_or_what_its_height_suggests(tmp_path: Path) -> None:
    def matrix(name: str, height: int, **colours: int) -> tuple[Matrix, bool]:
        path = write_video(tmp_path / name, codec="libx264", greys=[50], size=(64, height), colours=colours)
        picture = VideoSource(path, realtime=False).read(1.0).picture
        assert isinstance(picture, YuvPicture)
        return picture.matrix, picture.full_range

    assert matrix("sd.mp4", 480) == (Matrix.BT601, False)
    assert matrix("hd.mp4", 720) == (Matrix.BT709, False)
    assert matrix("said.mp4", 480, colorspace=1, color_range=2) == (Matrix.BT709, True)
    assert matrix("old.mp4", 720, colorspace=6) == (Matrix.BT601, False)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_in_the_file_makes_the_picture_upright(tmp_path: Path, degrees: int) -> None:
    """FFmpeg's angle is that of the turn anti-clockwise."""
    path = write_video(tmp_path / "a.mp4", greys=[-1], rotation=-degrees if degrees < 270 else 90)
    picture = VideoSource(path, realtime=False).read(1.0).picture
    assert isinstance(picture, TurnedPicture)
    wanted = np.rot90(smooth(64, 48), -degrees // 90).astype(int)
    size = Size(wanted.shape[1], wanted.shape[0])
    assert picture.size == size
    assert np.abs(picture.render(size) - wanted).mean() < 5


def test_pictures_outlive_their_source(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4"), realtime=False)
    pictures = [source.read(1.0).picture for _ in GREYS]
    source.close()
    means = [picture.render(Size(8, 8)).mean() for picture in pictures]
    assert np.allclose(means, GREYS, atol=6)
