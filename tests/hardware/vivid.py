"""The V4L2 source and a real driver: the kernel's virtual camera, vivid. `scripts/v4l2-vivid` runs this.

As root, on a machine where vivid is loaded and gives a webcam. Not collected by a plain pytest.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hardware.vivid_camera import DRIVER, Vivid, find_vivid, open_handles, plug

from edged.camera.camera import Camera, CameraOptions
from edged.camera.geometry import Size
from edged.camera.newest import Newest
from edged.camera.open_source import open_source
from edged.camera.picture import PackedPicture, Picture, YuvPicture
from edged.camera.source import SourceOptions, WantedSize
from edged.camera.v4l2 import V4l2Source
from edged.camera.v4l2_device import V4l2Capture
from edged.camera.v4l2_formats import Format
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODE: Final[Path] = find_vivid() or pytest.skip(
    "there is no vivid camera: scripts/v4l2-vivid says how to have one", allow_module_level=True
)

OPTIONS = SourceOptions(fps=5.0, stall=3.0, wanted=WantedSize(Size(299, 224)))
FAST = replace(OPTIONS, fps=30.0)
BARS = ["white", "yellow", "cyan", "green", "magenta", "red", "blue", "black"]
RGB = np.array([[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0], [0, 0, 255]])
GREYS = np.rint(RGB @ [0.2126, 0.7152, 0.0722])  # the driver's GREY has BT.709's weights, from 0 to 255
ROUNDING = 4  # RGB to 8-bit YUV in the driver, where white is 254 or 255, and back


@pytest.fixture
def vivid() -> Vivid:
    camera = Vivid(NODE)
    camera.reset()
    return camera


@contextmanager
def opened(options: SourceOptions = OPTIONS, *formats: Format) -> Iterator[V4l2Source]:
    source = V4l2Source(str(NODE), options, capture=partial(V4l2Capture, formats=formats or tuple(Format)))
    try:
        yield source
    finally:
        source.close()


def bars(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The middle colour of each of the pattern's 8 vertical bars."""
    rendered = picture.render(Size(320, 240)).astype(np.float64)
    return np.array([rendered[60:180, 40 * bar + 12 : 40 * bar + 28].mean(axis=(0, 1)) for bar in range(8)])


def read_on(source: V4l2Source) -> None:
    for _ in range(30):
        source.read(20.0)


