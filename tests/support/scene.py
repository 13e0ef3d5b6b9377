"""A scripted source, and a camera that reads it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from edged.camera.camera import Camera, CameraOptions
from edged.camera.newest import Newest
from edged.camera.picture import PackedPicture
from edged.camera.source import Pace, Shot, Source, SourceOptions
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edged.camera.frame import Frame
from support.pictures import smooth

SHOT = Shot(PackedPicture(smooth(8, 6)))
OPTIONS = CameraOptions("porch", "a folder", "a folder", fps=500.0, stall=0.2)
Step = Shot | Exception | float


class FakeSource:
    """A complete source that follows a script: shots, errors to raise, seconds to wait; at its end it waits on."""

    def __init__(self, script: Iterable[Step], pace: Pace = Pace.LIVE) -> None:
        self._script: Iterator[Step] = iter(script)
        self._pace = pace
        self.reads = 0
        self.closed = threading.Event()

    @property
    def pace(self) -> Pace:
        return self._pace

    def read(self, timeout: float) -> Shot:
        self.reads += 1
        for step in self._script:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Shot):
                return step
            time.sleep(step)
        if not self.closed.wait(timeout):
            raise SourceError(f"no picture for {timeout:g} s")
        raise SourceError("closed")

    def close(self) -> None:
        self.closed.set()


class Scene:
    """A camera whose source is opened from a list of fakes: one a connection, the last again and again."""

    def __init__(self, *sources: FakeSource | Exception, options: CameraOptions = OPTIONS) -> None:
        self._sources = list(sources)
        self.opened = 0
        self.changes: list[tuple[str, str | None]] = []
        self.newest = Newest()
        self.camera = Camera(options, self.newest, self._changed, opener=self._open)

    def _open(self, address: str, options: SourceOptions) -> Source:
        assert address
        assert options.loop
        source = self._sources[min(self.opened, len(self._sources) - 1)]
        self.opened += 1
        if isinstance(source, Exception):
            raise source
        return source

    def _changed(self) -> None:
        state = self.camera.state
        self.changes.append((state.state, state.reason))

    def __enter__(self) -> Self:
        self.camera.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.camera.stop()
        self.newest.close()
        for source in self._sources:
            if isinstance(source, FakeSource):
                source.closed.set()  # it may wait for its next picture, as long as it was told to
        assert self.camera.join(2.0)

    def take(self) -> Frame:
        taken = self.newest.take(5.0)
        assert taken is not None
        return taken[1]


def soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
