"""`scripts/bench`'s measurements: `edged bench` and the plain loop in turn, then the time to the first label.

Prints one JSON object. What is compared with each other is measured alternately in this one run, since clocks and
neighbours drift; each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from live import Broker, Listener, run_command, say

from edged.benchmark import running, write_configuration
from edged.demo.media import find_media
from edged.models.package import find_model, open_package

CHECKOUT = Path(__file__).resolve().parents[1]
PLAIN_PYTHON = CHECKOUT / ".venv-plain/bin/python"
DEADLINE_SECONDS = 60.0
FIRST_LABEL_RUNS = 5


def output_of(*command: str | Path) -> dict[str, Any]:
    """The JSON object that a command prints."""
    figures: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def edged_figures(model: str, seconds: float) -> dict[str, Any]:
    """`edged bench`, once."""
    return output_of(sys.executable, "-m", "edged", "bench", "--json", "--model", model, "--seconds", str(seconds))


def plain_frames_per_cpu_second(file: Path, seconds: float) -> float:
    """The plain loop, once."""
    script = CHECKOUT / "scripts/plain_loop.py"
    figures = output_of(PLAIN_PYTHON, script, "--model", file, "--seconds", str(seconds))
    return float(figures["frames"]) / float(figures["cpu_seconds"])


def model_file(model: str) -> Path:
    """The file that the plain loop runs: the first of the model's."""
    return open_package(find_model(model)).members[0].file


def first_label_seconds(model: str) -> float:
    """From the start of `edged run` to the first label on a real broker's topic: what systemd's start looks like."""
    media = find_media()
    if media is None:
        sys.exit("bench: the sample photos are not here: python -m edged.demo.media")
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as temporary:
        folder = Path(temporary)
        with Broker(folder) as broker, Listener(broker.port) as listener, contextlib.ExitStack() as daemon:
            configuration = write_configuration(folder, model=model, port=broker.port, photos=media.photos)
            command = run_command(configuration)
            return listener.seconds_until_labels(lambda: daemon.enter_context(running(*command)), DEADLINE_SECONDS)


def main() -> int:
    """Measure everything and print it. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--model", default="base", metavar="M", help="base, a package's folder or a .tflite")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="N", help="of each measurement (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often, in turn (%(default)s)")
    args = parser.parse_args()

    edged: list[dict[str, Any]] = []
    plain: list[float] = []
    for number in range(1, args.rounds + 1):
        say(f"bench: round {number} of {args.rounds}: edged")
        edged.append(edged_figures(args.model, args.seconds))
        say(f"bench: round {number} of {args.rounds}: the plain loop")
        plain.append(plain_frames_per_cpu_second(model_file(args.model), args.seconds))
    say(f"bench: time to the first label, {FIRST_LABEL_RUNS} times")
    first = [first_label_seconds(args.model) for _ in range(FIRST_LABEL_RUNS)]

    def median(key: str) -> float:
        return statistics.median(float(figures[key]) for figures in edged)

    speedups = [
        float(figures["first_member_frames_per_cpu_second"]) / frames
        for figures, frames in zip(edged, plain, strict=True)
    ]
    result = {
        "schema": 1,
        "overhead_ratio": round(median("overhead_ratio"), 3),
        "speedup_over_plain_loop": round(statistics.median(speedups), 2),
        "memory_mb": round(median("memory_mb"), 1),
        "first_label_s": round(statistics.median(first), 2),
        "frames_per_cpu_second": round(median("frames_per_cpu_second"), 1),
        "plain_frames_per_cpu_second": round(statistics.median(plain), 1),
        "rounds": args.rounds,
        "seconds": args.seconds,
    }
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
