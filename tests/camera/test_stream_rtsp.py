"""RTSP streams from a real server: pictures in their colours, and every way in which it can fail."""

from __future__ import annotations

import logging
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from support.mosquitto import HOST, free_port, until
from support.pictures import smooth
from support.rtsp import NO_VIDEO, RtspServer, h264, h265, missing, motion_jpeg, raw_h264

from edged.camera import camera as camera_module
from edged.camera.camera import Camera, CameraOptions
from edged.camera.geometry import Size
from edged.camera.image_file import read_picture
from edged.camera.jpeg import JpegPicture
from edged.camera.newest import Newest
from edged.camera.picture import PackedPicture, YuvPicture
from edged.camera.source import Pace, SourceOptions
from edged.camera.stream import StreamSource
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.camera.pixels import Pixels
    from edged.demo.media import Media

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")

USER, PASSWORD = "viewer", "p@ss:w/rd?"
STALL = 1.5


def options(stall: float = STALL, fps: float = 10.0) -> SourceOptions:
    return SourceOptions(stall=stall, fps=fps)


def moving() -> list[Pixels]:
    return [np.roll(smooth(160, 120), 8 * number, axis=1) for number in range(10)]


def spoilt() -> tuple[bytes, ...]:
    """The parameters of a stream, and noise where its pictures were."""
    dice = random.Random(1)  # noqa: S311  noise

    def spoil(frame: bytes, kept: int) -> bytes:
        return frame[:kept] + bytes(dice.randrange(4, 256) for _ in frame[kept:])  # no start code among them

    first, *others = h264(moving()).frames
    return (spoil(first, first.index(b"\0\0\1\x65") + 40), *(spoil(frame, 5) for frame in others))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    mounts = {
        "/h264": h264(moving()),
        "/h265": h265([smooth(160, 120)] * 4),
        "/jpeg": motion_jpeg([smooth(160, 120)] * 4, 160, 120),
        "/odd": h264([smooth(202, 114)] * 4),
        "/sound": NO_VIDEO,
        "/silent": h264(moving(), last=12, sound=True),
        "/garbage": raw_h264(spoilt()),
    }
    with RtspServer(tmp_path_factory.mktemp("rtsp"), mounts) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RtspServer]:
    with RtspServer(tmp_path, {"/cam": h264(moving())}, user=USER, password=PASSWORD) as running:
        yield running


def reason(address: str, stall: float = STALL) -> str:
    with pytest.raises(SourceError) as caught:
        StreamSource(address, options(stall)).close()
    return str(caught.value)


def silence(source: StreamSource, timeout: float = STALL) -> tuple[str, float]:
    """Read until it fails: why, and how long it took."""
    began = time.monotonic()
    try:
        while time.monotonic() < began + 10:
            source.read(timeout)
    except SourceError as error:
        return str(error), time.monotonic() - began
    finally:
        source.close()
    pytest.fail("it does not end")


@pytest.mark.parametrize("path", ["/h265", "/jpeg", "/odd"])
def test_pictures_come_whole_and_in_their_colours(server: RtspServer, path: str) -> None:
    source = StreamSource(server.address(path), options(5.0))
    assert source.pace is Pace.LIVE
    picture = source.read(5.0).picture
    source.close()
    size = Size(202, 114) if path == "/odd" else Size(160, 120)
    assert picture.size == size
    assert isinstance(picture, JpegPicture if path == "/jpeg" else YuvPicture)
    assert np.abs(picture.render(size).astype(int) - smooth(size.width, size.height)).mean() < 4


def test_photo_has_its_colours(tmp_path: Path, media: Media) -> None:
    photo = read_picture(media.photos / "coffee.png").render(Size(300, 200))
    with RtspServer(tmp_path, {"/cam": h264([photo] * 4)}) as running:
        source = StreamSource(running.address("/cam"), options(5.0))
        seen = source.read(5.0).picture.render(Size(30, 20)).astype(int)
        source.close()
    wanted = PackedPicture(photo).render(Size(30, 20))
    assert np.abs(seen - wanted).mean() < 6


