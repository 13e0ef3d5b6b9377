"""What further cameras cost: frames per second in all, how fairly they are shared, and memory. Prints one JSON object.

Throughput: 1, 2, 4 and 8 cameras on one engine, through the daemon's own parts but MQTT; 1080p YUV frames that lie in
memory, more of them than can be labelled. Each round measures all numbers of cameras in turn, and compares within
itself. Memory: a daemon with 1, 2 and 4 folders of 1080p JPEGs at 5 frames per second, and its worker.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from live import say

from edged.benchmark import daemon_memory_mb, moving_pictures
from edged.camera.camera import Camera, CameraOptions
from edged.camera.newest import Newest
from edged.camera.source import Pace, Shot
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.models.package import find_model, open_package
from edged.pipeline import Pipeline, View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edged.camera.picture import Picture

NUMBERS = (1, 2, 4, 8)
MEMORY_NUMBERS = (1, 2, 4)
WARM_UP_SECONDS = 0.3
OFFERED_FPS = 800.0  # of all cameras together: far more than is labelled
VIEW = View(options=LabelOptions(threshold=0.5))


class MemorySource:
    """Frames that lie in memory. In lock step there is always one more; live, they come by their own clock."""

    def __init__(self, pictures: Sequence[Picture], pace: Pace, fps: float) -> None:
        self.pace = pace
        self._pictures = pictures
        self._numbers = count()
        self._interval = 1 / fps
        self._due = time.monotonic()

    def read(self, timeout: float) -> Shot:
        """See `Source.read`."""
        if self.pace is Pace.LIVE:
            self._due = max(self._due + self._interval, time.monotonic() - self._interval)
            time.sleep(min(max(0.0, self._due - time.monotonic()), timeout))
        return Shot(self._pictures[next(self._numbers) % len(self._pictures)])

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What came of so many cameras.

    Attributes:
        fps: frames labelled per second, in all.
        fairness: Jain's index: 1 is the same for each camera, 1/n all for one.
        cpu_ms: of this process a frame, the worker's left out: a figure that neighbours disturb little.
    """

    fps: float
    fairness: float
    cpu_ms: float


def shares(classifier: Classifier, cameras: int, pace: Pace, seconds: float, pictures: Sequence[Picture]) -> Shares:
    """Have so many cameras at work for a while."""
    newest = Newest()
    names = [f"camera-{number}" for number in range(cameras)]
    pipeline = Pipeline(newest, lambda: classifier, dict.fromkeys(names, VIEW), lambda _result, _frame: None)
    offered = OFFERED_FPS / cameras

    def opener(_address: str, _options: object) -> MemorySource:
        return MemorySource(pictures, pace, offered)

    options = [CameraOptions(name, "memory", "memory", fps=2 * offered) for name in names]
    running = [Camera(option, newest, opener=opener) for option in options]
    thread = threading.Thread(target=pipeline.run, name="pipeline")
    for camera in running:
        camera.start()
    thread.start()
    time.sleep(WARM_UP_SECONDS)
    before, start, used = pipeline.counts(), time.monotonic(), time.process_time()
    time.sleep(seconds)
    after, spent, used = pipeline.counts(), time.monotonic() - start, time.process_time() - used
    for camera in running:
        camera.stop()
    pipeline.stop()
    thread.join()
    for camera in running:
        camera.join(1.0)
    each = [after[name] - before[name] for name in names]
    fairness = sum(each) ** 2 / (cameras * sum(number**2 for number in each))
    return Shares(sum(each) / spent, fairness, 1000 * used / sum(each))


def throughput(model: str, pace: Pace, rounds: int, seconds: float) -> dict[str, object]:
    """The medians over all rounds, by number of cameras."""
    pictures = moving_pictures()
    found: dict[int, list[Shares]] = {number: [] for number in NUMBERS}
    engine = Engine(EngineOptions(threads=1))
    try:
        classifier = Classifier(engine, open_package(find_model(model)))
        for turn in range(rounds):
            say(f"cameras: {pace.value}, round {turn + 1} of {rounds}")
            for number in NUMBERS if turn % 2 else reversed(NUMBERS):  # a drift of the machine's hits both ends alike
                found[number].append(shares(classifier, number, pace, seconds, pictures))
    finally:
        engine.close()
    return {
        "fps": {number: round(statistics.median(share.fps for share in found[number]), 1) for number in NUMBERS},
        "ratio_to_one": {number: round(_ratio(found, number), 3) for number in NUMBERS},
        "cpu_ms": {number: round(statistics.median(share.cpu_ms for share in found[number]), 3) for number in NUMBERS},
        "fairness": {number: round(min(share.fairness for share in found[number]), 4) for number in NUMBERS},
    }


def _ratio(found: Mapping[int, list[Shares]], number: int) -> float:
    return statistics.median(many.fps / one.fps for many, one in zip(found[number], found[1], strict=True))


def memory(model: str, rounds: int) -> dict[str, object]:
    """Median megabytes by number of cameras, and the slope: what one more costs."""
    figures: dict[int, list[float]] = {number: [] for number in MEMORY_NUMBERS}
    for turn in range(rounds):
        say(f"cameras: memory, round {turn + 1} of {rounds}")
        for number in MEMORY_NUMBERS:
            figures[number].append(daemon_memory_mb(model, 1, number))
    medians = {number: statistics.median(values) for number, values in figures.items()}
    slope = statistics.linear_regression(list(medians), list(medians.values())).slope
    return {
        "memory_mb": {number: round(value, 1) for number, value in medians.items()},
        "memory_per_further_camera_mb": round(slope, 2),
    }


def main() -> int:
    """Measure everything and print it. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/cameras.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="base", metavar="M", help="base, a package's folder or a .tflite")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="N", help="of each measurement (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often (%(default)s)")
    args = parser.parse_args()
    result = {
        "schema": 1,
        "lock_step": throughput(args.model, Pace.LOCK_STEP, args.rounds, args.seconds),
        "live": throughput(args.model, Pace.LIVE, args.rounds, args.seconds),
        **memory(args.model, max(1, args.rounds // 2)),
    }
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
