"""The V4L2 source without a camera: what it says of things that are none, and how it reads a scripted one.

A real driver's frames and faults are in tests/hardware/vivid.py.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from edged.camera.geometry import Size
from edged.camera.open_source import open_source
from edged.camera.source import SourceOptions, WantedSize
from edged.camera.v4l2 import V4l2Source
from edged.camera.v4l2_device import Filled, start_one
from edged.camera.v4l2_formats import Format, Mode
from edged.camera.v4l2_picture import Layout
from edged.camera.v4l2_words import explain, holders
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = SourceOptions(wanted=WantedSize(Size(224, 224)))
NOBODY = 65534
GOOD = "good"
Event = str | OSError | float


class FakeCapture:
    """A complete camera of 3 buffers that follows a script, on its reader's clock: seconds to pass, frames, errors.

    A good frame is 2x2 grey pixels of its number. While no buffer is free frames are lost, as in a driver.
    """

    def __init__(self, *script: Event) -> None:
        self.name = "A webcam"
        self.layout = Layout(Format.GREY, Size(2, 2), 2)
        self.buffers = 3
        self._script = deque(script)
        self._free = deque(range(self.buffers))
        self._filled: deque[Filled] = deque()
        self._taken: set[int] = set()
        self._memory = [b""] * self.buffers
        self._number = 0
        self.closed = False

    def wait(self, timeout: float) -> bool:
        while not self._filled and self._script:
            if timeout <= 0:
                return False
            event = self._script.popleft()
            if isinstance(event, float):
                timeout -= event
            else:
                self._happen(event)
        if not self._filled:
            time.sleep(timeout)
        return bool(self._filled)

    def pile_up(self, count: int) -> None:
        """So many events happen while nobody reads."""
        for _ in range(count):
            event = self._script.popleft()
            assert isinstance(event, str)
            self._happen(event)

    def dequeue(self) -> Filled | None:
        if not self._filled:
            return None
        self._taken.add(self._filled[0].index)
        return self._filled.popleft()

    def copy(self, filled: Filled) -> bytes:
        assert filled.index in self._taken
        return self._memory[filled.index][: filled.length]

    def enqueue(self, filled: Filled) -> None:
        self._taken.remove(filled.index)
        self._memory[filled.index] = b"\xee" * 4
        self._free.append(filled.index)

    def close(self) -> None:
        assert not self._taken, "a buffer was not given back"
        self.closed = True

    def _happen(self, event: str | OSError) -> None:
        if isinstance(event, OSError):
            raise event
        self._number += 1
        if self._free:
            index = self._free.popleft()
            data = {"cut": b"x", "empty": b""}.get(event, bytes([self._number] * 4))
            self._memory[index] = data
            self._filled.append(Filled(index, len(data), event == "damaged"))


def opened(*script: Event) -> tuple[V4l2Source, FakeCapture]:
    camera = FakeCapture(*script)
    return V4l2Source("/dev/video0", OPTIONS, capture=lambda _node, _options: camera), camera


def number_of(source: V4l2Source, timeout: float = 1.0) -> int:
    pixels = source.read(timeout).picture.render(Size(2, 2))
    assert pixels.min() == pixels.max()
    return int(pixels[0, 0, 0])


def test_each_frame_is_read_once_and_stays_as_it_is() -> None:
    source, camera = opened(*[GOOD] * 9)
    shots = [source.read(1.0) for _ in range(9)]
    assert [int(shot.picture.render(Size(2, 2))[0, 0, 0]) for shot in shots] == list(range(1, 10))
    source.close()
    assert camera.closed


def test_of_several_frames_that_wait_the_newest_is_read() -> None:
    source, camera = opened(*[GOOD] * 5)
    camera.pile_up(2)
    assert number_of(source) == 2
    assert number_of(source) == 3


def test_frames_from_before_a_long_pause_are_never_given_out() -> None:
    """All buffers were full, so newer frames were lost: 1 to 3 are as old as the pause was long."""
    source, camera = opened(*[GOOD] * 12)
    camera.pile_up(10)
    assert number_of(source) == 11
    assert number_of(source) == 12


def test_damaged_cut_and_empty_frames_are_left_out_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    source, _ = opened("damaged", GOOD, "cut", "empty", GOOD)
    assert [number_of(source), number_of(source)] == [2, 5]
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert len([record for record in caplog.records if "a frame left out" in record.getMessage()]) == 3


@pytest.mark.parametrize("event", ["damaged", "cut", "empty"])
def test_camera_that_gives_nothing_but_damage_is_an_error_in_time(event: str) -> None:
    source, camera = opened(*cast("list[Event]", [0.01, event]) * 60)
    with pytest.raises(
        SourceError, match=r"video0 \(A webcam\): no picture for 0\.2 s; \d+ damaged ones were left out"
    ):
        source.read(0.2)
    source.close()
    assert camera.closed


def test_camera_that_stalls_is_an_error_in_time() -> None:
    source, _ = opened(GOOD)
    source.read(1.0)
    before = time.monotonic()
    with pytest.raises(SourceError, match=r"^/dev/video0 \(A webcam\): no picture for 0\.1 s$"):
        source.read(0.1)
    assert 0.1 <= time.monotonic() - before < 0.5


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EIO, "power"),
        (errno.EPROTO, "cable"),
        (errno.ENOSPC, "USB bus"),
        (errno.EBUSY, "in use by"),
        (errno.ENOMEM, "no memory"),
        (errno.ENOTTY, "not a camera"),
        (errno.EINVAL, r"the driver refuses \(Invalid argument\)"),
    ],
)
def test_what_the_driver_says_while_reading_is_said_in_words(number: int, words: str) -> None:
    source, _ = opened(GOOD, OSError(number, os.strerror(number)))
    source.read(1.0)
    with pytest.raises(SourceError, match=rf"/dev/video0 \(A webcam\): .*{words}"):
        source.read(1.0)


def test_camera_that_went_is_unplugged_or_not_there(tmp_path: Path) -> None:
    gone = OSError(errno.ENODEV, "No such device")
    (tmp_path / "video0").touch()
    assert str(explain(gone, tmp_path / "video0", "x")) == "x: unplugged"
    assert "not there; " in str(explain(gone, tmp_path / "video1", "x"))


def test_value_that_linuxpy_does_not_know_is_an_error_like_another() -> None:
    def capture(_node: Path, _options: SourceOptions) -> FakeCapture:
        raise ValueError("77 is not a valid Frmsizetypes")

    with pytest.raises(SourceError, match=r"video4: the driver refuses \(77 is not"):
        V4l2Source("4", OPTIONS, capture=capture)


@pytest.mark.parametrize("device", ["/dev/video98", "98", "/dev/v4l/by-id/usb-not-there"])
def test_camera_that_is_not_there_is_named_with_those_that_are(device: str) -> None:
    with pytest.raises(SourceError, match=r"^/dev/.*98: not there; |usb-not-there: not there; ") as error:
        open_source(f"v4l2:{device}", OPTIONS)
    assert "no camera is attached" in str(error.value) or "there is /dev/video" in str(error.value)


def test_things_that_are_no_camera_are_not_even_opened(tmp_path: Path) -> None:
    fifo, file = tmp_path / "fifo", tmp_path / "file"
    os.mkfifo(fifo)
    file.write_bytes(b"hello")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path in (Path("/dev/null"), Path("/dev/zero"), fifo, file, tmp_path, tmp_path / "socket"):
            with pytest.raises(SourceError, match=f"{path}: not a camera"):
                open_source(f"v4l2:{path}", OPTIONS)


def test_mode_that_the_bus_has_no_room_for_gives_way_to_the_next() -> None:
    raw, jpeg = (Mode(kind, Size(640, 480), (30.0,)) for kind in (Format.YUYV, Format.MJPG))
    tried = []

    def start(mode: Mode) -> None:
        tried.append(mode)
        if mode in full:
            raise OSError(full[mode], "")

    for full, wanted in (
        ({}, [raw]),
        ({raw: errno.ENOSPC}, [raw, jpeg]),
        ({raw: errno.EBUSY}, [raw]),
        ({raw: errno.ENOSPC, jpeg: errno.ENOSPC}, [raw, jpeg]),
    ):
        tried.clear()
        if wanted[-1] in full:
            with pytest.raises(OSError, match=rf"Errno {full[wanted[-1]]}"):
                start_one([raw, jpeg], start)
        else:
            start_one([raw, jpeg], start)
        assert tried == wanted


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that others may enter, seen by an ordinary user where the tests run as root."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    folder.chmod(0o755)
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed").chmod(0 if os.geteuid() else 0o700)
    if os.geteuid() == 0:
        try:
            os.mknod(folder / "video0", stat.S_IFCHR | 0o600, os.makedev(81, 0))
        except OSError:  # a container's root may not
            (folder / "video0").touch()
        os.seteuid(NOBODY)
    yield folder
    if os.getuid() == 0:
        os.seteuid(0)
        (folder / "video0").unlink()
    (folder / "closed").rmdir()
    folder.rmdir()


def test_missing_permission_names_group_and_command(outside: Path) -> None:
    with pytest.raises(SourceError, match=r"closed/video0: the user \S+ may not open it; .*'sudo usermod -aG \S+ \S+'"):
        V4l2Source(str(outside / "closed/video0"), OPTIONS)


def test_device_node_that_may_not_be_opened_names_the_group_video(outside: Path) -> None:
    if not (outside / "video0").is_char_device():
        pytest.skip("making a device node takes root")
    with pytest.raises(SourceError, match=r"video0: the user nobody may not open it; .*-aG video nobody'"):
        V4l2Source(str(outside / "video0"), OPTIONS)


def test_root_who_may_not_is_in_a_container() -> None:
    if os.geteuid():
        pytest.skip("takes root")
    refused = PermissionError(errno.EPERM, "Operation not permitted")
    assert "docker run --device /dev/video0" in str(explain(refused, Path("/dev/video0"), "x"))


def test_camera_in_use_names_who_has_it(tmp_path: Path) -> None:
    node = tmp_path / "video0"
    node.touch()
    assert holders(node) == ""
    with node.open():
        assert "edged itself" in holders(node)
        assert str(explain(OSError(errno.EBUSY, ""), node, "x")).startswith("x: in use by edged itself")
    assert "in use by another program" in str(explain(OSError(errno.EBUSY, ""), node, "x"))


def test_opening_and_failing_leaves_no_descriptors() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  counted, not looked at

    before = count(), threading.active_count()
    for _ in range(20):
        with pytest.raises(SourceError):
            V4l2Source("/dev/null", OPTIONS)
    assert (count(), threading.active_count()) == before


def test_pixels_given_out_cannot_be_written() -> None:
    source, _ = opened(GOOD)
    picture = source.read(1.0).picture
    data = getattr(picture, "data", None)
    assert isinstance(data, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        data[0, 0] = 0