def test_opens_without_looking_long_and_then_gives_every_frame(server: RtspServer) -> None:
    viewer = StreamSource(server.address("/h264"), options(5.0))  # so that the encoder is at work
    viewer.read(5.0)
    began = time.monotonic()
    source = StreamSource(server.address("/h264"), options(5.0))
    source.read(5.0)
    assert time.monotonic() - began < 2.0  # a key frame comes each second
    began = time.monotonic()
    for _ in range(10):
        source.read(5.0)
    assert 0.6 < time.monotonic() - began < 1.8
    source.close()
    viewer.close()


def test_what_is_not_there_is_said(server: RtspServer) -> None:
    place = f"rtsp://{HOST}:{server.port}"
    assert reason(server.address("/sound")) == f"{place}/sound: there is no video in it"
    assert reason(server.address("/none")) == f"{place}/none: not found: the server has nothing at this path"
    port = free_port()
    assert reason(f"rtsp://{HOST}:{port}/x").endswith(f"refuses connections: nothing listens at port {port}")
    assert reason("rtsp://u:p@camera.invalid/x") == "rtsp://camera.invalid/x: the host 'camera.invalid' cannot be found"
    assert reason("rtsps://" + place[7:]).startswith("rtsps://")  # a plain port


@pytest.mark.parametrize("address", ["rtsp://", "rtsp:///x", "rtsp://u:secret@host:port/x", "rtsp://[::1/x"])
def test_impossible_addresses_are_refused_without_repeating_them(address: str) -> None:
    assert "the address has no" in reason(address)
    assert "secret" not in reason(address)


def test_password_with_any_letters_opens_and_a_wrong_one_is_said(own_server: RtspServer) -> None:
    place = f"rtsp://{HOST}:{own_server.port}/cam"
    for written in (f"{USER}:{PASSWORD}", "vie%77er:p%40ss%3Aw%2Frd%3F"):
        source = StreamSource(own_server.address("/cam", written), options(5.0))
        source.read(5.0)
        source.close()
    assert reason(own_server.address("/cam")) == f"{place}: refused: it wants a user and a password"
    for wrong in (f"{USER}:secret", "admin"):
        assert reason(own_server.address("/cam", wrong)) == f"{place}: refused: user or password is wrong"


def test_killed_server_is_noticed_at_once(own_server: RtspServer) -> None:
    source = StreamSource(own_server.address("/cam", f"{USER}:{PASSWORD}"), options(30.0))
    source.read(5.0)
    own_server.kill()
    why, seconds = silence(source, 30.0)
    assert "the server has ended the stream" in why or "cut the connection" in why
    assert seconds < 1.0


def test_frozen_server_is_noticed_in_time(own_server: RtspServer) -> None:
    """FFmpeg gives the frame that it held back when its time is over: that one must not count as a sign of life."""
    source = StreamSource(own_server.address("/cam", f"{USER}:{PASSWORD}"), options())
    for _ in range(5):
        source.read(5.0)
    own_server.freeze()
    why, seconds = silence(source)
    assert why.endswith(f"no picture for {STALL:g} s")
    assert STALL - 0.1 < seconds < STALL + 1.0


def test_stream_whose_sound_goes_on_without_pictures_is_noticed_in_time(server: RtspServer) -> None:
    source = StreamSource(server.address("/silent"), options(5.0))
    source.read(5.0)
    why, seconds = silence(source, STALL)
    assert why.endswith(f"no picture for {STALL:g} s")
    assert STALL < seconds < STALL + 3.0  # a second and a half of pictures came first


def test_stream_of_damaged_pictures_is_called_garbage(server: RtspServer, capfd: pytest.CaptureFixture[str]) -> None:
    source = StreamSource(server.address("/garbage"), options())
    why, seconds = silence(source)
    assert "garbage: " in why
    assert seconds < STALL + 1.0
    assert capfd.readouterr().err == ""  # FFmpeg has much to say about it


