"""What motion detection saves, what it costs, and what it misses. Prints one JSON object.

Every frame of each video is labelled, and for each threshold a gate decides which of these labels a daemon with motion
detection would have made: the others' best label is compared with the one that stands. Without videos: the samples of
the demo, and a photo as a camera that stands still would see it, with the noise of its sensor.

    scripts/motion.py vtest.avi     # a camera over a busy place, of Debian's opencv-doc
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from edged.benchmark import HEIGHT, WIDTH, MemoryCamera
from edged.camera.geometry import WHOLE, Size
from edged.camera.image_file import read_picture
from edged.camera.jpeg import JpegPicture
from edged.camera.picture import Order, PackedPicture, Picture, YuvPicture
from edged.camera.video import VideoSource
from edged.classifier import Classifier, LabelOptions
from edged.demo.media import find_media
from edged.engine.engine import Engine, EngineOptions
from edged.models.package import find_model, open_package
from edged.motion import CELLS, MotionGate, MotionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

THRESHOLDS = (0.01, 0.02, 0.05)
MAX_INTERVAL = 10.0
OPTIONS = LabelOptions(threshold=0.2, max_results=1)
STILL_FRAMES, STILL_FPS = 300, 5.0
STILL_NOISE = 8.0  # grey levels, standard deviation: a webcam in the evening
ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Saving:
    """What a gate did for one video.

    Attributes:
        saved: share of frames that were not labelled.
        changes: how often the best label changes from one frame to the next.
        agreement: share of frames whose own best label (or that there is none) is what stands.
        longest_wrong_s: the longest that another best label stood, in seconds of the video.
    """

    threshold: float
    saved: float
    changes: int
    agreement: float
    longest_wrong_s: float


@dataclass(slots=True)
class Trial:
    """One gate at one video."""

    threshold: float
    labelled: int = 0
    frames: int = 0
    agreed: int = 0
    longest: float = 0.0
    changes: int = 0
    last: str | None = None
    standing: str | None = None
    wrong_since: float | None = None
    gate: MotionGate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = MotionGate(MotionOptions(self.threshold, MAX_INTERVAL))

    def see(self, picture: Picture, best: str | None, now: float) -> None:
        """The next frame, its own best label, and its time in seconds."""
        self.changes += best != self.last and self.frames > 0
        self.last = best
        self.frames += 1
        if self.gate.differs(picture, WHOLE, now):
            self.gate.labelled()
            self.labelled += 1
            self.standing = best
        if self.wrong_since is not None:
            self.longest = max(self.longest, now - self.wrong_since)
        if self.standing == best:
            self.agreed += 1
            self.wrong_since = None
        elif self.wrong_since is None:
            self.wrong_since = now

    def result(self) -> Saving:
        """What came out."""
        saved, agreement = 1 - self.labelled / self.frames, self.agreed / self.frames
        return Saving(self.threshold, round(saved, 3), self.changes, round(agreement, 3), round(self.longest, 2))


def frames_of(video: Path) -> Iterator[tuple[Picture, float]]:
    """A video's frames as the daemon sees them, and their times in seconds."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        count = sum(1 for _ in container.decode(stream))
    source = VideoSource(video, realtime=False)
    try:
        for number in range(count):
            yield source.read(1.0).picture, number / rate
    finally:
        source.close()


def still_frames(photo: Path) -> Iterator[tuple[Picture, float]]:
    """A photo as a camera that stands still sees it: 1080p, noise, JPEG."""
    scene = read_picture(photo).render(Size(WIDTH, HEIGHT)).astype(np.float32)
    random = np.random.default_rng(1)
    for number in range(STILL_FRAMES):
        noise = STILL_NOISE * random.standard_normal(scene.shape, np.float32)
        data = cv2.imencode(".jpg", np.clip(scene + noise, 0, 255).astype(np.uint8))[1].tobytes()
        yield JpegPicture(data), number / STILL_FPS


def savings(classifier: Classifier, frames: Iterator[tuple[Picture, float]]) -> list[Saving]:
    """Label every frame, and let a gate for each threshold decide beside it."""
    trials = [Trial(threshold) for threshold in THRESHOLDS]
    for picture, now in frames:
        labels = classifier.classify(picture, OPTIONS).labels
        for trial in trials:
            trial.see(picture, labels[0].text if labels else None, now)
    return [trial.result() for trial in trials]


def costs(classifier: Classifier) -> dict[str, float]:
    """Median milliseconds of looking at a 1080p frame and of labelling it, in turn; each frame was written just now."""
    camera = MemoryCamera()
    spent: dict[str, list[float]] = {}

    def measure(name: str, gate: MotionGate | None, picture: Picture) -> None:
        start = time.perf_counter()
        if gate is None:
            classifier.classify(picture, OPTIONS)
        else:
            gate.differs(picture, WHOLE, 0.0)
        spent.setdefault(name, []).append(time.perf_counter() - start)

    gates = [MotionGate(MotionOptions(THRESHOLDS[0])) for _ in range(2)]
    encoded = [_jpeg(camera.next()) for _ in range(4)]
    for gate in gates:
        gate.differs(PackedPicture(np.zeros((CELLS.height, CELLS.width), np.uint8), Order.GREY))
        gate.labelled()
    for number in range(ROUNDS):
        data = encoded[number % len(encoded)]
        measure("gate_yuv_ms", gates[0], camera.next())
        measure("label_yuv_ms", None, camera.next())
        measure("gate_jpeg_ms", gates[1], JpegPicture(data))
        measure("label_jpeg_ms", None, JpegPicture(data))
    return {name: round(statistics.median(times) * 1000, 3) for name, times in spent.items()}


def _jpeg(picture: YuvPicture) -> bytes:
    return cv2.imencode(".jpg", picture.render(picture.size)[:, :, ::-1])[1].tobytes()


def main() -> int:
    """Measure everything and print it. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/motion.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO", help="in place of the samples")
    args = parser.parse_args()
    media = find_media()
    if media is None:
        sys.exit("motion: the sample photos and videos are not here: python -m edged.demo.media")
    engine = Engine(EngineOptions(threads=1))
    try:
        classifier = Classifier(engine, open_package(find_model("base")))
        scenes = {video.name: savings(classifier, frames_of(video)) for video in args.videos or media.videos}
        scenes["still"] = savings(classifier, still_frames(media.photos / "rocket.jpg"))
        cost = costs(classifier)
    finally:
        engine.close()
    result = {
        "schema": 1,
        "max_interval_s": MAX_INTERVAL,
        "scenes": {name: [asdict(saving) for saving in found] for name, found in scenes.items()},
        "cost": cost,
    }
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
