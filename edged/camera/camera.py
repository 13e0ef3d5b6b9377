"""A camera: keeps one source open, whatever becomes of it, and leaves its newest frame where the pipeline finds it."""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from edged.camera.frame import Frame
from edged.camera.open_source import open_source
from edged.camera.picture import Picture, TurnedPicture
from edged.camera.reader import OPEN_SECONDS, Reader, Tempo, is_end
from edged.camera.source import Shot, Source, SourceOptions
from edged.camera.without_secrets import without_secrets
from edged.errors import BadImageError, EdgedError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.camera.geometry import Polygon, Rotation
    from edged.camera.newest import Newest

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 30.0
WATCH_SECONDS: Final = 0.5  # how often a reader is looked at
LEAST_FPS: Final = 1e-6  # a frame in eleven days; less overflows the timers below us
MOST_LEFT_BEHIND: Final = 3  # threads that a camera may lose in its source before it stops trying
MOST_LEFT_OUT: Final = 1000  # unreadable files that are told apart in the log

State = Literal["starting", "running", "retrying", "ended", "abandoned"]


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

    `abandoned`: a call into the source does not return, and opening it once more did not work either. `dropped` counts
    frames that a newer one replaced before they were labelled.
    """

    state: State = "starting"
    reason: str | None = None
    frames: int = 0
    dropped: int = 0
    reconnects: int = 0


class Camera:
    """Reads one source for ever: opened again with growing, jittered pauses whatever happens to it.

    `share` gives the part of `fps` that is wanted now, for a board that is too hot. `after` is a camera that has been
    told to stop, and may still hold the source.
    """

    def __init__(  # noqa: PLR0913  keyword-only ones with defaults, for what few need
        self,
        options: CameraOptions,
        newest: Newest,
        on_change: Callable[[], None] = lambda: None,
        *,
        opener: Callable[[str, SourceOptions], Source] = open_source,
        share: Callable[[], float] = lambda: 1.0,
        after: Camera | None = None,
    ) -> None:
        self.options = options
        self._opener = opener
        self._newest = newest
        self._on_change = on_change
        self._tempo = Tempo(
            lambda: 1.0 / max(options.fps * share(), LEAST_FPS),
            options.stall,
            lambda timeout: newest.wait_taken(options.name, timeout),
        )
        self._after = after
        self._left_out: set[str | None] = set()
        self._damaged_since: float | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()  # a reader has ended, or `stop` was called
        self._state = CameraState()
        self._number = 0
        self._left_behind: list[Reader] = []
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
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait until its source is closed. False when it does not let go of it: it is left behind."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._wait_for_predecessor()
        pause = FIRST_RETRY_SECONDS
        while not self._stop.is_set():
            frames = self._state.frames
            left_behind = self._count_left_behind()
            error = self._read_source() if left_behind < MOST_LEFT_BEHIND else None
            if is_end(error):
                log.info("camera %s: ended: %s", self.options.name, self._shown(str(error)))
                self._change("ended", self._shown(str(error)))
                return
            if error is not None:
                reason = str(error) if isinstance(error, EdgedError) else repr(error)
                self._failed("abandoned" if left_behind else "retrying", reason)
            if self._state.frames > frames:
                pause = FIRST_RETRY_SECONDS
            if self._stop.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311  jitter
                return
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)
            self._state = replace(self._state, reconnects=self._state.reconnects + 1)

    def _wait_for_predecessor(self) -> None:
        """A device can be opened once: wait until the one before has let go of it, as long as that may take at most."""
        deadline = time.monotonic() + self.options.stall + OPEN_SECONDS
        # Even when it has been told to stop itself: whoever comes after it waits for this one.
        while self._after is not None and time.monotonic() < deadline:
            if self._after.join(WATCH_SECONDS):
                break
        self._after = None

    def _count_left_behind(self) -> int:
        self._left_behind = [reader for reader in self._left_behind if not reader.ended]
        return len(self._left_behind)

    def _read_source(self) -> Exception | None:
        """Have a reader at work until it ends, or is to be left behind. Returns why, None when `stop` was called."""
        reader = Reader(
            self._thread.name,
            lambda: self._opener(self.options.source, self.options.options),
            self._offer,
            self._tempo,
            self._wake.set,
        )
        try:
            reader.start()
        except RuntimeError as error:  # the system gives no further thread now
            return error
        while not reader.ended:
            self._wake.wait(WATCH_SECONDS)
            self._wake.clear()
            if self._stop.is_set():
                reader.stop()
            if reader.overdue_at < time.monotonic():
                reader.leave()
                self._left_behind.append(reader)
                return SourceError(f"the source did not {reader.step}, and is left behind")
        if reader.trace is not None:
            log.debug("camera %s: %s", self.options.name, self._shown(reader.trace))
        return reader.error

    def _offer(self, shot: Shot, now: float) -> None:
        if self._stop.is_set():  # by a reload: whoever takes this name next may have other masks
            return
        picture: Picture = TurnedPicture(shot.picture, self.options.rotation) if self.options.rotation else shot.picture
        if self.options.masks:
            try:
                picture = picture.masked(self.options.masks)
            except BadImageError as error:  # a masked JPEG is decoded here; the source itself is well
                known = shot.origin in self._left_out
                if len(self._left_out) < MOST_LEFT_OUT:
                    self._left_out.add(shot.origin)
                reason = self._shown(str(error))
                log.log(logging.DEBUG if known else logging.WARNING, "camera %s: %s", self.options.name, reason)
                self._bear_with(error, now, shot.origin)
                return
        self._damaged_since = None
        self._number += 1
        frame = Frame(picture, self._number, now, datetime.now(UTC), shot.origin)
        replaced = self._newest.put(self.options.name, frame)
        state = self._state
        self._state = replace(state, frames=state.frames + 1, dropped=state.dropped + replaced)
        if state.state != "running":
            if state.state in {"retrying", "abandoned"}:
                log.info("camera %s: frames again from %s", self.options.name, self.options.shown)
            self._change("running", None)

    def _bear_with(self, error: BadImageError, now: float, origin: str | None) -> None:
        """Raise SourceError when a device has given nothing but damaged pictures for `stall`; of files, more come."""
        if self._damaged_since is None:
            self._damaged_since = now
        elif origin is None and now - self._damaged_since >= self.options.stall:
            self._damaged_since = None
            raise SourceError(f"garbage: only damaged pictures for {self.options.stall:g} s ({error})")

    def _failed(self, state: State, reason: str) -> None:
        if self._stop.is_set():  # that is why
            return
        reason = self._shown(reason)
        known = self._state.state == state
        log.log(logging.DEBUG if known else logging.WARNING, "camera %s: %s; trying again", self.options.name, reason)
        self._change(state, reason)

    def _shown(self, text: str) -> str:
        return without_secrets(text, self.options.source, self.options.shown)

    def _change(self, state: State, reason: str | None) -> None:
        before = self._state
        self._state = replace(before, state=state, reason=reason)
        if (before.state, before.reason) != (state, reason):
            self._on_change()
