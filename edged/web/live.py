"""From the daemon's threads to whoever looks on: the newest result of each camera, and what happened, without waiting.

With nobody looking a result costs the pipeline a few assignments; with any number of viewers one wake-up of the page's
thread, and none at all while an earlier one is still to be served.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.errors import BadImageError, UnavailableError
from edged.mqtt.messages import label_payload
from edged.mqtt.model_messages import ModelStatus, UpdateStatus
from edged.web.durations import Durations
from edged.web.history import History
from edged.web.pictures import STILL, Jpeg, Pictures
from edged.web.viewers import Viewers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edged.camera.frame import Frame
    from edged.camera.geometry import Size
    from edged.labeling.label import Result
    from edged.mqtt.event_messages import Event
    from edged.web.desk import Report

LEAST_PAUSE_S: Final = 0.1
"""Between two results of a camera that viewers are told of: nobody reads faster."""
PICTURE_PAUSE_S: Final = 0.4
"""Between two pictures of a camera."""
MILLI: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A kind of thing that viewers are told of: the picture of this camera, as a bare JPEG."""

    camera: str


@dataclass(frozen=True, slots=True)
class Told:
    """A kind of thing that viewers are told of: a message of this name, about this camera where it is about one."""

    name: str
    camera: str = ""


@dataclass(slots=True)
class _Camera:
    """What is known of a camera. The pipeline's thread replaces `newest`; the rest is the page's."""

    newest: tuple[Result, Frame]
    told: int = 0  # the number of the frame that viewers know the labels of
    told_at: float = 0.0
    pictured: int = 0  # … and of the one that they have the picture of
    pictured_at: float = 0.0
    picture: asyncio.Task[None] | None = None  # on its way


class Live:
    """See the module. `start` and everything below it is for the page's thread, what is above it for any."""

    def __init__(self) -> None:
        self.history = History()
        self.viewers = Viewers()
        self.pictures = Pictures()
        self.latency = Durations()
        self.inference = Durations()
        self.model = ModelStatus()
        self.update = UpdateStatus()
        self._cameras: dict[str, _Camera] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept = 0.0
        self._off: frozenset[str] = frozenset()  # a frame that was on its way may come after that
        self._due: set[str] = set()
        self._due_lock = threading.Lock()
        self._on_events: Callable[[Sequence[Event]], None] = lambda _: None
        self._on_model: Callable[[], None] = lambda: None

    def offer(self, result: Result, frame: Frame) -> None:
        """A frame has been labelled. In the pipeline's thread."""
        name = result.camera
        self.latency.observe(name, result.timing.total / MILLI)
        self.inference.observe(name, result.timing.inference / MILLI)
        known = self._cameras.get(name)
        if known is None:
            self._cameras[name] = _Camera((result, frame))
        else:
            known.newest = (result, frame)
        if len(self.viewers):
            with self._due_lock:
                if name in self._due:
                    return
                self._due.add(name)
            self._call(partial(self._spread, name))

    def happened(self, events: Sequence[Event]) -> None:
        """Events have been written."""
        self.history.happened(events)
        self._call(partial(self._on_events, events))

    def models(self, model: ModelStatus, update: UpdateStatus) -> None:
        """What there is to say of the model."""
        self.model, self.update = model, update
        self._call(self._on_model)

    def dismiss(self) -> None:
        """Whoever looks on has to show anew that they may."""
        self._call(self.viewers.dismiss)

    def start(self, on_events: Callable[[Sequence[Event]], None], on_model: Callable[[], None]) -> None:
        """The page's loop runs; it hears of events and of the model."""
        self._on_events, self._on_model = on_events, on_model
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Nobody looks any more."""
        self._loop = None
        self.viewers.close()
        self.pictures.close()

    def keep(self, report: Report) -> None:
        """There are these cameras and no others. What one that is off saw last is nobody's business any more."""
        if report.at == self._kept:  # a camera may have been switched on since
            return
        self._kept = report.at
        before, self._off = self._off, frozenset(camera.name for camera in report.cameras if not camera.applied.enabled)
        gone = self._cameras.keys() - {camera.name for camera in report.cameras} | self._off & self._cameras.keys()
        for name in gone:
            self._cameras.pop(name, None)
        self.pictures.forget(set(gone))
        for name in before - self._off:
            self._spread(name)

    def result(self, camera: str) -> Result | None:
        """The last one."""
        known = self._known(camera)
        return None if known is None else known.newest[0]

    def seen(self) -> dict[str, tuple[Result, Size]]:
        """The last result of each camera, and the size of its picture."""
        found = {}
        for name, known in list(self._cameras.items()):
            result, frame = known.newest
            with contextlib.suppress(BadImageError):  # a damaged file has no size
                if name not in self._off:
                    found[name] = result, frame.picture.size
        return found

    async def jpeg(self, camera: str) -> Jpeg:
        """The picture that the last result is about.

        Raises:
            UnavailableError: there is none yet.
            BadImageError: it is damaged.
        """
        known = self._known(camera)
        if known is None:
            raise UnavailableError(f"camera {camera} has given no picture yet")
        return await self.pictures.of(camera, known.newest[1], STILL)

    def show(self, camera: str) -> None:
        """Somebody new looks on: the picture that there is, at once."""
        known = self._known(camera)
        if known is not None:
            known.pictured = 0
            self._draw(camera, known)

    def _known(self, camera: str) -> _Camera | None:
        return None if camera in self._off else self._cameras.get(camera)

    def _call(self, what: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended just now
                loop.call_soon_threadsafe(what)

    def _spread(self, name: str) -> None:
        """Tell viewers the newest labels of a camera, and have its picture made where somebody wants it."""
        known = self._known(name)
        now = time.monotonic()
        if known is not None and now - known.told_at < LEAST_PAUSE_S and self._loop is not None:
            self._loop.call_later(known.told_at + LEAST_PAUSE_S - now, self._spread, name)
            return
        with self._due_lock:
            self._due.discard(name)
        if known is None or not len(self.viewers):
            return
        result = known.newest[0]
        if result.frame != known.told:
            known.told, known.told_at = result.frame, now
            self.viewers.tell(Told("labels", name), sse("labels", label_payload(result).decode()))
        self._draw(name, known)

    def _draw(self, name: str, known: _Camera) -> None:
        """Have the newest picture made and sent, where somebody wants it and has not got it."""
        if known.picture is None and known.newest[0].frame != known.pictured and self._wanted(name):
            known.picture = asyncio.ensure_future(self._picture(name, known))

    async def _picture(self, name: str, known: _Camera) -> None:
        try:
            await asyncio.sleep(known.pictured_at + PICTURE_PAUSE_S - time.monotonic())
            result, frame = known.newest
            known.pictured, known.pictured_at = result.frame, time.monotonic()
            jpeg = await self.pictures.of(name, frame)
            self.viewers.tell(Picture(name), jpeg.data)
            if self.viewers.want(Told("picture", name)):
                self.viewers.tell(Told("picture", name), sse("picture", f"{name} {jpeg.frame} {jpeg.text}"))
        except (BadImageError, RuntimeError):  # a frame that cannot be drawn: the next one may be; or all is ending
            pass
        finally:
            known.picture = None
        self._draw(name, known)  # a newer one may have come meanwhile

    def _wanted(self, name: str) -> bool:
        return self.viewers.want(Picture(name)) or self.viewers.want(Told("picture", name))


def sse(event: str, data: str) -> bytes:
    """A message of a stream of server-sent events. `data` is one line."""
    return f"event: {event}\ndata: {data}\n\n".encode(errors="replace")