def test_server_that_takes_the_connection_and_says_nothing_is_given_up() -> None:
    with socket.create_server((HOST, 0)) as silent:
        began = time.monotonic()
        place = f"rtsp://{HOST}:{silent.getsockname()[1]}/x"
        assert reason(place, 1.0) == f"{place}: does not answer in time"
        assert time.monotonic() - began < 2.0


def test_name_that_is_never_resolved_is_given_up(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for a resolver that hangs (apt install gcc libc6-dev)")
    (tmp_path / "hang.c").write_text("#include <unistd.h>\nint getaddrinfo() { sleep(60); return -2; }\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", tmp_path / "hang.so", tmp_path / "hang.c"], check=True)
    program = """
import time
from edged.camera.source import SourceOptions
from edged.camera.stream import StreamSource
for scheme in ("rtsp", "http"):
    began = time.monotonic()
    try:
        StreamSource(f"{scheme}://camera.example/x", SourceOptions(stall=0.5))
    except Exception as error:
        print(error, time.monotonic() - began < 1.5)
"""
    environment = {**os.environ, "LD_PRELOAD": str(tmp_path / "hang.so")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout.splitlines() == [
        "rtsp://camera.example/x: does not answer in time True",
        "http://camera.example/x: does not answer in time True",
    ], done.stderr


def test_slow_reader_gets_new_frames_and_not_those_that_piled_up(server: RtspServer) -> None:
    source = StreamSource(server.address("/h264"), options(5.0))
    began = time.monotonic()
    while time.monotonic() < began + 5.0:  # two frames a second of ten; 40 pile up
        source.read(5.0)
        time.sleep(0.5)
    began = time.monotonic()
    for _ in range(25):
        source.read(5.0)
    assert time.monotonic() - began > 0.5  # as they come, and not out of a queue
    source.close()


def test_opening_and_closing_leaves_nothing_behind(server: RtspServer) -> None:
    process = psutil.Process()

    def cycle() -> None:
        source = StreamSource(server.address("/h264"), options(5.0))
        source.read(5.0)
        began = time.monotonic()
        source.close()
        assert time.monotonic() - began < 0.5

    cycle()
    before = process.num_fds(), threading.active_count(), process.num_threads()
    for _ in range(10):
        cycle()
    until(lambda: (process.num_fds(), threading.active_count(), process.num_threads()) <= before)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "FIRST_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(camera_module, "LONGEST_RETRY_SECONDS", 0.3)


@pytest.mark.usefixtures("short_pauses")
def test_camera_comes_back_after_the_server_was_killed_and_frozen_and_never_says_the_password(
    own_server: RtspServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    address = own_server.address("/cam", f"{USER}:{PASSWORD}") + "?token=querysecret"
    shown = f"rtsp://***@{HOST}:{own_server.port}/cam?***"
    newest = Newest()
    camera = Camera(
        CameraOptions("porch", address, shown, fps=10.0, stall=STALL, options=options()), newest, lambda: None
    )
    reasons: list[str] = []

    def runs() -> bool:
        return camera.state.state == "running"

    def fails() -> bool:
        reasons.append(camera.state.reason or "")
        return camera.state.state == "retrying"

    camera.start()
    until(runs, 10.0)
    own_server.kill()
    until(fails, 2.0)
    own_server.start()
    until(runs, 10.0)
    own_server.freeze()
    until(fails, STALL + 2.0)
    assert newest.take(0.0) is not None
    own_server.thaw()
    until(runs, 10.0)
    assert newest.take(5.0) is not None
    camera.stop()
    assert camera.join(5.0)
    said = "\n".join([*reasons, caplog.text, *capfd.readouterr()])
    assert f"no picture for {STALL:g} s" in said
    assert not [secret for secret in (USER, PASSWORD, "p%40ss", "querysecret") if secret in said]