def soon(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def watched(fps: float = 10.0, stall: float = 2.0) -> Iterator[tuple[Camera, Newest]]:
    newest = Newest()
    options = replace(OPTIONS, fps=fps, stall=stall)
    address = f"v4l2:{NODE}"
    camera = Camera(CameraOptions("porch", address, address, fps=fps, stall=stall, options=options), newest)
    camera.start()
    try:
        soon(lambda: camera.state.frames > 3)
        yield camera, newest
    finally:
        camera.stop()
        newest.close()
        assert camera.join(stall + 3.0)


@pytest.mark.parametrize("kind", [Format.NV12, Format.YU12, Format.YUYV, Format.UYVY])
@pytest.mark.parametrize("size", [Size(299, 180), Size(640, 480), Size(1280, 720)])
def test_colours_of_the_test_pattern_are_right_in_every_format_and_size(vivid: Vivid, kind: Format, size: Size) -> None:
    assert vivid.node == NODE
    with opened(replace(OPTIONS, wanted=WantedSize(size)), kind) as source:
        picture = source.read(20.0).picture
    assert isinstance(picture, YuvPicture)
    assert picture.size.width >= size.width
    assert picture.size.height >= size.height
    assert np.abs(bars(picture) - np.vstack([RGB, [[0, 0, 0]]])).max() <= ROUNDING, BARS


@pytest.mark.parametrize("quantization", ["Full Range", "Limited Range"])
@pytest.mark.parametrize("encoding", ["ITU-R 601", "Rec. 709"])
def test_range_and_matrix_that_the_driver_tells_are_used(vivid: Vivid, quantization: str, encoding: str) -> None:
    vivid.set(**{"quantization": quantization, "y'cbcr_encoding": encoding})
    with opened(OPTIONS, Format.YUYV) as source:
        picture = source.read(20.0).picture
    assert isinstance(picture, YuvPicture)
    assert picture.full_range == (quantization == "Full Range")
    assert (picture.matrix.name == "BT709") == (encoding == "Rec. 709")
    assert np.abs(bars(picture)[:7] - RGB).max() <= ROUNDING


def test_grey_camera_gives_greys(vivid: Vivid) -> None:
    assert vivid.node == NODE
    with opened(OPTIONS, Format.GREY) as source:
        picture = source.read(20.0).picture
    assert isinstance(picture, PackedPicture)
    assert np.abs(bars(picture)[:7, 0] - GREYS).max() <= ROUNDING


def test_smallest_wide_mode_and_least_rate_are_asked_for(vivid: Vivid) -> None:
    assert vivid.node == NODE
    with opened() as source:
        picture = source.read(20.0).picture
        started, count = time.monotonic(), 0
        while time.monotonic() - started < 4.0:
            source.read(20.0)
            count += 1
    assert picture.size == Size(640, 360)
    assert 18 <= count <= 22


def test_size_that_nobody_knows_is_waited_for_and_then_usual(vivid: Vivid) -> None:
    assert vivid.node == NODE
    unknown = WantedSize()
    threading.Timer(1.0, unknown.set, [Size(700, 700)]).start()
    with opened(replace(OPTIONS, wanted=unknown)) as source:
        assert source.read(20.0).picture.size == Size(1280, 720)
    before = time.monotonic()
    with opened(replace(OPTIONS, wanted=WantedSize())) as source:
        assert source.read(20.0).picture.size == Size(640, 360)
    assert time.monotonic() - before >= 3.0


def test_link_and_number_are_the_same_camera(vivid: Vivid, tmp_path: Path) -> None:
    link = tmp_path / "usb-vivid-video-index0"
    link.symlink_to(vivid.node)
    for device in (str(link), str(vivid.node).removeprefix("/dev/video")):
        source = open_source(f"v4l2:{device}", OPTIONS)
        source.read(20.0)
        source.close()


def test_picture_stays_as_it_is_while_the_camera_goes_on(vivid: Vivid) -> None:
    with opened(FAST) as source:
        kept = source.read(20.0).picture
        before = bars(kept)
        vivid.set(test_pattern="100% Green")
        for _ in range(12):
            source.read(20.0)
        assert np.array_equal(bars(kept), before)
        assert np.abs(bars(source.read(20.0).picture) - [0, 255, 0]).max() <= ROUNDING


def test_after_a_pause_the_first_frame_shows_what_is_there_now(vivid: Vivid) -> None:
    with opened(FAST) as source:
        source.read(20.0)
        time.sleep(2.0)  # every buffer is full, with colour bars
        vivid.set(test_pattern="100% Red")
        time.sleep(0.1)
        assert np.abs(bars(source.read(20.0).picture) - [255, 0, 0]).max() <= ROUNDING


def test_damaged_frame_is_left_out(vivid: Vivid, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "edged")
    with opened(FAST) as source:
        source.read(20.0)
        vivid.push("inject_v4l2_buf_flag_error")
        read_on(source)
    assert [record for record in caplog.records if "a frame left out" in record.getMessage()]


def test_camera_that_loses_half_of_its_frames_still_gives_pictures(vivid: Vivid) -> None:
    vivid.set(percentage_of_dropped_buffers=50)
    with opened(replace(OPTIONS, fps=10.0)) as source:
        for _ in range(20):
            source.read(20.0)


def test_camera_that_stalls_is_an_error_in_time(vivid: Vivid) -> None:
    with opened() as source:
        source.read(20.0)
        vivid.set(percentage_of_dropped_buffers=100)
        while True:  # those that were on the way
            before = time.monotonic()
            try:
                source.read(2.0)
            except SourceError as error:
                assert str(error) == f"{NODE} (vivid): no picture for 2 s"  # noqa: PT017  when it comes counts too
                break
        assert 2.0 <= time.monotonic() - before < 3.0
        before = time.monotonic()
    assert time.monotonic() - before < 2.0, "closing a stalled camera takes no time"


@pytest.mark.parametrize(
    ("button", "words"),
    [
        ("disconnect", "unplugged"),
        ("inject_fatal_streaming_error", "the driver reports a failure"),
        ("inject_vidioc_qbuf_error", r"the driver refuses \(Invalid argument\)"),
    ],
)
def test_fault_while_streaming_is_said_and_the_next_opening_works(vivid: Vivid, button: str, words: str) -> None:
    with opened(FAST) as source:
        source.read(20.0)
        vivid.push(button)
        before = time.monotonic()
        with pytest.raises(SourceError, match=rf"\(vivid\): {words}"):
            read_on(source)
        assert time.monotonic() - before < 5.0
    with opened(FAST) as source:
        source.read(20.0)
    assert open_handles(vivid.node) == (0, 0)


@pytest.mark.parametrize("button", ["inject_vidioc_reqbufs_error", "inject_vidioc_streamon_error"])
def test_fault_while_opening_leaves_nothing_open(vivid: Vivid, button: str) -> None:
    vivid.push(button)
    with pytest.raises(SourceError, match=r"the driver refuses \(Invalid argument\)"), opened():
        pass
    assert open_handles(vivid.node) == (0, 0)
    with opened() as source:
        source.read(20.0)


def test_camera_opened_twice_is_in_use_by_edged_itself(vivid: Vivid) -> None:
    with opened() as source:
        source.read(20.0)
        with pytest.raises(SourceError, match=r"in use by edged itself"), opened():
            pass
        source.read(20.0)
    assert open_handles(vivid.node) == (0, 0)


def test_camera_in_use_by_another_program_names_it(vivid: Vivid) -> None:
    code = (
        "import sys, time; from edged.camera.open_source import open_source;"
        "from edged.camera.source import SourceOptions, WantedSize; from edged.camera.geometry import Size;"
        "s = open_source(sys.argv[1], SourceOptions(wanted=WantedSize(Size(99, 99)))); s.read(20); print(flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, f"v4l2:{vivid.node}"], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"\n"
            with pytest.raises(SourceError, match=rf"in use by python\S* \(process {other.pid}\)"), opened():
                pass
        finally:
            other.kill()
    with opened() as source:
        source.read(20.0)


def test_user_who_may_not_is_told_the_command(vivid: Vivid) -> None:
    vivid.node.chmod(0o600)
    os.seteuid(65534)
    try:
        with pytest.raises(SourceError, match=r"the user nobody may not open it; .*'sudo usermod -aG video nobody'"):
            V4l2Source(str(vivid.node), OPTIONS)
    finally:
        os.seteuid(0)


def test_missing_camera_names_the_one_that_is_there() -> None:
    with pytest.raises(SourceError, match=rf"/dev/video77: not there; there is {NODE} \(vivid.*\)"):
        open_source("v4l2:77", OPTIONS)


def test_nodes_that_give_no_pictures_say_so() -> None:
    others = [path for path in Path("/dev").glob("video*") if path != NODE]
    if not others:
        pytest.skip("vivid was not asked for further nodes")
    for node in others:
        with pytest.raises(SourceError, match=rf"this node gives .*; there is {NODE}"):
            V4l2Source(str(node), OPTIONS)


def test_camera_comes_back_after_every_fault_by_itself(vivid: Vivid) -> None:
    with watched() as (camera, newest):
        for button in ("disconnect", "inject_fatal_streaming_error", "inject_vidioc_qbuf_error"):
            reconnects = camera.state.reconnects
            vivid.push(button)
            soon(lambda: camera.state.state == "retrying")
            soon(lambda: camera.state.state == "running")
            assert camera.state.reconnects > reconnects
        assert newest.take(5.0) is not None


def test_camera_that_stalls_for_a_while_comes_back_by_itself(vivid: Vivid) -> None:
    with watched() as (camera, _):
        vivid.set(percentage_of_dropped_buffers=100)
        soon(lambda: camera.state.state == "retrying")
        assert "no picture for 2 s" in str(camera.state.reason)
        vivid.set(percentage_of_dropped_buffers=0)
        soon(lambda: camera.state.state == "running")


def test_camera_that_leaves_the_bus_and_comes_back_is_read_again(vivid: Vivid) -> None:
    if not (DRIVER / "unbind").exists():
        pytest.skip("the driver cannot be taken off")
    with watched() as (camera, _):
        plug(plugged=False)
        try:
            soon(lambda: camera.state.state == "retrying")
            soon(lambda: "not there; no camera is attached" in str(camera.state.reason))
            assert open_handles(vivid.node) == (0, 0)
        finally:
            plug(plugged=True)
        frames = camera.state.frames
        soon(lambda: camera.state.state == "running")
        soon(lambda: camera.state.frames > frames + 5)


def test_twenty_openings_leave_no_descriptor_mapping_or_thread(vivid: Vivid) -> None:
    with opened() as source:
        source.read(20.0)
        assert open_handles(vivid.node) == (4, 3)  # Python's mmap keeps a descriptor of its own for each buffer

    def held() -> tuple[int, int, int]:
        lines = Path("/proc/self/maps").read_text("ascii", "replace").splitlines()
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), sum("video" in x for x in lines)

    before = held()
    for turn in range(20):
        with opened(FAST, Format.YUYV if turn % 2 else Format.NV12) as source:
            source.read(20.0)
    assert held() == before
    assert open_handles(vivid.node) == (0, 0)


@pytest.mark.timeout(200)
def test_a_minute_of_frames_needs_no_new_opening_and_no_more_memory(vivid: Vivid) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4  # KiB

    assert vivid.node == NODE
    with watched(fps=30.0, stall=10.0) as (camera, newest):
        time.sleep(5.0)
        start, frames, memory = time.monotonic(), camera.state.frames, resident()
        taken = 0
        while time.monotonic() - start < 60.0:
            taken += newest.take(1.0) is not None
        rate = (camera.state.frames - frames) / (time.monotonic() - start)
        grown = resident() - memory
        assert camera.state.reconnects == 0
    sys.stdout.write(f"60 s: {rate:.1f} frames per second, {taken} taken, {grown} KiB more\n")
    assert rate > 10  # of 30, in a machine whose every instruction is emulated
    assert grown < 4096
