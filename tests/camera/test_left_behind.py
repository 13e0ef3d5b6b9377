"""A source that hangs in one of its calls: its camera does without it, and says so."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.scene import OPTIONS, SHOT, FakeSource, Scene, soon

from edged.camera import camera as camera_module
from edged.camera import reader as reader_module
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.camera.source import Shot, Source, SourceOptions


@pytest.fixture(autouse=True)
def short_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(camera_module, "LONGEST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(camera_module, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(reader_module, "OPEN_SECONDS", 0.3)
    monkeypatch.setattr(reader_module, "READ_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(reader_module, "CLOSE_SECONDS", 0.3)


class Stuck(FakeSource):
    """Hangs in one call until it is freed, as a driver in the kernel does."""

    def __init__(self, where: str) -> None:
        super().__init__([SHOT, SourceError("cable pulled")])
        self._where = where
        self.freed = threading.Event()

    def read(self, timeout: float) -> Shot:
        if self._where == "read" and self.reads:
            self.freed.wait()
            return SHOT
        return super().read(timeout)

    def close(self) -> None:
        super().close()
        if self._where == "close":
            self.freed.wait()


class StuckScene(Scene):
    """As `Scene`; a source that is stuck in opening is so in the opener's thread."""

    def __init__(self, *sources: FakeSource | Exception, stuck_opening: threading.Event | None = None) -> None:
        super().__init__(*sources, options=replace(OPTIONS, stall=0.2))
        self._opening = stuck_opening

    def _open(self, address: str, options: SourceOptions) -> Source:
        source = super()._open(address, options)
        if self._opening is not None and self.opened == 1:
            self._opening.wait()
        return source


@pytest.fixture
def stuck(request: pytest.FixtureRequest) -> Iterator[Stuck]:
    source = Stuck(request.param)
    yield source
    source.freed.set()


@pytest.mark.parametrize("stuck", ["read", "close"], indirect=True)
def test_a_source_that_hangs_is_left_behind_and_another_takes_over(stuck: Stuck) -> None:
    with StuckScene(stuck, FakeSource([SHOT])) as scene:
        soon(lambda: scene.camera.state.frames == 2)
        assert scene.camera.state.state == "running"
        assert any("left behind" in (reason or "") for _, reason in scene.changes)


def test_an_opening_that_hangs_is_left_behind() -> None:
    opening = threading.Event()
    with StuckScene(FakeSource([SHOT]), FakeSource([SHOT]), stuck_opening=opening) as scene:
        soon(lambda: scene.camera.state.state == "running")
        assert ("retrying", "the source did not open within 0.3 s, and is left behind") in scene.changes
        opening.set()


@pytest.mark.parametrize("stuck", ["read"], indirect=True)
def test_a_camera_whose_device_stays_stuck_is_abandoned_and_comes_back_with_it(stuck: Stuck) -> None:
    busy = SourceError("busy: another reader has it")
    with StuckScene(stuck, busy, busy, busy, FakeSource([SHOT])) as scene:
        soon(lambda: ("abandoned", "busy: another reader has it") in scene.changes)
        soon(lambda: scene.camera.state.state == "running")


@pytest.mark.parametrize("stuck", ["read"], indirect=True)
def test_no_more_threads_are_lost_than_the_bound(stuck: Stuck) -> None:
    hung = [Stuck("read") for _ in range(5)]
    with StuckScene(stuck, *hung) as scene:
        soon(lambda: scene.camera.state.state == "abandoned" and scene.opened == camera_module.MOST_LEFT_BEHIND)
        threads = threading.active_count()
        reconnects = scene.camera.state.reconnects
        soon(lambda: scene.camera.state.reconnects > reconnects + 5)
        assert (scene.opened, threading.active_count()) == (camera_module.MOST_LEFT_BEHIND, threads)
        for source in (stuck, *hung):
            source.freed.set()
        soon(lambda: scene.opened > camera_module.MOST_LEFT_BEHIND)


@pytest.mark.parametrize("stuck", ["read"], indirect=True)
def test_what_was_left_behind_offers_nothing_when_it_returns(stuck: Stuck) -> None:
    with StuckScene(stuck, FakeSource([])) as scene:
        soon(lambda: scene.opened == 2)
        frames = scene.camera.state.frames
        stuck.freed.set()
        soon(stuck.closed.is_set)
        assert scene.camera.state.frames == frames
