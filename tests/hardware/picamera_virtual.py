"""Raspberry Pi cameras with the real picamera2, on libcamera's virtual cameras: `scripts/picamera-virtual` runs it.

It needs a libcamera with two virtual cameras that show a photo (virtual.yaml). They give NV12 only, without any pause.
Where there is no device memory, a module `picamera2_virtual` with a function `install` puts ordinary memory in its
place, before picamera2 is used.
"""

from __future__ import annotations

import importlib
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import yaml
from PIL import Image
from support.pictures import bilinear
from support.scene import soon

from edged.camera import picamera as picamera_module
from edged.camera.camera import Camera, CameraOptions
from edged.camera.geometry import Size
from edged.camera.newest import Newest
from edged.camera.open_source import open_source
from edged.camera.picamera import PicameraSource
from edged.camera.picamera_list import list_picameras
from edged.camera.picture import Matrix, YuvPicture
from edged.camera.source import SourceOptions, WantedSize
from edged.errors import SourceError
from edged.labeler import ImageLabeler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.camera.pixels import Pixels
    from edged.camera.source import Source

with suppress(ImportError):
    importlib.import_module("picamera2_virtual").install()

VIRTUAL = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
SIZE = Size(640, 360)  # one of those in virtual.yaml, with the aspect of the virtual sensor
OPTIONS = SourceOptions(fps=10.0, wanted=WantedSize(SIZE))

pytestmark = [
    pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning"),  # picamera2's own
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),  # its threads', on purpose
    pytest.mark.skipif(len(list_picameras()) != 2, reason="libcamera's two virtual cameras are not here"),
]


@pytest.fixture
def source() -> Iterator[PicameraSource]:
    source = PicameraSource(0, OPTIONS)
    yield source
    source.close()


@pytest.fixture(scope="module")
def photo() -> Path:
    """What the virtual cameras show, as libcamera is told."""
    cameras = yaml.safe_load(VIRTUAL.read_text())
    photos = sorted(Path(next(iter(cameras.values()))["frames"]["path"]).glob("*.jpg"))
    if len(photos) != 1:
        pytest.skip(f"the virtual cameras show {len(photos)} photos in turn: give them one")
    return photos[0]


def test_list_names_both_cameras() -> None:
    assert list_picameras() == ("Virtual camera 0", "Virtual camera 1")


# What comes


def test_nv12_of_the_right_size_is_read_back(source: PicameraSource) -> None:
    picture = source.read(5.0).picture
    assert isinstance(picture, YuvPicture)
    assert (picture.size, picture.v, picture.u.shape) == (SIZE, None, (180, 320, 2))
    assert (picture.matrix, picture.full_range) == (Matrix.BT601, True)


def test_size_that_libcamera_does_not_have_is_read_back_as_it_made_it() -> None:
    source = PicameraSource(0, replace(OPTIONS, wanted=WantedSize(Size(250, 250))))
    assert source.read(5.0).picture.size == Size(1920, 1080)
    source.close()


def test_colours_are_those_of_the_photo(source: PicameraSource, photo: Path) -> None:
    with Image.open(photo) as image:
        wanted = bilinear(
            np.asarray(image.convert("RGB").resize((SIZE.width, SIZE.height), Image.Resampling.BOX)), 64, 36
        )
    got = source.read(5.0).picture.render(Size(64, 36)).astype(np.float64)
    assert wanted.std(axis=2).mean() > 10, "this photo has no colours: a mistake in them would not be seen"
    assert np.abs(got - wanted).mean() < 4.0
    for channel in range(3):
        assert np.corrcoef(got[..., channel].ravel(), wanted[..., channel].ravel())[0, 1] > 0.98
    swapped = np.abs(got[..., ::-1] - wanted).mean()
    assert swapped > 3 * np.abs(got - wanted).mean()


def test_labels_are_those_of_the_photo(source: PicameraSource, photo: Path) -> None:
    with ImageLabeler(max_results=3) as labeler:
        seen, wanted = labeler.process(source.read(5.0).picture), labeler.process(photo)
    assert seen[0].text == wanted[0].text
    assert seen[0].confidence == pytest.approx(wanted[0].confidence, abs=0.1)


def test_picture_stays_as_it_was_while_the_camera_goes_on(source: PicameraSource) -> None:
    pictures = [source.read(5.0).picture for _ in range(10)]  # more than there are buffers
    before = [picture.render(Size(64, 36)) for picture in pictures]
    for _ in range(10):
        source.read(5.0)
    for picture, pixels in zip(pictures, before, strict=True):
        assert np.array_equal(picture.render(Size(64, 36)), pixels)


# Faults


def test_frames_come_after_fifty_timeouts_in_a_row(source: PicameraSource) -> None:
    failed = 0
    for _ in range(1000):
        try:
            source.read(1e-6)
        except SourceError:
            failed += 1
        if failed == 50:
            break
    assert failed >= 10
    for _ in range(30):
        source.read(5.0)


def test_time_is_kept_when_no_frame_comes(source: PicameraSource) -> None:
    starve(source)
    for _ in range(6):
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"no frame for 0.2 s"):
            source.read(0.2)
        assert 0.15 < time.monotonic() - began < 1.0


