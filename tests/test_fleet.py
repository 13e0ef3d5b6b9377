"""The cameras of a configuration, taken on alive: what cannot be done leaves everything as it was."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest
from support.mosquitto import make_client, soon, until

from edged import fleet as fleet_module
from edged import reload as reload_module
from edged.camera.camera import Camera
from edged.camera.newest import Newest
from edged.config import CameraConfig, Config
from edged.fleet import Fleet, views
from edged.live_cameras import LiveCameras
from edged.pipeline import Pipeline
from edged.reload import Reloader
from edged.settings import Settings
from edged.systemd import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class WithoutThread(Camera):
    """A camera for which the system has no thread."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


@pytest.fixture
def cameras(photos: Path) -> dict[str, CameraConfig]:
    return {name: CameraConfig(source=str(photos)) for name in ("a", "b", "c", "d")}


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet(Newest(), lambda: None, lambda: 1.0)
    yield made
    made.stop()


def changed(camera: CameraConfig, **changes: object) -> CameraConfig:
    return camera.model_copy(update=changes)


class Reloading:
    """A reloader at work on these cameras."""

    def __init__(self, fleet: Fleet, cameras: dict[str, CameraConfig], read: Callable[[], Config]) -> None:
        self.pipeline = Pipeline(Newest(), lambda: None, views(cameras), lambda _result, _frame: None)
        live = LiveCameras(Settings(), self.pipeline, fleet, make_client(1))
        live.take_on(cameras)
        self._reloader = Reloader(read, Config(cameras=cameras), live, self.pipeline, Supervisor({}))
        self._asked = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._reloader.run(self._asked))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def until_said(self, log: pytest.LogCaptureFixture, said: str) -> None:
        log.clear()
        self._asked.set()
        await soon(lambda: said in log.text)


def test_a_reload_that_gets_no_thread_leaves_views_and_cameras_as_they_were(
    fleet: Fleet, cameras: dict[str, CameraConfig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    fresh = {name: changed(camera, region=(0.5, 0.5, 0.5, 0.5)) for name, camera in cameras.items()}
    fresh["b"] = changed(fresh["b"], fps=2.0)
    del fresh["d"]

    async def run() -> None:
        async with Reloading(fleet, cameras, lambda: Config(cameras=fresh)) as reloading:
            monkeypatch.setattr(fleet_module, "Camera", WithoutThread)
            await reloading.until_said(caplog, "reload: not done")
            half = {"a": fresh["a"], "b": cameras["b"], "c": cameras["c"]}
            assert reloading.pipeline.views() == views(half)
            monkeypatch.setattr(fleet_module, "Camera", Camera)
            await reloading.until_said(caplog, "camera b is opened anew; camera c: other labels or another region")
            assert reloading.pipeline.views() == views(fresh)

    asyncio.run(run())


def test_a_configuration_that_cannot_be_read_in_time_is_given_up_and_the_next_one_is_taken_on(
    fleet: Fleet, cameras: dict[str, CameraConfig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(reload_module, "READ_SECONDS", 0.2)
    there = threading.Event()

    def read() -> Config:
        there.wait()
        return Config(cameras=cameras)

    async def run() -> None:
        async with Reloading(fleet, cameras, read) as reloading:
            await reloading.until_said(caplog, "reload: not done")
            there.set()
            await reloading.until_said(caplog, "reload: no camera has changed")

    asyncio.run(run())


def test_a_camera_that_is_taken_out_is_a_change_to_tell(cameras: dict[str, CameraConfig]) -> None:
    told: list[set[str]] = []
    made = Fleet(Newest(), lambda: told.append(set(made.cameras)), lambda: 1.0)
    made.apply(cameras)
    try:
        until(lambda: all(camera.state.state == "running" for camera in made.cameras.values()))
        time.sleep(0.1)
        told.clear()
        made.apply({name: cameras[name] for name in ("a", "b", "c")})
        assert told == [{"a", "b", "c"}]
        made.apply(made.configs)
        assert len(told) == 1, "nothing has changed"
    finally:
        made.stop()
