"""How long labels stop when the worker is killed, at random moments. Prints one JSON object.

A daemon in a process of its own, a real broker and a subscriber; a folder camera at 50 frames per second. Measured from
SIGKILL to the arrival of the first label of a frame that was labelled after it.

With --edgetpu a library that stands in for the Edge TPU's (tests/support/edgetpu.py) is loaded. Instead of a kill the
process that holds it aborts, as libedgetpu has it do when the device is lost, and the device is refused from then on:
the next label is the CPU's. Then the device is there again, and the next time begins when it labels.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from live import LateError, Scene, say, scene
from support.edgetpu import StandIn, package_with_twin

if TYPE_CHECKING:
    from collections.abc import Iterator

GOAL_MEDIAN_SECONDS, GOAL_WORST_SECONDS = 0.4, 1.0
GOAL_EDGETPU_SECONDS = 0.5  # the worst
EDGETPU_BACK_SECONDS = 60.0
LOSSES_OF_ONE_DAEMON = 4
TIMEOUT_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 0.5


def kill_and_wait(found: Scene) -> float:
    """Kill the worker at a random moment. Returns the seconds until labels come again.

    Raises:
        LateError: they do not.
    """
    time.sleep(random.uniform(0.0, LONGEST_PAUSE_SECONDS))  # noqa: S311  not a secret
    worker = found.worker()
    return found.listener.seconds_until_labels(worker.kill, TIMEOUT_SECONDS)


def lose_and_wait(found: Scene, device: StandIn) -> float:
    """Have the device lost at a random moment, and come back. Returns the seconds until labels come from the CPU.

    Raises:
        LateError: they do not, or the device is not taken back.
    """
    time.sleep(random.uniform(0.0, LONGEST_PAUSE_SECONDS))  # noqa: S311  not a secret
    holder = int(device.loads()[-1].split()[0])
    process = next(child for child in found.daemon.children() if child.pid == holder)
    device.behave("refuse")
    seconds = found.listener.seconds_until_labels(
        lambda: process.send_signal(signal.SIGABRT), TIMEOUT_SECONDS, device="cpu"
    )
    device.behave()
    found.listener.wait_for_device("edgetpu", EDGETPU_BACK_SECONDS)
    return seconds


def worker_kills(model: str, kills: int) -> Iterator[float]:
    """So many times with one daemon. Raises LateError."""
    with scene(model=model) as found:
        for _ in range(kills):
            yield kill_and_wait(found)
            survived(found)


def device_losses(losses: int) -> Iterator[float]:
    """So many times, with a daemon anew for every few: one that loses it often waits ever longer. Raises LateError."""
    with tempfile.TemporaryDirectory(prefix="edged-recovery-") as temporary:
        device = StandIn(Path(temporary) / "edgetpu")
        package = package_with_twin(Path(temporary) / "package")
        for begun in range(0, losses, LOSSES_OF_ONE_DAEMON):
            with scene(model=str(package), edgetpu_library=device.library) as found:
                found.listener.wait_for_device("edgetpu", EDGETPU_BACK_SECONDS)
                for _ in range(min(LOSSES_OF_ONE_DAEMON, losses - begun)):
                    yield lose_and_wait(found, device)
                    survived(found)


def survived(found: Scene) -> None:
    """Raises LateError: the daemon has ended."""
    if not found.daemon.is_running() or found.daemon.status() == psutil.STATUS_ZOMBIE:
        raise LateError("the daemon did not survive it")


def main() -> int:
    """Measure and print. Returns the exit code: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="scripts/recovery.py", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="how often (%(default)s)")
    parser.add_argument("--model", default="base", metavar="M", help="base, a package's folder or a .tflite")
    parser.add_argument("--edgetpu", action="store_true", help="the Edge TPU's stand-in is lost instead (base model)")
    args = parser.parse_args()
    times: list[float] = []
    failure: str | None = None
    try:
        for seconds in device_losses(args.kills) if args.edgetpu else worker_kills(args.model, args.kills):
            times.append(seconds)
            if len(times) % 20 == 0:
                say(f"recovery: {len(times)} times, worst {max(times):.2f} s")
    except LateError as error:
        failure = str(error)
    quantiles = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else []
    result = {
        "schema": 1,
        "kills": len(times),
        "median_s": round(statistics.median(times), 3) if times else None,
        "p99_s": round(quantiles[98], 3) if quantiles else None,
        "worst_s": round(max(times), 3) if times else None,
        "failure": failure,
        "times_s": [round(seconds, 3) for seconds in times],
    }
    print(json.dumps(result))
    worst = GOAL_EDGETPU_SECONDS if args.edgetpu else GOAL_WORST_SECONDS
    met = failure is None and statistics.median(times) <= GOAL_MEDIAN_SECONDS and max(times) <= worst
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
