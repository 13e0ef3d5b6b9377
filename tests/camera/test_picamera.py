"""Raspberry Pi cameras on a double of picamera2: what is asked for, and what comes. The real one: tests/hardware."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.picamera_double import SYCC, Encoding, Range, Rig, Space
from support.pictures import bilinear, smooth

from edged.camera import picamera as picamera_module
from edged.camera.geometry import Size
from edged.camera.picamera import PicameraSource
from edged.camera.source import Pace, SourceOptions, WantedSize
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = SourceOptions(fps=10.0, wanted=WantedSize(Size(300, 224)))


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig()
    rig.plug(monkeypatch)
    return rig


@pytest.fixture
def source(rig: Rig) -> Iterator[PicameraSource]:
    assert rig.models
    source = PicameraSource(0, OPTIONS)
    yield source
    source.close()


def opened(rig: Rig, monkeypatch: pytest.MonkeyPatch, options: SourceOptions = OPTIONS) -> PicameraSource:
    """A rig that was changed so much that it has to be plugged in anew."""
    rig.plug(monkeypatch)
    return PicameraSource(0, options)


def test_frames_are_live_and_in_their_colours(source: PicameraSource) -> None:
    picture = source.read(5.0).picture
    assert source.pace is Pace.LIVE
    assert picture.size == Size(320, 240)
    assert np.abs(picture.render(Size(64, 48)) - bilinear(smooth(320, 240), 64, 48)).mean() < 0.8


@pytest.mark.parametrize("gives", ["YUV420", "YVU420", "NV12", "NV21"])
@pytest.mark.parametrize("space", [SYCC, Space(Encoding.Rec709, Range.Limited), None])
def test_what_is_read_back_counts_and_not_what_was_asked_for(
    gives: str, space: Space | None, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.gives, rig.space = gives, space
    source = opened(rig, monkeypatch)
    picture = source.read(5.0).picture
    source.close()
    assert np.abs(picture.render(Size(64, 48)) - bilinear(smooth(320, 240), 64, 48)).mean() < 0.8


def test_pictures_of_an_unknown_kind_are_refused_and_the_camera_given_back(rig: Rig) -> None:
    rig.gives = "MJPEG"
    with pytest.raises(SourceError, match="gives MJPEG"):
        PicameraSource(0, OPTIONS)
    assert not rig.made[0].is_open


FULL_708 = (0, 0, 4608, 2592)


@pytest.mark.parametrize(
    ("changes", "mode", "configured"),
    [
        ({}, (1640, 1232), 2),
        ({"area": None}, (1640, 1232), 2),
        ({"modes": {(1536, 864): (768, 432, 3072, 1728), (2304, 1296): FULL_708, (4608, 2592): FULL_708}}, None, 2),
        ({"modes": {(640, 480): (16, 0, 3200, 2400), (3280, 2464): (0, 0, 3280, 2464)}}, (640, 480), 1),
        ({"modes": {(640, 400): (0, 0, 1280, 800), (1280, 800): (0, 0, 1280, 800)}, "area": None}, (640, 400), 1),
    ],
)
def test_sensor_is_read_in_the_cheapest_mode_that_shows_everything(
    changes: dict[str, object], mode: tuple[int, int] | None, configured: int, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode is None:
        mode, changes = (2304, 1296), {**changes, "area": (16, 24, 4608, 2592)}
    rig.__dict__.update(changes)
    source = opened(rig, monkeypatch)
    source.close()
    camera = rig.made[0]
    assert len(camera.configured) == configured
    assert camera.configured[-1]["sensor"] == {"output_size": mode}
    assert camera.configured[-1]["raw"] is None
    assert camera.set["ScalerCrop"] == rig.modes[mode]


def test_pi_5_is_asked_for_its_own_multiples_and_crops_of_both_streams(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.platform = "PISP"
    source = opened(rig, monkeypatch)
    assert source.read(5.0).picture.size == Size(384, 288)
    source.close()
    assert rig.made[0].set["ScalerCrops"] == [(0, 0, 3280, 2464)] * 2


def test_a_camera_that_is_not_a_pis_is_configured_without_a_sensor_mode(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.pi = False
    opened(rig, monkeypatch).close()
    assert [configured["sensor"] for configured in rig.made[0].configured] == [{}]


def test_rate_and_focus_are_set_and_only_what_the_camera_has(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    PicameraSource(0, OPTIONS).close()
    assert rig.made[0].set["FrameDurationLimits"] == (100_000, 100_000)
    assert "AfMode" not in rig.made[0].set
    rig.autofocus = True
    opened(rig, monkeypatch, replace(OPTIONS, fps=500.0)).close()
    assert rig.made[1].set["FrameDurationLimits"] == (33_333, 33_333)
    assert rig.made[1].set["AfMode"] == 2


def test_size_is_chosen_without_the_model_when_that_takes_too_long(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera_module, "WANTED_SECONDS", 0.05)
    source = opened(rig, monkeypatch, replace(OPTIONS, wanted=WantedSize()))
    assert source.read(5.0).picture.size == Size(640, 480)
    source.close()


def test_the_model_is_waited_for(rig: Rig) -> None:
    wanted = WantedSize()
    threading.Timer(0.1, wanted.set, [Size(500, 10)]).start()
    source = PicameraSource(0, replace(OPTIONS, wanted=wanted))
    assert source.read(5.0).picture.size.width == 512
    source.close()
    assert len(rig.made) == 1
