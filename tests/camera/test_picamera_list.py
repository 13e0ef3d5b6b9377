"""The list of Raspberry Pi cameras: real child processes, with and without libcamera."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edged.camera.picamera_list import list_picameras

if TYPE_CHECKING:
    from pathlib import Path

LIBCAMERA = """
class Id:
    def __init__(self, name):
        self.name = name
class Camera:
    def __init__(self, id, **properties):
        self.id = id
        self.properties = {Id(name): value for name, value in properties.items()}
class CameraManager:
    cameras = [
        Camera("/base/axi/usb@1", Model="Webcam"), Camera("/base/i2c@80000/imx219", Rotation=180, Model="imx219"),
        Camera("/base/i2c@88000/imx708", Model="imx708_wide"), Camera("/base/i2c@70000/none"),
    ]
    @staticmethod
    def singleton():
        return CameraManager
"""


@pytest.mark.skipif(importlib.util.find_spec("libcamera") is not None, reason="libcamera is here: it may find cameras")
def test_list_is_empty_without_libcamera() -> None:
    assert list_picameras() == ()


def test_models_come_in_the_order_of_their_numbers_usb_cameras_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "libcamera.py").write_text(LIBCAMERA)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert list_picameras() == ("imx708_wide", "imx219", "/base/i2c@70000/none", "Webcam")


@pytest.mark.parametrize(
    "program", ["import os; print('imx219', flush=True); os.abort()", "raise SystemExit(3)", "1/0", "("]
)
def test_list_is_empty_when_libcamera_crashes(program: str) -> None:
    assert list_picameras(program=program) == ()


def test_list_is_empty_and_in_time_when_libcamera_hangs() -> None:
    began = time.monotonic()
    assert list_picameras(0.3, "import time; print('imx219', flush=True); time.sleep(60)") == ()
    assert time.monotonic() - began < 3.0


def test_list_is_empty_where_no_python_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert list_picameras() == ()
