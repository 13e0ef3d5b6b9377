"""What a frame of a 1080p RTSP camera costs from the network to its labels, over what nobody can avoid.

That is decoding it and running the model, both bare. Everything is processor time, of this process and the inference
worker, and measured in turn at the camera's five frames a second: a processor that has slept between two frames works
more slowly than one that is kept busy. Prints one JSON object. Needs GStreamer's RTSP server (tests/support/rtsp.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "tests"))

from support.pictures import smooth  # noqa: E402
from support.rtsp import RtspServer, h264, missing  # noqa: E402

from edged.camera.geometry import Size  # noqa: E402
from edged.camera.image_file import read_picture  # noqa: E402
from edged.camera.source import SourceOptions  # noqa: E402
from edged.camera.stream import StreamSource  # noqa: E402
from edged.classifier import Classifier, LabelOptions  # noqa: E402
from edged.demo.media import find_media  # noqa: E402
from edged.engine.engine import Engine  # noqa: E402
from edged.engine.options import EngineOptions  # noqa: E402
from edged.models.package import find_model, open_package  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.camera.pixels import Pixels

RATE = 5
SIZE = Size(1920, 1080)
GROUP = 20  # pictures from one key frame to the next
STEP = 8  # pixels that the picture moves between two of them
LABELS = LabelOptions(threshold=0.3)


@dataclass(frozen=True, slots=True)
class Round:
    """Processor seconds a frame."""

    whole: float
    decode: float
    invoke: float
    reading: float

    @property
    def ratio(self) -> float:
        """What was spent over what had to be."""
        return self.whole / (self.decode + self.invoke)


class Meter:
    """Processor seconds of this process, and of the worker by the scheduler's own clock: its ticks are too coarse."""

    def __init__(self, worker: int) -> None:
        self._tasks = Path(f"/proc/{worker}/task")

    def here(self) -> float:
        """Of this process so far."""
        return time.process_time()

    def worker(self) -> float:
        """Of the worker so far."""
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self._tasks.iterdir()) / 1e9

    def both(self) -> float:
        """Of both so far."""
        return self.here() + self.worker()


def pictures() -> list[Pixels]:
    """A photo that moves, 1080p; without the sample photos a pattern."""
    media = find_media()
    if media is None:
        wide = smooth(SIZE.width + GROUP * STEP, SIZE.height)
    else:
        wide = read_picture(media.photos / "coffee.png").render(Size(SIZE.width + GROUP * STEP, SIZE.height))
    return [wide[:, number * STEP : number * STEP + SIZE.width].copy() for number in range(GROUP)]


def stream_frames(address: str, classifier: Classifier, meter: Meter, count: int) -> tuple[float, float]:
    """Processor seconds a frame from the network to labels, and of these in `read`, as the daemon goes about it."""
    source = StreamSource(address, SourceOptions(fps=RATE))
    try:
        for _ in range(3):  # the first come together
            classifier.classify(source.read(5.0).picture, LABELS)
        reading = 0.0
        before = meter.both()
        for _ in range(count):
            began = meter.here()
            picture = source.read(5.0).picture
            reading += meter.here() - began
            classifier.classify(picture, LABELS)
        return (meter.both() - before) / count, reading / count
    finally:
        source.close()


def bare_decode(packets: tuple[bytes, ...], meter: Meter, count: int) -> float:
    """Processor seconds to decode a frame, in FFmpeg's decoder alone."""
    context = av.CodecContext.create("h264", "r")
    context.thread_type = "NONE"
    ready = [av.Packet(data) for data in packets]
    for packet in ready[:3]:
        context.decode(packet)
    spent = 0.0
    for number in range(3, count + 3):
        time.sleep(1 / RATE)
        packet = ready[number % len(ready)]
        began = meter.here()
        context.decode(packet)
        spent += meter.here() - began
    return spent / count


def bare_invoke(engine: Engine, slots: Sequence[int], meter: Meter, count: int) -> float:
    """Processor seconds of the worker for one run of each member, with the messages that start them."""
    spent = 0.0
    for _ in range(count):
        time.sleep(1 / RATE)
        before = meter.worker()
        for slot in slots:
            engine.measure(slot, 1)
        spent += meter.worker() - before
    return spent / count


def main() -> int:
    """Measure and print. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/stream_cost.py", description=__doc__)
    parser.add_argument("--model", default="base", metavar="M", help="base, a package's folder or a .tflite")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="how often, in turn (%(default)s)")
    parser.add_argument("--frames", type=int, default=25, metavar="N", help="of each measurement (%(default)s)")
    args = parser.parse_args()
    lacking = missing()
    if lacking is not None:
        print(f"stream_cost: {lacking}", file=sys.stderr)
        return 69
    mount = h264(pictures(), rate=RATE)
    engine = Engine(EngineOptions(threads=1))
    with (
        tempfile.TemporaryDirectory(prefix="edged-stream-") as folder,
        RtspServer(Path(folder), {"/cam": mount}) as cam,
    ):
        try:
            classifier = Classifier(engine, open_package(find_model(args.model)))
            process = engine.state().pid
            assert process is not None  # noqa: S101  it has just loaded a model
            meter = Meter(process)
            rounds = []
            for _ in range(args.rounds):
                whole, reading = stream_frames(cam.address("/cam"), classifier, meter, args.frames)
                decode = bare_decode(mount.frames, meter, args.frames)
                invoke = bare_invoke(engine, classifier.slots, meter, args.frames)
                rounds.append(Round(whole, decode, invoke, reading))
        finally:
            engine.close()
    result = {
        "schema": 1,
        "ratio": round(statistics.median(one.ratio for one in rounds), 3),
        "frame_to_labels_cpu_ms": round(1000 * statistics.median(one.whole for one in rounds), 2),
        "bare_decode_cpu_ms": round(1000 * statistics.median(one.decode for one in rounds), 2),
        "bare_invoke_cpu_ms": round(1000 * statistics.median(one.invoke for one in rounds), 2),
        "of_which_reading_cpu_ms": round(1000 * statistics.median(one.reading for one in rounds), 2),
        "frames_kb": round(statistics.mean(map(len, mount.frames)) / 1000, 1),
        "fps": RATE,
        "rounds": args.rounds,
        "frames": args.frames,
    }
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
