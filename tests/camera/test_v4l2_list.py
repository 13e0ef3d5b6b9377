"""Cameras as sysfs lists them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edged.camera.v4l2_list import V4l2Camera, list_cameras

if TYPE_CHECKING:
    from pathlib import Path


def add(root: Path, node: str, name: str, index: str = "0\n", link: str = "") -> None:
    """A node as the kernel and udev make it: sysfs files through a link, a device, and its name by id."""
    folder = root / "sys/devices/usb1/1-1" / node
    folder.mkdir(parents=True)
    (folder / "name").write_bytes(name.encode() + b"\n")
    (folder / "index").write_text(index)
    (root / "sys/class/video4linux").mkdir(parents=True, exist_ok=True)
    (root / "sys/class/video4linux" / node).symlink_to(folder)
    (root / "dev/v4l/by-id").mkdir(parents=True, exist_ok=True)
    (root / "dev" / node).touch()
    if link:
        (root / "dev/v4l/by-id" / link).symlink_to(f"../../{node}")


def test_cameras_are_listed_by_number_with_name_and_link(tmp_path: Path) -> None:
    add(tmp_path, "video10", "Küchenkamera")
    add(tmp_path, "video2", "HD Webcam: HD Webcam", link="usb-HD_Webcam_123-video-index0")
    add(tmp_path, "video3", "HD Webcam: HD Webcam", "1\n", link="usb-HD_Webcam_123-video-index1")
    assert list_cameras(tmp_path) == (
        V4l2Camera(
            tmp_path / "dev/video2",
            "HD Webcam: HD Webcam",
            readable=True,
            link=tmp_path / "dev/v4l/by-id/usb-HD_Webcam_123-video-index0",
        ),
        V4l2Camera(tmp_path / "dev/video10", "Küchenkamera", readable=True),
    )


def test_what_is_no_webcam_is_left_out(tmp_path: Path) -> None:
    for number, name in enumerate(
        ["bcm2835-codec-decode", "bcm2835-isp-output0", "pispbe-input", "rpi-hevc-dec", "rpivid", "unicam-image"]
    ):
        add(tmp_path, f"video{number + 10}", name)
    add(tmp_path, "video19", "rp1-cfe-csi2_ch0")
    add(tmp_path, "v4l-subdev0", "ov5647 10-0036")
    add(tmp_path, "vbi0", "vivid-000-vbi-cap")
    add(tmp_path, "video0", "vivid-000-vid-cap")
    assert [camera.name for camera in list_cameras(tmp_path)] == ["vivid-000-vid-cap"]


def test_machine_without_video_has_no_cameras(tmp_path: Path) -> None:
    assert list_cameras(tmp_path) == ()


def test_name_that_the_kernel_cut_inside_a_letter_is_shown(tmp_path: Path) -> None:
    add(tmp_path, "video0", "")
    (tmp_path / "sys/devices/usb1/1-1/video0/name").write_bytes("Webcam für Küche ä".encode()[:-1] + b"\n")
    add(tmp_path, "video1", "")
    first, second = list_cameras(tmp_path)
    assert first.name.startswith("Webcam für Küche ")
    assert second.name == "video1"


def test_camera_whose_node_is_not_there_or_closed_is_not_readable(tmp_path: Path) -> None:
    add(tmp_path, "video0", "a webcam")
    add(tmp_path, "video1", "another")
    (tmp_path / "dev/video0").unlink()
    (tmp_path / "dev/video1").chmod(0)
    gone, closed = list_cameras(tmp_path)
    assert not gone.readable
    assert closed.readable == (os.geteuid() == 0)


def test_this_machine_can_be_asked_without_linuxpy() -> None:
    code = (
        "import sys; from edged.camera.v4l2_list import list_cameras; list_cameras(); print('linuxpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


@pytest.mark.parametrize("index", ["1\n", "2"])
def test_camera_with_metadata_only_is_none(tmp_path: Path, index: str) -> None:
    add(tmp_path, "video0", "a webcam", index)
    assert list_cameras(tmp_path) == ()
