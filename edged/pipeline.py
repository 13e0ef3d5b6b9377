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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.camera.camera import Newest
    from edged.camera.frame import Frame

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
REMEMBERED_LATENCIES = 500
MILLI = 1000.0
MOST_SAID = 1000  # unreadable files that are told apart in the log


@dataclass(frozen=True, slots=True)
class View:
    """What one camera's labels are made of: the part of the picture, and which labels."""

    region: Region = WHOLE
    options: LabelOptions = field(default_factory=LabelOptions)


class Pipeline:
    """Labels the newest frames of all cameras in turn, with one classifier.

    `load` gives it, in this thread, so that everything else runs meanwhile; None means that the daemon is to stop.
    `offer` gets every result, in this thread: it must not block.
    """

    def __init__(
        self,
        newest: Newest,
        load: Callable[[], Classifier | None],
        views: Mapping[str, View],
        offer: Callable[[Result, Frame], None],
    ) -> None:
        self._newest = newest
        self._load = load
        self._views = views
        self._offer = offer
        self._stop = threading.Event()
        self._latencies: deque[float] = deque(maxlen=REMEMBERED_LATENCIES)
        self._counts = dict.fromkeys(views, 0)
        self._bad: set[str] = set()

    def run(self) -> None:
        """Label until `stop` is called. Raises ModelError when the model cannot be used."""
        classifier = self._load()
        while classifier is not None and not self._stop.is_set():
            taken = self._newest.take(IDLE_SECONDS)
            if taken is None:
                continue
            camera, frame = taken
            try:
                result = self._label(classifier, camera, frame)
            except EngineDownError as error:
                self._newest.put_back(camera, frame)
                self._stop.wait(min(error.retry_in, IDLE_SECONDS))
            except WorkerError:  # said by the engine; the frame gets a second chance unless a newer one is there
                self._newest.put_back(camera, frame)
            except (BadImageError, ModelError) as error:
                self._leave_out(camera, frame, str(error))
            else:
                self._latencies.append(result.timing.total)
                self._counts[camera] += 1
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
        return dict(self._counts)

    def _label(self, classifier: Classifier, camera: str, frame: Frame) -> Result:
        view = self._views[camera]
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
