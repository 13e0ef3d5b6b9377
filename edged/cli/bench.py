"""`edged bench`: what this machine does."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from edged.cli.interrupt import interruptible
from edged.cli.words import add_command, between, seconds, threads

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Measures this machine: the runtime's bare invoke(), a 1080p frame to its labels (worker process included), frames per
second, and the memory of a daemon with one camera. With --swap: what it costs to swap a model for another while frames
come. Quote the ratios: they come from one run, measured in turn."""

EPILOG = """\
examples:
  edged bench
  edged bench --json --seconds 30
  edged bench --model flowers.tflite --threads 3
  edged bench --swap --swaps 1000
"""


_swaps = between(2, 1_000_000, "a number of swaps")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "bench", run, "this machine's figures", DESCRIPTION, EPILOG)
    parser.add_argument(
        "--model",
        default="base",
        metavar="M",
        help="base, an installed one's name, a package's folder or a .tflite (%(default)s)",
    )
    parser.add_argument("--seconds", type=seconds, default=10.0, metavar="N", help="how long to measure (%(default)s)")
    parser.add_argument(
        "--threads", type=threads, default=1, metavar="N", help="threads of one inference (%(default)s)"
    )
    parser.add_argument("--swap", action="store_true", help="the figures of hot swap instead")
    parser.add_argument("--swaps", type=_swaps, default=20, metavar="N", help="how many, with --swap (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns 0."""
    from edged.benchmark import measure  # noqa: PLC0415  heavy
    from edged.swap_benchmark import measure_swaps  # noqa: PLC0415  heavy

    def progress(text: str) -> None:
        print(f"measuring: {text} …", file=sys.stderr, flush=True)

    with interruptible():
        if args.swap:
            figures = asdict(measure_swaps(args.model, swaps=args.swaps, threads=args.threads, progress=progress))
        else:
            figures = asdict(measure(args.model, seconds=args.seconds, threads=args.threads, progress=progress))
    if args.json:
        print(json.dumps({"schema": 1, **figures}))
        return 0
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:<{width}}  {value}")
    return 0
