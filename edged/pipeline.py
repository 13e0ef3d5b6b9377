"""The main loop: newest frame, infer, offer the result. One thread, which nothing else may block."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edged.camera.geometry import WHOLE, Region
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import EngineDownError
from edged.errors import BadImageError, ModelError, WorkerError
from edged.labeling.label import Result, Timing
from edged.motion import MotionGate, MotionOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.camera.frame import Frame
    from edged.camera.newest import Newest

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
REMEMBERED_LATENCIES = 500
MILLI = 1000.0
MANY_LEFT_OUT = 10  # frames in succession that cannot be labelled: no longer a chance
MOST_SAID = 1000  # unreadable files that are told apart in the log


@dataclass(frozen=True, slots=True)
class View:
    """What one camera's labels are made of: the part of the picture, which labels, and which frames."""

    region: Region = WHOLE
    options: LabelOptions = field(default_factory=LabelOptions)
    motion: MotionOptions = field(default_factory=MotionOptions)


@dataclass(slots=True)
class _Seen:
    """One camera, and what became of its frames."""

    view: View
    gate: MotionGate
    labelled: int = 0
    unchanged: int = 0
    left_out: int = 0  # in succession, up to now
    why: str = ""


class Pipeline:
    """Labels the newest frames of all cameras in turn, with one classifier.

    `load` gives it, in this thread, so that everything else runs meanwhile; None means that the daemon is to stop.
    `offer` gets every result, in this thread: it must not block. `beat` is called at every turn of the loop, at least
    every `IDLE_SECONDS` besides the time that the engine takes.
    """

    def __init__(
        self,
        newest: Newest,
        load: Callable[[], Classifier | None],
        views: Mapping[str, View],
        offer: Callable[[Result, Frame], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._newest = newest
        self._load = load
        self._offer = offer
        self._beat = beat
        self._stop = threading.Event()
        self._latencies: deque[float] = deque(maxlen=REMEMBERED_LATENCIES)
        self.classifier: Classifier | None = None  # once it is loaded
        self._seen: dict[str, _Seen] = {}
        self._bad: set[str] = set()
        self.set_views(views)

    def set_views(self, views: Mapping[str, View]) -> None:
        """Look at these cameras, like this, from the next frame on. Frames of others are left alone."""
        before = self._seen
        after = {}
        for camera, view in views.items():
            known = before.get(camera)
            if known is None:
                seen = _Seen(view, MotionGate(view.motion))
            else:  # labels made by another view do not stand
                gate = known.gate if known.view == view else MotionGate(view.motion)
                seen = _Seen(view, gate, known.labelled, known.unchanged)
            after[camera] = seen
        self._seen = after  # one reference: the loop sees the old or the new

    def views(self) -> dict[str, View]:
        """How each camera is looked at."""
        return {camera: seen.view for camera, seen in self._seen.items()}

    def run(self) -> None:
        """Label until `stop` is called. Raises ModelError when the model cannot be used."""
        classifier = self.classifier = self._load()
        while classifier is not None and not self._stop.is_set():
            self._beat()
            taken = self._newest.take(IDLE_SECONDS)
            if taken is None:
                continue
            camera, frame = taken
            seen = self._seen.get(camera)
            if seen is None:  # the configuration has lost this camera meanwhile
                continue
            try:
                if not seen.gate.differs(frame.picture, seen.view.region, frame.captured):
                    seen.unchanged += 1
                    seen.left_out = 0
                    continue
                result = self._label(classifier, seen.view, camera, frame)
            except EngineDownError as error:
                self._newest.put_back(camera, frame)
                self._stop.wait(min(error.retry_in, IDLE_SECONDS))
            except WorkerError:  # said by the engine; the frame gets a second chance unless a newer one is there
                self._newest.put_back(camera, frame)
            except (BadImageError, ModelError) as error:
                seen.left_out, seen.why = seen.left_out + 1, str(error)
                self._leave_out(camera, frame, seen.why)
            else:
                seen.left_out = 0
                seen.gate.labelled()
                self._latencies.append(result.timing.total)
                seen.labelled += 1
                self._offer(result, frame)

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        self._stop.set()
        self._newest.close()

    def latencies(self) -> list[float]:
        """Capture to labels of the last results, in milliseconds."""
        return list(self._latencies)

    def counts(self) -> dict[str, int]:
        """Frames labelled since the start, by camera."""
        return {camera: seen.labelled for camera, seen in self._seen.items()}

    def unchanged(self) -> dict[str, int]:
        """Frames not labelled since the start, as nothing had moved in them, by camera. The last labels stand."""
        return {camera: seen.unchanged for camera, seen in self._seen.items()}

    def troubles(self) -> dict[str, str]:
        """Why a camera that gives frames has no labels, by camera: it has given none of late that could be labelled."""
        return {camera: seen.why for camera, seen in self._seen.items() if seen.left_out >= MANY_LEFT_OUT}

    def _label(self, classifier: Classifier, view: View, camera: str, frame: Frame) -> Result:
        done = classifier.classify(frame.picture, view.options, view.region)
        total = time.monotonic() - frame.captured
        timing = Timing(done.preprocess * MILLI, done.inference * MILLI, total * MILLI)
        return Result(camera, frame.time, frame.number, done.labels, classifier.ref, done.device, timing)

    def _leave_out(self, camera: str, frame: Frame, reason: str) -> None:
        """Say once a file, or once a camera, that a frame cannot be labelled."""
        key = f"{camera}/{frame.origin or ''}"
        level = logging.DEBUG if key in self._bad else logging.WARNING
        if len(self._bad) < MOST_SAID:
            self._bad.add(key)
        log.log(
            level,
            "camera %s: frame %d%s left out: %s",
            camera,
            frame.number,
            f" ({frame.origin})" * bool(frame.origin),
            reason,
        )
