"""Raspberry Pi cameras that fail: without picamera2, and on a double of it. With the real one: tests/hardware."""

from __future__ import annotations

import errno
import gc
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.picamera_double import Rig
from support.scene import soon

from edged.camera import camera as camera_module
from edged.camera import picamera as picamera_module
from edged.camera.camera import Camera, CameraOptions
from edged.camera.geometry import Size
from edged.camera.newest import Newest
from edged.camera.open_source import open_source
from edged.camera.picamera import PicameraSource
from edged.camera.picamera_words import no_such_camera, what_went_wrong
from edged.camera.source import SourceOptions, WantedSize
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
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


# Without picamera2


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_missing_picamera2_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(SourceError, match=r"sudo apt install python3-picamera2; .*--system-site-packages"):
        open_source("picamera:0", OPTIONS)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import no_such_module_libcamera_needs", "cannot be loaded.*no_such_module"),
        ("import libcamera", "sudo apt install python3-libcamera"),
        ("import pykms", "sudo apt install python3-kms"),
        ("raise ValueError('numpy.dtype size changed')", r"cannot be loaded \(numpy.dtype size changed\).*--reinstall"),
    ],
)
def test_picamera2_that_cannot_be_loaded_is_said_with_what_to_do(
    program: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picamera2.py").write_text(program)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(SourceError, match=words):
        PicameraSource(0, OPTIONS)


# What cannot be opened


def test_camera_that_another_program_has_costs_no_descriptor_however_often_it_is_tried(rig: Rig) -> None:
    rig.busy = True
    descriptors = []
    for _ in range(20):
        with pytest.raises(SourceError, match=r"picamera:0: the camera is in use.*fuser"):
            PicameraSource(0, OPTIONS)
        descriptors.append(len(list(Path("/proc/self/fd").iterdir())))
    assert len(set(descriptors)) == 1


@pytest.mark.parametrize("method", ["__init__", "configure", "start"])
def test_camera_that_fails_half_open_is_given_back(method: str, rig: Rig) -> None:
    rig.fails[method] = RuntimeError("Configuration failed: {'use_case': 'video'}")
    with pytest.raises(SourceError, match="picamera:0: Configuration failed"):
        PicameraSource(0, OPTIONS)
    assert not rig.made[0].is_open
    assert rig.made[0].notifymeread.closed
    rig.fails.clear()
    PicameraSource(0, OPTIONS).close()


def test_close_lets_everything_go_even_where_picamera2_does_not(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    source = PicameraSource(0, OPTIONS)
    rig.fails["close"] = RuntimeError("Failed to release camera: Device or resource busy")
    source.close()
    assert "Failed to release camera" in caplog.text
    assert not rig.made[0].is_open, "it would be closed again when it is collected"
    assert rig.made[0].notifymeread.closed


def test_no_camera_a_wrong_number_and_a_usb_camera_are_told_apart(rig: Rig) -> None:
    with pytest.raises(SourceError, match=r"no picamera:5; there is picamera:0 \(imx219\); `rpicam-hello --list-cam"):
        PicameraSource(5, OPTIONS)
    two = [("imx708", "/base/i2c"), ("Webcam", "/base/usb@1")]
    assert "there are picamera:0 (imx708), picamera:1 (Webcam)" in (no_such_camera(2, two) or "")
    assert "v4l2:/dev/video0" in (no_such_camera(1, two) or "")
    assert no_such_camera(0, two) is None
    rig.models = ()
    with pytest.raises(SourceError, match=r"no camera is found: .*cable|may not be opened"):
        PicameraSource(0, OPTIONS)


def test_devices_that_may_not_be_opened_are_named_with_the_group() -> None:
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    (folder / "media0").touch(mode=0)
    folder.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        problem = no_such_camera(0, [], [f"{folder}/media*"])
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)
    assert problem is not None
    assert "media0 may not be opened" in problem
    assert "usermod -aG video" in problem


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/dev/dma_heap/linux,cma"), "permission denied.*group vid"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "no memory for its pictures"),
        (RuntimeError("Failed to acquire camera: Device or resource busy"), "is in use"),
        (RuntimeError(), "RuntimeError; `rpicam-hello"),
    ],
)
def test_errors_of_libcamera_are_said_in_words(error: Exception, words: str) -> None:
    outer = RuntimeError("Camera __init__ sequence did not complete.")
    outer.__cause__ = error
    with pytest.raises(SourceError, match=words):
        raise SourceError(what_went_wrong("picamera:0", outer))


# Time-outs


def test_camera_gives_frames_again_after_ten_timeouts_in_a_row(source: PicameraSource, rig: Rig) -> None:
    rig.dead = True
    for _ in range(10):
        with pytest.raises(SourceError, match=r"picamera:0: no frame for 0.02 s; .*cable"):
            source.read(0.02)
    rig.dead = False
    for _ in range(10):
        source.read(5.0)
    assert rig.made[0].free == rig.made[0].configured[-1]["buffer_count"], "a buffer got lost"


def test_no_buffer_is_lost_when_a_frame_comes_with_the_timeout(source: PicameraSource, rig: Rig) -> None:
    came = 0
    for turn in range(60):
        try:
            source.read(0.004 + turn % 10 / 5000)  # frames come every 5 ms
        except SourceError:
            continue
        came += 1
    assert came
    assert rig.made[0].free == rig.made[0].configured[-1]["buffer_count"], "a buffer got lost"


def test_buffer_is_given_back_when_its_frame_cannot_be_read(source: PicameraSource, rig: Rig) -> None:
    rig.fails["make_array"] = RuntimeError("failed to find buffer")
    for _ in range(10):
        with pytest.raises(SourceError, match="picamera:0: failed to find buffer"):
            source.read(5.0)
    rig.fails.clear()
    source.read(5.0)


def test_camera_that_dies_is_opened_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(camera_module, "LONGEST_RETRY_SECONDS", 0.05)
    options = CameraOptions("porch", "picamera", "picamera", fps=500.0, stall=0.1, options=OPTIONS)
    camera = Camera(options, Newest())
    camera.start()
    soon(lambda: camera.state.frames > 2)
    rig.dead = True
    soon(lambda: camera.state.state == "retrying")
    assert "no frame for 0.1 s" in (camera.state.reason or "")
    rig.dead = False
    soon(lambda: camera.state.state == "running")
    camera.stop()
    assert camera.join(5.0)
    assert not any(made.is_open for made in rig.made)


# Several cameras, and one that hangs


def test_cameras_are_opened_and_closed_side_by_side(rig: Rig) -> None:
    rig.models = ("imx219", "imx708")

    def cycle(number: int) -> Size:
        source = PicameraSource(number, OPTIONS)
        size = source.read(5.0).picture.size
        source.close()
        return size

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(cycle, [0, 1] * 10)) == {Size(320, 240)}
    assert len(rig.made) == 20


def test_camera_that_hangs_in_its_stop_does_not_stop_the_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera_module, "ALONE_SECONDS", 0.3)
    hanging = PicameraSource(0, OPTIONS)
    other = PicameraSource(0, OPTIONS)
    rig.closing = threading.Event()
    thread = threading.Thread(target=hanging.close)
    thread.start()
    soon(lambda: picamera_module._turns._since is not None)  # noqa: SLF001
    freed, rig.closing = rig.closing, None
    began = time.monotonic()
    PicameraSource(0, OPTIONS).close()
    assert 0.1 < time.monotonic() - began < 2.0
    other.read(5.0)
    began = time.monotonic()
    other.close()
    assert time.monotonic() - began < 0.2, "who hangs is waited for once, not each time"
    freed.set()
    thread.join(5.0)
    gc.collect()
