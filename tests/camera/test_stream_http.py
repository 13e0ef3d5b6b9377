"""HTTP cameras from a real server: stills, motion JPEG, video, and every way in which they can fail."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from support.http_video import MULTIPART, PASSWORD, SIZE, USER, HttpCamera
from support.mosquitto import HOST, free_port, until
from support.pictures import smooth
from support.videos import GREYS, write_video

from edged.camera import camera as camera_module
from edged.camera.camera import Camera, CameraOptions
from edged.camera.geometry import Size
from edged.camera.jpeg import JpegPicture
from edged.camera.newest import Newest
from edged.camera.source import Pace, SourceOptions
from edged.camera.stream import StreamSource
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.camera.picture import Picture

STALL = 0.6
GOOD = f"{USER}:{PASSWORD}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpCamera]:
    folder = tmp_path_factory.mktemp("videos")
    for name in ("a.mp4", "a.ts"):
        write_video(folder / name, codec="libx264", greys=GREYS * 2, rate=10)
    segment = "#EXTINF:1.2,\na.ts\n"
    (folder / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n{segment}{segment}")
    with HttpCamera(folder) as running:
        yield running


def opened(address: str, stall: float = 5.0) -> StreamSource:
    return StreamSource(address, SourceOptions(stall=stall))


def reason(address: str, stall: float = STALL) -> str:
    """Why it cannot be opened, or read."""
    source = None
    began = time.monotonic()
    try:
        source = opened(address, stall)
        while time.monotonic() < began + 5.0:
            source.read(stall)
    except SourceError as error:
        return str(error)
    finally:
        if source is not None:
            source.close()
    pytest.fail("it does not fail")


def right(picture: Picture) -> bool:
    size = Size(*SIZE)
    return picture.size == size and float(np.abs(picture.render(size).astype(int) - smooth(*SIZE)).mean()) < 4


@pytest.mark.parametrize("path", [path for path in MULTIPART if path != "/motion-noise"])
def test_motion_jpeg_is_read_however_its_parts_are_marked(server: HttpCamera, path: str) -> None:
    source = opened(server.address(path))
    assert source.pace is Pace.LIVE
    pictures = [source.read(5.0).picture for _ in range(4)]
    source.close()
    assert all(isinstance(picture, JpegPicture) and right(picture) for picture in pictures)


@pytest.mark.parametrize("path", ["/still", "/still?size=full&x=ü", "/unlabelled", "/png", "/to-still"])
def test_still_is_asked_for_anew_for_each_picture(server: HttpCamera, path: str) -> None:
    before = len(server.requests)
    source = opened(server.address(path))
    assert source.pace is Pace.ON_DEMAND
    assert all(right(source.read(5.0).picture) for _ in range(3))
    source.close()
    assert len(server.requests) - before == (6 if path == "/to-still" else 3)


def test_still_that_was_cut_off_is_asked_for_again(server: HttpCamera) -> None:
    source = opened(server.address("/sometimes-cut"))
    assert all(right(source.read(5.0).picture) for _ in range(3))
    source.close()


@pytest.mark.parametrize("path", ["/a.mp4", "/a.ts", "/list.m3u8"])
def test_video_plays_at_its_own_speed_and_its_end_is_a_failure(server: HttpCamera, path: str) -> None:
    source = opened(server.address(path))
    assert source.pace is Pace.LIVE
    began = time.monotonic()
    means = [source.read(5.0).picture.render(Size(8, 8)).mean() for _ in range(8)]
    assert np.allclose(means, (GREYS * 2)[:8], atol=8)
    assert 0.5 < time.monotonic() - began < 1.6
    if path == "/a.mp4":
        for _ in range(4):
            source.read(5.0)
        with pytest.raises(SourceError, match="the server has ended the stream"):
            source.read(5.0)
    source.close()


@pytest.mark.parametrize("path", ["/basic", "/digest", "/old-digest", "/both", "/to-basic", "/digest?a=b"])
def test_user_and_password_are_given_as_the_server_wants_them(server: HttpCamera, path: str) -> None:
    before = len(server.requests)
    source = opened(server.address(path, GOOD))
    assert right(source.read(5.0).picture)
    source.close()
    assert len(server.requests) - before <= 3
    place = server.address("/basic" if path == "/to-basic" else path.partition("?")[0])
    assert reason(server.address(path)) == f"{place}: refused: it wants a user and a password"
    before = len(server.requests)
    assert reason(server.address(path, f"{USER}:secret")) == f"{place}: refused: user or password is wrong"
    assert sum(proof is not None for _, proof in server.requests[before:]) == 1  # cameras lock out who guesses


def test_password_goes_nowhere_else(server: HttpCamera) -> None:
    with HttpCamera() as other:
        server.elsewhere = other.address("/basic")
        assert reason(server.address("/to-elsewhere", GOOD)).endswith("/basic: refused: it wants a user and a password")
        assert other.requests == [("/basic", None)]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/none", "not found: the server has nothing at this path"),
        ("/forbidden", "refused: this user may not see it"),
        ("/fails", "the server answers 503 Service Unavailable"),
        ("/unknown-way", "refused: it wants a user and a password"),
        ("/page", "a web page, not a picture; the camera's manual has the address of its stream"),
        ("/text", "what it sends is no video that FFmpeg knows"),
        ("/to-file", "redirects to what is not HTTP (file)"),
        ("/to-here", "redirects again and again"),
        ("/playlist-of-files", "what it sends is no video that FFmpeg knows"),
        ("/list-of-files", "it leads to where a camera's stream may not lead, or is no address that FFmpeg knows"),
        ("/not-http", "does not answer as an HTTP server does"),
        ("/endless-headers", "does not answer in time"),
        ("/trickling-header", "does not answer in time"),
        ("/silent", "does not answer in time"),
        ("/still-trickles", "no picture for 0.6 s"),
        ("/huge", "larger than 32 MB"),
        ("/endless-part", "nothing that is a picture (no end of a part within 33554432 bytes)"),
        ("/no-boundary", "nothing that is a picture (no end of a part within 8192 bytes)"),
        ("/motion-ends", "the server has ended the stream"),
        ("/motion-stalls", "no picture for 0.6 s"),
        ("/motion-trickles", "no picture for 0.6 s"),
    ],
)
def test_what_a_server_does_wrong_is_said_in_time(server: HttpCamera, path: str, why: str) -> None:
    began = time.monotonic()
    assert reason(server.address(path)) == f"{server.address(path)}: {why}"
    assert time.monotonic() - began < STALL + 1.5


@pytest.mark.parametrize("path", ["/noise", "/motion-noise"])
def test_bytes_that_are_no_picture_are_called_garbage(server: HttpCamera, path: str) -> None:
    assert "garbage: no picture for 0.6 s among " in reason(server.address(path))


def test_way_to_say_the_password_that_is_not_known_is_said(server: HttpCamera) -> None:
    why = reason(server.address("/unknown-way", GOOD))
    assert why.endswith("wants user and password in a way that is not known here")


def test_host_that_is_not_there_is_said() -> None:
    port = free_port()
    assert reason(f"http://{HOST}:{port}/x").endswith(f"refuses connections: nothing listens at port {port}")
    assert reason("https://u:p@camera.invalid/x?k=v").endswith("/x: the host 'camera.invalid' cannot be found")


def test_tls_without_a_known_authority(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt install openssl)")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 -subj /CN=camera"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    write_video(tmp_path / "a.mp4", codec="libx264", rate=20)
    with HttpCamera(tmp_path, (tmp_path / "certificate", tmp_path / "key")) as secure:
        for path in ("/still", "/motion", "/a.mp4"):
            source = opened(secure.address(path))
            assert source.read(5.0).picture.size.width > 1
            source.close()
        plain = secure.address("/still").replace("https", "http")
        assert reason(plain).startswith(plain)
    with HttpCamera() as plain_server:
        place = plain_server.address("/still").replace("http", "https")
        assert reason(place) == f"{place}: no TLS connection can be made; perhaps it is no TLS port"


def test_proxy_of_the_environment_is_not_asked(server: HttpCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{HOST}:{free_port()}")
    for path in ("/still", "/a.mp4"):
        source = opened(server.address(path))
        assert source.read(5.0).picture.size.width > 1
        source.close()


def test_opening_and_closing_leaves_nothing_behind(server: HttpCamera) -> None:
    process = psutil.Process()

    def cycle() -> None:
        for path in ("/motion", "/still", "/a.mp4"):
            source = opened(server.address(path))
            source.read(5.0)
            source.close()
        opened(server.address("/still")).close()

    def held() -> tuple[int, int]:
        own = (HOST, server.server_port)
        connections = [found for found in process.net_connections("tcp") if tuple(found.raddr) == own]
        return len(connections), sum("resolve" in thread.name for thread in threading.enumerate())

    before = held()
    for _ in range(5):
        cycle()
    until(lambda: held() <= before)


def retries(camera: Camera) -> bool:
    return camera.state.state == "retrying"


def test_camera_reads_stills_at_its_rate_and_never_says_the_password(
    server: HttpCamera,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(camera_module, "FIRST_RETRY_SECONDS", 0.05)
    caplog.set_level(logging.DEBUG)
    said = []
    for path, user in (("/digest", GOOD), ("/digest", "viewer:wrongsecret"), ("/motion-noise", GOOD), ("/text", GOOD)):
        address = server.address(f"{path}?token=querysecret", user)
        shown = server.address(f"{path}?***", "***")
        newest = Newest()
        options = CameraOptions("porch", address, shown, fps=5.0, stall=STALL, options=SourceOptions(stall=STALL))
        camera = Camera(options, newest)
        camera.start()
        if (path, user) == ("/digest", GOOD):
            assert newest.take(5.0) is not None
            began = time.monotonic()
            assert all(newest.take(5.0) for _ in range(5))
            assert time.monotonic() - began >= 3 / options.fps
        else:
            until(partial(retries, camera))
        said.append(camera.state.reason or "")
        camera.stop()
        assert camera.join(5.0)
    text = "\n".join([*said, caplog.text, *capfd.readouterr()])
    assert "user or password is wrong" in text
    secrets = ("wrongsecret", "querysecret", PASSWORD, "p%40ss", os.fsencode(PASSWORD).hex())
    assert not [secret for secret in secrets if secret in text]
