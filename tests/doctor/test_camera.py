"""Each kind of source, there and not there."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edged.config import CameraConfig
from edged.doctor.camera import look_at_camera, look_for_cameras
from edged.doctor.run import examine, subjects

if TYPE_CHECKING:
    from pathlib import Path

    from support.machine import Tree

    from edged.doctor.check import Check
    from edged.doctor.machine import Machine


def machine_with(tree: Tree, source: str) -> Machine:
    camera = CameraConfig.model_validate({"source": source})
    return replace(tree.machine, cameras={"porch": camera})


def look(tree: Tree, source: str) -> Check:
    [check] = look_at_camera(machine_with(tree, source), "porch")
    assert check.name == "camera porch"
    return check


def webcam(tree: Tree, number: int = 0, name: str = "HD Webcam") -> Path:
    tree.put(f"sys/class/video4linux/video{number}/name", name)
    tree.put(f"sys/class/video4linux/video{number}/index", "0")
    return tree.put(f"dev/video{number}")


def test_folder_of_photos(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert look(tree, f"{tmp_path}/photos").state == "warning"
    (tmp_path / "photos/a.jpg").touch()
    assert look(tree, f"{tmp_path}/photos").state == "ok"


def test_file(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    assert look(tree, f"{tmp_path}/film.mp4").state == "ok"


def test_path_that_is_not_there(tree: Tree, tmp_path: Path) -> None:
    check = look(tree, f"{tmp_path}/none/photos")
    assert check.state == "problem"
    assert f"there is no {tmp_path}/none" in str(check.cure)


def test_path_that_may_not_be_read(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir(mode=0o000)
    if os.access(tmp_path / "photos", os.R_OK):
        pytest.skip("this user may read everything")
    check = look(tree, f"{tmp_path}/photos")
    assert check.state == "problem"
    assert "setfacl" in str(check.cure)


def test_webcam(tree: Tree) -> None:
    node = webcam(tree)
    check = look(tree, f"v4l2:{node}")
    assert (check.state, check.text) == ("ok", f"v4l2:{node}: HD Webcam")


def test_webcam_by_its_lasting_name(tree: Tree) -> None:
    node = webcam(tree)
    link = tree.root / "dev/v4l/by-id/usb-HD_Webcam-video-index0"
    link.parent.mkdir(parents=True)
    link.symlink_to(node)
    assert look(tree, f"v4l2:{link}").state == "ok"


def test_webcam_that_is_not_there_names_those_that_are(tree: Tree) -> None:
    node = webcam(tree)
    check = look(tree, "v4l2:/dev/video9")
    assert check.state == "problem"
    assert f"v4l2:{node} (HD Webcam)" in str(check.cure)


def test_picamera_where_there_is_none(tree: Tree) -> None:
    check = look(tree, "picamera:7")
    assert check.state == "problem"
    assert check.cure


def test_stream_that_answers(tree: Tree) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check = look(tree, f"rtsp://user:hun/t@er2@127.0.0.1:{port}/live?token=secret")
    assert check.state == "ok"
    assert "hun" not in check.text
    assert "secret" not in check.text


def test_stream_that_refuses(tree: Tree) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check = look(tree, f"rtsp://user:hunter2@127.0.0.1:{port}/live")
    assert check.state == "problem"
    assert f"refuses connections at port {port}" in check.text
    assert "hunter2" not in f"{check.text} {check.cure}"


def test_stream_whose_host_has_no_name(tree: Tree) -> None:
    check = look(tree, "http://user:hunter2@camera.invalid/stream")
    assert check.state == "problem"
    assert "camera.invalid cannot be resolved" in check.text
    assert "hunter2" not in f"{check.text} {check.cure}"


def test_stream_without_a_host_that_can_be_one(tree: Tree) -> None:
    check = look(tree, "rtsp://[camera/live")
    assert check.state == "problem"
    assert "rtsp://host:554/path" in str(check.cure)


def test_every_camera_is_a_subject_of_its_own(tree: Tree, tmp_path: Path) -> None:
    cameras = {name: CameraConfig.model_validate({"source": str(tmp_path)}) for name in ("a", "b")}
    names = [subject.name for subject in subjects(replace(tree.machine, cameras=cameras))]
    assert [name for name in names if name.startswith("camera")] == ["camera a", "camera b"]


def test_without_a_configuration_attached_cameras_are_named(tree: Tree) -> None:
    node = webcam(tree)
    [check] = look_for_cameras(tree.machine)
    assert check.state == "ok"
    assert f"v4l2:{node} (HD Webcam)" in check.text


def test_whole_examination_of_a_machine_in_a_folder(tree: Tree) -> None:
    tree.usb()
    found = {check.name: check.state for check in examine(tree.with_library("libnone.so.1"))}
    assert found["runtime"] == "ok"
    assert found["edge tpu"] == "ok"
    assert found["libedgetpu"] == "problem"
    assert found["model"] == "warning"


def test_webcam_by_its_number(tree: Tree) -> None:
    webcam(tree, 3)
    check = look(tree, "v4l2:3")
    assert (check.state, check.text) == ("ok", "v4l2:3: HD Webcam")


@pytest.mark.parametrize("rest", ["/a.jpg?mail=me@example.org", "/me@example.org/a.jpg"])
def test_stream_with_an_at_sign_behind_its_host(tree: Tree, rest: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert look(tree, f"http://127.0.0.1:{port}{rest}").state == "ok"
