"""How long labels stop when the worker is killed, at random moments. Prints one JSON object.

A daemon in a process of its own, a real broker and a subscriber; a folder camera at 50 frames per second. Measured from
SIGKILL to the arrival of the first label of a frame that was labelled after it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time

from live import LateError, Scene, say, scene

GOAL_MEDIAN_SECONDS, GOAL_WORST_SECONDS = 0.4, 1.0
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


def main() -> int:
    """Measure and print. Returns the exit code: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="scripts/recovery.py", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="how often (%(default)s)")
    parser.add_argument("--model", default="base", metavar="M", help="base, a package's folder or a .tflite")
    args = parser.parse_args()
    times: list[float] = []
    failure: str | None = None
    with scene(model=args.model) as found:
        daemon = found.daemon.pid
        try:
            for number in range(1, args.kills + 1):
                times.append(kill_and_wait(found))
                if number % 20 == 0:
                    say(f"recovery: {number} kills, worst {max(times):.2f} s")
        except LateError as error:
            failure = str(error)
        same = found.daemon.is_running() and found.daemon.pid == daemon
    quantiles = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else []
    result = {
        "schema": 1,
        "kills": len(times),
        "median_s": round(statistics.median(times), 3) if times else None,
        "p99_s": round(quantiles[98], 3) if quantiles else None,
        "worst_s": round(max(times), 3) if times else None,
        "daemon_survived": same,
        "failure": failure,
        "times_s": [round(seconds, 3) for seconds in times],
    }
    print(json.dumps(result))
    met = (
        failure is None
        and same
        and statistics.median(times) <= GOAL_MEDIAN_SECONDS
        and max(times) <= GOAL_WORST_SECONDS
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