def test_close_returns_though_picamera2s_own_thread_died(source: PicameraSource) -> None:
    def fail(_request: object) -> None:
        raise ValueError("made on purpose")

    camera = source._camera  # noqa: SLF001
    camera.pre_callback = fail
    with pytest.raises(SourceError, match="no frame"):
        source.read(0.5)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 2.0
    again = PicameraSource(0, OPTIONS)
    again.read(5.0)
    again.close()


def test_wrong_number_and_busy_camera_are_said(source: PicameraSource) -> None:
    source.read(5.0)
    with pytest.raises(SourceError, match=r"no picamera:5; there are picamera:0 \(Virtual camera 0\), picamera:1"):
        open_source("picamera:5", OPTIONS)
    with pytest.raises(SourceError, match="picamera:0: the camera is in use"):
        open_source("picamera:0", OPTIONS)
    source.read(5.0)


def test_twenty_times_opened_and_closed_descriptors_and_memory_stay() -> None:
    figures = [measured(number % 2) for number in range(26)][6:]
    descriptors = {descriptors for descriptors, _ in figures}
    memory = [megabytes for _, megabytes in figures]
    assert len(descriptors) == 1
    assert statistics.median(memory[-5:]) - statistics.median(memory[:5]) < 2.0


def test_twenty_times_refused_descriptors_stay(source: PicameraSource) -> None:
    source.read(5.0)
    descriptors = set()
    for _ in range(20):
        with pytest.raises(SourceError):
            PicameraSource(0, OPTIONS)
        descriptors.add(psutil.Process().num_fds())
    assert len(descriptors) == 1


# Several cameras


def test_two_cameras_at_once() -> None:
    def run(number: int) -> int:
        source = PicameraSource(number, OPTIONS)
        sizes = [source.read(5.0).picture.size for _ in range(50)]
        source.close()
        return sizes.count(SIZE)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, [0, 1])) == [50, 50]


def test_one_camera_is_closed_while_the_other_is_opened() -> None:
    """Thirty moments: without taking turns, picamera2 hangs in this within the first ten."""
    for turn in range(30):
        one = PicameraSource(0, OPTIONS)
        thread = threading.Thread(target=one.close, daemon=True)
        thread.start()
        time.sleep(0.002 * turn)
        other = PicameraSource(1, OPTIONS)
        other.read(5.0)
        thread.join(3.0)
        assert not thread.is_alive()
        other.close()


def test_camera_that_does_not_stop_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, freed = PicameraSource(0, OPTIONS), threading.Event()
    close = hanging._camera.close  # noqa: SLF001
    monkeypatch.setattr(hanging._camera, "close", lambda: (freed.wait(), close()))  # noqa: SLF001
    thread = threading.Thread(target=hanging.close, daemon=True)
    thread.start()
    began = time.monotonic()
    other = PicameraSource(1, OPTIONS)
    assert time.monotonic() - began < picamera_module.ALONE_SECONDS + 2.0
    for _ in range(20):
        other.read(5.0)
    began = time.monotonic()
    other.close()
    assert time.monotonic() - began < 2.0
    freed.set()
    thread.join(5.0)
    assert not thread.is_alive()


@pytest.mark.parametrize("accident", ["starve", "stop"])
def test_camera_comes_back_after_an_accident(accident: str) -> None:
    opened: list[PicameraSource] = []

    def opener(_address: str, options: SourceOptions) -> Source:
        opened.append(PicameraSource(0, options))
        return opened[-1]

    newest = Newest()
    options = CameraOptions("porch", "picamera", "picamera", fps=100.0, stall=0.5, options=OPTIONS)
    camera = Camera(options, newest, opener=opener)
    camera.start()
    try:
        for cycle in range(1, 4):
            soon(lambda cycle=cycle: camera.state.state == "running" and len(opened) == cycle)  # type: ignore[misc]
            frames = camera.state.frames
            soon(lambda frames=frames: camera.state.frames > frames + 10)  # type: ignore[misc]
            {"starve": starve, "stop": stop}[accident](opened[-1])
            soon(lambda: camera.state.state == "retrying")
            assert "picamera:0: " in (camera.state.reason or "")
            assert accident == "stop" or "no frame for 0.5 s" in (camera.state.reason or "")
        soon(lambda: camera.state.state == "running")
        taken = newest.take(5.0)
        assert taken is not None
        assert taken[1].picture.size == SIZE
    finally:
        camera.stop()
        assert camera.join(5.0)


def stop(source: PicameraSource) -> None:
    """Behind picamera2's back: what it does next fails, or nothing comes."""
    source._camera.camera.stop()  # noqa: SLF001


def starve(source: PicameraSource) -> None:
    """As a camera does that dies: no frame comes any more, and nothing says so."""
    with suppress(TimeoutError):
        while True:  # libcamera may have made more buffers than it was asked for
            source._camera.capture_request(wait=0.3)  # noqa: SLF001


def measured(number: int) -> tuple[int, float]:
    """Descriptors and megabytes after one more opening."""
    source = PicameraSource(number, OPTIONS)
    pixels: Pixels = source.read(5.0).picture.render(Size(64, 36))
    assert pixels.any()
    source.close()
    process = psutil.Process()
    return process.num_fds(), process.memory_info().rss / 1e6
