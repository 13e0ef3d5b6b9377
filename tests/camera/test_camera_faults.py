"""A camera whose source fails, stalls, ends or talks too much."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

import pytest
from support.pictures import encoded, smooth
from support.scene import OPTIONS, SHOT, FakeSource, Scene, soon

from edged.camera import camera as camera_module
from edged.camera.jpeg import JpegPicture
from edged.camera.source import Pace, Shot, SourceEndedError
from edged.errors import SourceError


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(camera_module, "LONGEST_RETRY_SECONDS", 0.05)


def logged(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def test_failing_source_is_opened_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    failing = [FakeSource([SourceError("cable pulled")]) for _ in range(5)]
    with Scene(*failing, FakeSource([SHOT]), options=replace(OPTIONS, stall=5.0)) as scene:
        soon(lambda: scene.camera.state.state == "running")
        state = scene.camera.state
    assert (state.state, state.reason, state.reconnects) == ("running", None, 5)
    assert logged(caplog, logging.WARNING) == ["camera porch: cable pulled; trying again"]
    assert logged(caplog, logging.INFO) == ["camera porch: frames again from a folder"]
    assert scene.changes == [("retrying", "cable pulled"), ("running", None)]
    assert all(source.closed.is_set() for source in failing)


@pytest.mark.parametrize("error", [SourceError("not there"), OSError("broken"), KeyError("surprise"), MemoryError()])
def test_whatever_a_source_raises_the_camera_lives(error: Exception) -> None:
    with Scene(error, FakeSource([error]), FakeSource([SHOT])) as scene:
        assert scene.take().number == 1
        assert scene.camera.state.reconnects == 2


def test_source_that_gives_nothing_is_opened_again() -> None:
    silent = FakeSource([SHOT])
    with Scene(silent, FakeSource([SHOT])) as scene:
        assert scene.take().number == 1
        assert scene.take().number == 2
        assert silent.closed.is_set()
        assert scene.changes[1] == ("retrying", "no picture for 0.2 s")


def test_pauses_grow_to_a_bound_and_start_anew_after_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    real = threading.Event.wait

    def wait(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread().name == "camera porch" and timeout:
            pauses.append(timeout)
        return real(event, timeout)

    monkeypatch.setattr(camera_module, "FIRST_RETRY_SECONDS", 0.002)
    monkeypatch.setattr(camera_module, "LONGEST_RETRY_SECONDS", 0.032)
    broken = SourceError("no")
    monkeypatch.setattr(threading.Event, "wait", wait)
    with Scene(*[broken] * 8, FakeSource([SHOT, broken]), broken) as scene:
        soon(lambda: scene.opened >= 11)
    wanted = [0.002, 0.004, 0.008, 0.016, 0.032, 0.032, 0.032, 0.032, 0.002, 0.004]
    for pause, most in zip(pauses, wanted, strict=False):
        assert most / 2 <= pause <= most


def test_camera_ends_with_its_source_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Scene(FakeSource([SHOT, SourceEndedError("film.mp4: at its end")])) as scene:
        soon(lambda: scene.camera.state.state == "ended")
        assert scene.camera.join(1.0)
        assert scene.newest.take(0) is not None, "the last frame is still labelled"
    assert scene.changes[-1] == ("ended", "film.mp4: at its end")
    assert logged(caplog, logging.INFO) == ["camera porch: ended: film.mp4: at its end"]


@pytest.mark.parametrize("pace", list(Pace))
def test_stop_is_quick_while_it_reads_and_while_it_pauses(pace: Pace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "FIRST_RETRY_SECONDS", 60.0)
    for source in (FakeSource([SHOT, 0.01] * 1000, pace), FakeSource([SourceError("no")], pace)):
        scene = Scene(source, options=replace(OPTIONS, fps=0.01 if pace is Pace.ON_DEMAND else 100.0))
        with scene:
            soon(lambda scene=scene: scene.camera.state.state != "starting")  # type: ignore[misc]
            began = time.monotonic()
        assert time.monotonic() - began < 1.0


def test_camera_stuck_in_its_source_is_left_behind() -> None:
    scene = Scene(FakeSource([0.8]))
    scene.camera.start()
    scene.camera.stop()
    began = time.monotonic()
    assert not scene.camera.join(0.1)
    assert time.monotonic() - began < 0.5
    assert scene.camera.join(5.0)


SECRETS = ["hunter2", "hunt%32er", "p@ss/w:ord?"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("kind", [SourceError, OSError, ValueError])
def test_credentials_are_in_no_log_and_no_reason(
    secret: str, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = f"rtsp://bob-the-owner:{secret}@cam.example/stream?token=tok-en-1"
    unquoted = secret.replace("%32", "2")
    errors = [
        kind(f"cannot open {address}"),
        kind(f"401 for {secret} or {unquoted} of bob-the-owner; token=tok-en-1"),
        kind({"url": address, "password": secret}),
    ]
    options = replace(OPTIONS, source=address, shown="rtsp://***@cam.example/stream?***")
    with Scene(*errors, SourceEndedError(f"{address} is over"), options=options) as scene:
        soon(lambda: scene.camera.state.state == "ended")
    said = caplog.text + repr(scene.changes)
    for hidden in (secret, unquoted, "bob-the-owner", "tok-en-1"):
        assert hidden not in said
    assert "cam.example/stream" in said


def test_a_camera_whose_every_picture_is_damaged_under_its_mask_is_opened_anew_and_says_so() -> None:
    broken = Shot(JpegPicture(encoded(smooth(80, 60), "JPEG")[:-40], "porch"))
    source = FakeSource(step for _ in range(1000) for step in (broken, 0.01))
    with Scene(source, options=replace(OPTIONS, masks=(((0.0, 0.0), (0.5, 0.0), (0.5, 0.5)),))) as scene:
        soon(lambda: scene.camera.state.state == "retrying")
        assert "damaged JPEG" in str(scene.camera.state.reason)
        soon(lambda: scene.opened > 1)
