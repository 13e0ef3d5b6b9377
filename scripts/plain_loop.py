"""What edged is measured against: a plain labelling loop, as Coral's own `classify_image.py` goes about it.

Each frame is a full-size RGB array. It is resized with Pillow (LANCZOS, as that example does), copied into the input
tensor, `invoke()` runs on one thread, and the best classes are taken. The frames are RGB already, to this loop's
advantage: a program that reads a camera's YUV has to convert each of them first.

Runs in a virtual environment of its own (tflite-runtime 2.14, Python 3.11); knows nothing of edged.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tflite_runtime.interpreter import Interpreter

if TYPE_CHECKING:
    import numpy.typing as npt

    Frame = npt.NDArray[np.uint8]

FRAMES = 8  # more than a processor's cache holds, as with a camera's buffers
TOP_K = 10
WARM_UP_FRAMES = 5


def generated_frames(width: int, height: int) -> list[Frame]:
    """Smooth, moving pictures; neither Pillow's time nor the model's depends on what is in them."""
    x = np.arange(width)
    y = np.arange(height)[:, np.newaxis]
    planes = ((x + 2 * y, 3 * x + y, x + 5 * y) for _ in range(FRAMES))
    return [
        np.stack([(plane + 31 * number) % 256 for plane in three], axis=-1).astype(np.uint8)
        for number, three in enumerate(planes)
    ]


def raw_frames(path: Path, width: int, height: int) -> list[Frame]:
    """Frames from a file of RGB bytes, one after the other."""
    frames = np.fromfile(path, np.uint8)
    count = min(len(frames) // (width * height * 3), FRAMES)
    if not count:
        raise SystemExit(f"{path}: holds no whole RGB frame of {width}x{height}")
    return list(frames[: count * width * height * 3].reshape(count, height, width, 3))


def classes(interpreter: Any) -> list[tuple[int, float]]:  # noqa: ANN401 - tflite-runtime has no types
    """The best classes with their scores, as pycoral's `classify.get_classes` computes them."""
    output = interpreter.get_output_details()[0]
    scale, zero_point = output["quantization"]
    values = interpreter.tensor(output["index"])()[0].astype(np.int64)
    scores = scale * (values - zero_point)
    best = np.argpartition(scores, -TOP_K)[-TOP_K:]
    return sorted(((int(index), float(scores[index])) for index in best), key=lambda item: -item[1])


def size(text: str) -> tuple[int, int]:
    """`1920x1080` as width and height."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> int:
    """Run the loop and print its figures as JSON. Returns the exit code."""
    parser = argparse.ArgumentParser(description="A plain labelling loop, for comparison.")
    parser.add_argument("--model", required=True, metavar="FILE", help="a quantised classifier, .tflite")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="how long (%(default)s)")
    parser.add_argument("--size", type=size, default=(1920, 1080), metavar="WxH", help="of a frame (1920x1080)")
    parser.add_argument("--frames", type=Path, metavar="FILE", help="raw RGB frames (default: generated ones)")
    args = parser.parse_args()

    frames = raw_frames(args.frames, *args.size) if args.frames else generated_frames(*args.size)
    interpreter = Interpreter(args.model, num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    _, height, width, _ = source["shape"]

    resize_seconds: list[float] = []
    invoke_seconds: list[float] = []

    def label(frame: Frame) -> None:
        start = time.perf_counter()
        image = Image.fromarray(frame).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        resized = time.perf_counter()
        interpreter.tensor(source["index"])()[0][:, :] = np.asarray(image)
        before = time.perf_counter()
        interpreter.invoke()
        invoke_seconds.append(time.perf_counter() - before)
        resize_seconds.append(resized - start)
        classes(interpreter)

    for number in range(WARM_UP_FRAMES):
        label(frames[number % len(frames)])
    resize_seconds.clear()
    invoke_seconds.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < args.seconds or not invoke_seconds:
        label(frames[len(invoke_seconds) % len(frames)])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    figures = {
        "fps": round(len(invoke_seconds) / wall, 2),
        "frames": len(invoke_seconds),
        "cpu_seconds": round(cpu, 3),
        "resize_ms": round(statistics.median(resize_seconds) * 1000, 3),
        "invoke_ms": round(statistics.median(invoke_seconds) * 1000, 3),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
