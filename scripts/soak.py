"""Hours of faults: whether labels come back after each, and whether anything grows. Prints one JSON object.

A daemon at full speed with several cameras; every 20 seconds something is killed, hung or taken away, and every 10
seconds memory, descriptors and threads of the daemon and its worker are read. SIGTERM or Ctrl-C ends it early, in
order, with what there is.

    scripts/soak.py --minutes 30 >soak.json 2>soak.log &
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from threading import Event
from typing import TYPE_CHECKING, Final

import psutil
from live import LateError, Scene, say, scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAULT_SECONDS: Final = 20.0
SAMPLE_SECONDS: Final = 10.0
FPS: Final = 60.0  # of each camera: two are more than is labelled
DEADLINE: Final = 1.0
BROKER_AWAY_SECONDS: Final = 1.0
BROKER_FROZEN_SECONDS: Final = 5.0
FOLDER_AWAY_SECONDS: Final = 2.0
WARM_UP_SHARE: Final = 0.1
LEAST_WARM_UP_SECONDS: Final = 60.0
MOST_GROWTH_PERCENT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, and the seconds after its beginning within which labels are back."""

    name: str
    happen: Callable[[Scene], object]
    bound: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """How one fault went; `seconds` is None where labels were not back in time."""

    name: str
    at_s: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What daemon and worker hold at one moment; memory in megabytes, of both together but for `daemon_pss`."""

    at_s: float
    pss: float
    rss: float
    uss: float
    daemon_pss: float
    descriptors: int
    threads: int
    labels: int


def _kill_worker(found: Scene) -> None:
    found.worker().kill()


def _hang_worker(found: Scene) -> None:
    found.worker().suspend()


def _restart_broker(found: Scene) -> None:
    found.broker.kill()
    time.sleep(BROKER_AWAY_SECONDS)
    found.broker.start()


def _freeze_broker(found: Scene) -> None:
    found.broker.freeze()
    time.sleep(BROKER_FROZEN_SECONDS)
    found.broker.thaw()


def _take_folder_away(found: Scene) -> None:
    away = found.photos.rename(found.photos.with_name("away"))
    time.sleep(FOLDER_AWAY_SECONDS)
    away.rename(found.photos)


# Bounds: the daemon's stated second to be back, its deadline for a hang, and the pauses of those who connect anew.
FAULTS: Final = (
    Fault("worker killed", _kill_worker, 1.0),
    Fault("worker hangs", _hang_worker, DEADLINE + 1.0),
    Fault("broker killed", _restart_broker, BROKER_AWAY_SECONDS + 6.0),
    Fault("folder away", _take_folder_away, FOLDER_AWAY_SECONDS + 5.0),
    Fault("broker frozen", _freeze_broker, BROKER_FROZEN_SECONDS + 5.0),
)


def sample(found: Scene, start: float) -> Sample | None:
    """Read the processes; None when one of them ends meanwhile."""
    try:
        family = found.family()
        memory = [process.memory_full_info() for process in family]
        return Sample(
            at_s=round(time.monotonic() - start, 1),
            pss=round(sum(info.pss for info in memory) / 2**20, 2),
            rss=round(sum(info.rss for info in memory) / 2**20, 2),
            uss=round(sum(info.uss for info in memory) / 2**20, 2),
            daemon_pss=round(memory[0].pss / 2**20, 2),
            descriptors=sum(process.num_fds() for process in family),
            threads=sum(process.num_threads() for process in family),
            labels=found.listener.count,
        )
    except psutil.Error:
        return None


def cause(fault: Fault, found: Scene, start: float, cameras: frozenset[str], slack: float) -> Recovery:
    """Have a fault happen, and wait until every camera has labels again."""
    at = round(time.monotonic() - start, 1)
    try:
        seconds = found.listener.seconds_until_labels(lambda: fault.happen(found), fault.bound * slack, cameras)
    except LateError as error:
        say(f"soak: {at:g} s: {fault.name}: {error}")
        return Recovery(fault.name, at, None)
    say(f"soak: {at:g} s: {fault.name}: labels again after {seconds:.2f} s")
    return Recovery(fault.name, at, round(seconds, 2))


def growth_percent(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float | None:
    """The slope of the straight line through the samples, over all their time, in percent of their mean."""
    if len(samples) < 3:  # noqa: PLR2004  a line through two says nothing
        return None
    times, values = [each.at_s for each in samples], [value(each) for each in samples]
    slope = statistics.linear_regression(times, values).slope
    return round(100 * slope * (times[-1] - times[0]) / statistics.mean(values), 2)


def soak(found: Scene, cameras: frozenset[str], seconds: float, slack: float, stop: Event) -> dict[str, object]:
    """Faults and samples in turn until the time is over, or `stop` is set."""
    start = time.monotonic()
    faults, samples = [], []
    for number, fault in enumerate(cycle(FAULTS)):
        for moment in (0.0, SAMPLE_SECONDS):
            if stop.wait(max(0.0, start + number * FAULT_SECONDS + moment - time.monotonic())):
                break
            taken = sample(found, start)
            samples += [taken] if taken is not None else []
            if moment == 0.0:  # right after a sample: the next one sees a worker that is well again
                faults.append(cause(fault, found, start, cameras, slack))
        if stop.is_set() or time.monotonic() - start + SAMPLE_SECONDS >= seconds or not found.daemon.is_running():
            break
    spent = time.monotonic() - start
    settled = [each for each in samples if each.at_s >= max(LEAST_WARM_UP_SECONDS, WARM_UP_SHARE * spent)]
    growth = {
        "pss": growth_percent(settled, lambda each: each.pss),
        "rss": growth_percent(settled, lambda each: each.rss),
        "uss": growth_percent(settled, lambda each: each.uss),
        "daemon_pss": growth_percent(settled, lambda each: each.daemon_pss),
        "descriptors": growth_percent(settled, lambda each: each.descriptors),
        "threads": growth_percent(settled, lambda each: each.threads),
    }
    return {
        "schema": 1,
        "minutes": round(spent / 60, 2),
        "labels": found.listener.count,
        "daemon_survived": found.daemon.is_running(),
        "growth_percent": growth,
        "late": [asdict(each) for each in faults if each.seconds is None],
        "worst_s": {
            fault.name: max((each.seconds for each in faults if each.name == fault.name and each.seconds), default=None)
            for fault in FAULTS
        },
        "faults": [asdict(each) for each in faults],
        "samples": [asdict(each) for each in samples],
        "met": not any(each.seconds is None for each in faults)
        and found.daemon.is_running()
        and all(value is None or value <= MOST_GROWTH_PERCENT for value in growth.values()),
    }


def main() -> int:
    """Run and print. Returns the exit code: 1 where labels were late or something grew."""
    parser = argparse.ArgumentParser(
        prog="scripts/soak.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="how long (%(default)s)")
    parser.add_argument("--cameras", type=int, default=4, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--model", default="base", metavar="M", help="base, a package's folder or a .tflite")
    parser.add_argument(
        "--slack", type=float, default=1.0, metavar="F", help="times all bounds, on a busy machine (%(default)s)"
    )
    args = parser.parse_args()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    names = frozenset({"photos", *(f"photos-{number}" for number in range(2, args.cameras + 1))})
    with scene(model=args.model, cameras=args.cameras, fps=FPS, deadline=DEADLINE) as found:
        result = soak(found, names, 60 * args.minutes, args.slack, stop)
    print(json.dumps(result))
    return 0 if result["met"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
