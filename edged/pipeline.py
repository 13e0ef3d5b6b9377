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
class Showing:
    """What the present classifier has done since it took over: what a new model is judged by.

    Attributes:
        results: frames labelled.
        errors: frames that the model could not label.
        seconds: `invoke()` of the last results, of all members together.
    """

    results: int = 0
    errors: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LATENCIES))


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
    every `IDLE_SECONDS` besides the time that the engine takes. `unchanged` is told of every frame that is not labelled
    as nothing has moved in it, with the camera and the frame's monotonic time.
    """

    def __init__(  # noqa: PLR0913, PLR0917  one for each part that it works with
        self,
        newest: Newest,
        load: Callable[[], Classifier | None],
        views: Mapping[str, View],
        offer: Callable[[Result, Frame], None],
        beat: Callable[[], None] = lambda: None,
        unchanged: Callable[[str, float], None] = lambda _camera, _captured: None,
    ) -> None:
        self._newest = newest
        self._unchanged = unchanged
        self._load = load
        self._offer = offer
        self._beat = beat
        self._stop = threading.Event()
        self._latencies: deque[float] = deque(maxlen=REMEMBERED_LATENCIES)
        self.classifier: Classifier | None = None  # once it is loaded
        self.showing = Showing()
        self._exchange = threading.Condition()
        self._next: Classifier | None = None
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

    def exchange(self, classifier: Classifier, seconds: float) -> bool:
        """Label with another classifier from the next frame on; waits until no frame uses the one before.

        Args:
            classifier: loaded, in the same engine.
            seconds: how long to wait at most. False when the loop did not come to it: then all is as it was.
        """
        with self._exchange:
            self._next = classifier
            taken = self._exchange.wait_for(lambda: self._next is None or self._stop.is_set(), seconds)
            self._next = None
            return taken and self.classifier is classifier

    def _exchanged(self, classifier: Classifier) -> Classifier:
        """Between two frames: the classifier for the next. What the one before has said of a camera stands no more."""
        with self._exchange:
            if self._next is None:
                return classifier
            classifier = self.classifier = self._next
            self._next = None
            self.showing = Showing()
            self._latencies.clear()
            for seen in self._seen.values():
                seen.gate = MotionGate(seen.view.motion)
            self._exchange.notify_all()
            return classifier

    def run(self) -> None:
        """Label until `stop` is called. Raises ModelError when the model cannot be used."""
        classifier = self.classifier = self._load()
        while classifier is not None and not self._stop.is_set():
            self._beat()
            classifier = self._exchanged(classifier)
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
                    self._unchanged(camera, frame.captured)
                    continue
                result = self._label(classifier, seen.view, camera, frame)
            except EngineDownError as error:
                self._newest.put_back(camera, frame)
                self._stop.wait(min(error.retry_in, IDLE_SECONDS))
            except WorkerError:  # said by the engine; the frame gets a second chance unless a newer one is there
                self._newest.put_back(camera, frame)
            except (BadImageError, ModelError) as error:
                if isinstance(error, ModelError):
                    self.showing.errors += 1
                seen.left_out, seen.why = seen.left_out + 1, str(error)
                self._leave_out(camera, frame, seen.why)
            else:
                self.showing.results += 1
                self.showing.seconds.append(result.timing.inference / MILLI)
                seen.left_out = 0
                seen.gate.labelled()
                self._latencies.append(result.timing.total)
                seen.labelled += 1
                self._offer(result, frame)

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        self._stop.set()
        self._newest.close()
        with self._exchange:
            self._exchange.notify_all()

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
        model = classifier.ref
        return Result(camera, frame.time, frame.number, done.labels, model, done.device, timing, done.watched)

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
