"""A camera: a thread that keeps one source open and leaves its newest frame where the pipeline finds it."""

from __future__ import annotations

import logging
import random
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from edged.camera.frame import Frame
from edged.camera.open_source import open_source
from edged.camera.picture import Picture, TurnedPicture
from edged.camera.source import Pace, Shot, Source, SourceEndedError, SourceOptions
from edged.camera.without_secrets import without_secrets
from edged.errors import BadImageError, EdgedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.camera.geometry import Polygon, Rotation

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0

STOP_CHECK_SECONDS = 0.5

State = Literal["starting", "running", "retrying", "ended"]


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """What a camera does with its source's pictures.

    Attributes:
        name: of the camera.
        source: address, for `open_source`.
        shown: the address without its credentials, for logs.
        fps: frames per second to offer, at most.
        rotation: clockwise degrees that make the picture upright.
        masks: polygons (fractions of the upright picture) blanked before anything else sees it.
        stall: seconds without a picture after which the source is opened anew.
        options: for the source.
    """

    name: str
    source: str
    shown: str
    fps: float = 5.0
    rotation: Rotation = 0
    masks: tuple[Polygon, ...] = ()
    stall: float = 10.0
    options: SourceOptions = field(default_factory=SourceOptions)


@dataclass(frozen=True, slots=True)
class CameraState:
    """For `health`: what a camera is doing, why where it is not well, and its counts since the start.

    `dropped` counts frames that a newer one replaced before they were labelled.
    """

    state: State = "starting"
    reason: str | None = None
    frames: int = 0
    dropped: int = 0
    reconnects: int = 0


class Newest:
    """The newest frame of each camera, for one reader. Older ones are never queued: they would only age."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._frames: dict[str, Frame] = {}
        self._turn: list[str] = []  # cameras, the longest unserved first
        self._closed = False

    def put(self, camera: str, frame: Frame) -> bool:
        """Leave a frame. True when it replaced one that nobody had taken."""
        with self._condition:
            replaced = camera in self._frames
            self._frames[camera] = frame
            if camera not in self._turn:
                self._turn.insert(0, camera)
            self._condition.notify_all()
            return replaced

    def put_back(self, camera: str, frame: Frame) -> None:
        """Return a frame that could not be labelled, unless a newer one has come."""
        with self._condition:
            self._frames.setdefault(camera, frame)
            self._condition.notify_all()

    def take(self, timeout: float) -> tuple[str, Frame] | None:
        """The newest frame of the camera that has waited longest; None when none comes in time."""
        with self._condition:
            self._condition.wait_for(lambda: self._frames or self._closed, timeout)
            for camera in self._turn:
                if camera in self._frames:
                    self._turn.remove(camera)
                    self._turn.append(camera)
                    self._condition.notify_all()
                    return camera, self._frames.pop(camera)
            return None

    def wait_taken(self, camera: str, timeout: float) -> bool:
        """Wait until the camera's frame has been taken."""
        with self._condition:
            return self._condition.wait_for(lambda: camera not in self._frames or self._closed, timeout)

    def close(self) -> None:
        """Wake every waiter."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


class Camera:
    """Reads one source for ever: opened again with growing, jittered pauses whatever happens to it."""

    def __init__(
        self,
        options: CameraOptions,
        newest: Newest,
        on_change: Callable[[], None] = lambda: None,
        *,
        opener: Callable[[str, SourceOptions], Source] = open_source,
    ) -> None:
        self._options = options
        self._opener = opener
        self._left_out: set[str | None] = set()
        self._newest = newest
        self._on_change = on_change
        self._stop = threading.Event()
        self._state = CameraState()
        self._number = 0
        self._thread = threading.Thread(target=self._run, name=f"camera {options.name}", daemon=True)

    @property
    def state(self) -> CameraState:
        """What it is doing now."""
        return self._state

    def start(self) -> None:
        """Begin reading."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Wait for its end. False when it is stuck in its source: it is left behind."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST_RETRY_SECONDS
        while not self._stop.is_set():
            frames = self._state.frames
            try:
                self._read_source()
            except SourceEndedError as error:
                log.info("camera %s: ended: %s", self._options.name, self._shown(str(error)))
                self._change("ended", self._shown(str(error)))
                return
            except EdgedError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001  one camera's surprise must not end the others
                log.debug("camera %s: %s", self._options.name, self._shown(traceback.format_exc()))
                self._failed(repr(error))
            if self._state.frames > frames:
                pause = FIRST_RETRY_SECONDS
            if self._stop.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311  jitter
                return
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)
            self._state = replace(self._state, reconnects=self._state.reconnects + 1)

    def _read_source(self) -> None:
        """Open the source and offer its pictures until it fails or `stop` is called."""
        source = self._opener(self._options.source, self._options.options)
        try:
            interval = 1.0 / self._options.fps
            due = time.monotonic()
            while not self._stop.is_set():
                if source.pace is Pace.LOCK_STEP:
                    if not self._newest.wait_taken(self._options.name, STOP_CHECK_SECONDS):
                        continue
                elif source.pace is Pace.ON_DEMAND:
                    if self._stop.wait(max(0.0, due - time.monotonic())):
                        return
                    due = max(due + interval, time.monotonic())
                shot = source.read(self._options.stall)
                now = time.monotonic()
                if source.pace is Pace.LIVE:
                    if now < due:
                        continue
                    due = max(due + interval, now - interval)
                self._offer(shot, now)
        finally:
            source.close()

    def _offer(self, shot: Shot, now: float) -> None:
        picture: Picture = (
            TurnedPicture(shot.picture, self._options.rotation) if self._options.rotation else shot.picture
        )
        if self._options.masks:
            try:
                picture = picture.masked(self._options.masks)
            except BadImageError as error:  # a masked JPEG is decoded here; the source itself is well
                known = shot.origin in self._left_out
                self._left_out.add(shot.origin)
                reason = self._shown(str(error))
                log.log(logging.DEBUG if known else logging.WARNING, "camera %s: %s", self._options.name, reason)
                return
        self._number += 1
        frame = Frame(picture, self._number, now, datetime.now(UTC), shot.origin)
        replaced = self._newest.put(self._options.name, frame)
        state = self._state
        self._state = replace(state, frames=state.frames + 1, dropped=state.dropped + replaced)
        if state.state != "running":
            if state.state == "retrying":
                log.info("camera %s: frames again from %s", self._options.name, self._options.shown)
            self._change("running", None)

    def _failed(self, reason: str) -> None:
        if self._stop.is_set():  # that is why
            return
        reason = self._shown(reason)
        known = self._state.state == "retrying"
        log.log(logging.DEBUG if known else logging.WARNING, "camera %s: %s; trying again", self._options.name, reason)
        self._change("retrying", reason)

    def _shown(self, text: str) -> str:
        return without_secrets(text, self._options.source, self._options.shown)

    def _change(self, state: State, reason: str | None) -> None:
        before = self._state
        self._state = replace(before, state=state, reason=reason)
        if (before.state, before.reason) != (state, reason):
            self._on_change()
