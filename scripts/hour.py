"""An hour as a device lives it: whether labels ever pause without a cause, and whether anything grows. Prints JSON.

Four cameras of different kinds (a folder of JPEGs, a video file, RTSP, and motion JPEG over HTTP or what `--fourth`
names), presence and events, the page with somebody who watches a camera. Each minute the broker is killed and started
again and, half a minute later, the worker is killed; every five minutes another model labels. A pause of a camera's
labels is one of over two seconds that is not a fault's own. Needs GStreamer's RTSP server (tests/support/rtsp.py) and
the sample media.

    scripts/hour.py --minutes 60 >hour.json 2>hour.log &
    scripts/hour.py --fourth picamera:0
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final
from urllib.request import urlopen

import numpy as np
import psutil
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from live import HOST, Arrival, Broker, Listener, Scene, free_port, run_command, say
from soak import MOST_GROWTH_PERCENT, Sample, growth_percent, sample
from support.http_video import HttpCamera
from support.pictures import smooth
from support.rtsp import RtspServer, h264, missing

from edged.benchmark import running, write_photos
from edged.demo.media import find_media
from edged.models.package import find_model, open_package
from edged.models.write_package import write_package
from edged.swap_benchmark import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CAMERAS: Final = ("photos", "video", "rtsp", "fourth")
START_SECONDS: Final = 60.0
MINUTE: Final = 60.0
LONGEST_GAP_SECONDS: Final = 2.0
BROKER_AWAY_SECONDS: Final = 1.0
BROKER_OWN_SECONDS: Final = BROKER_AWAY_SECONDS + 6.0
WORKER_OWN_SECONDS: Final = 1.0
SAMPLE_SECONDS: Final = 10.0
MODELS: Final = ("first", "second")


@dataclass(frozen=True, slots=True)
class Gap:
    """A camera without labels, in seconds since the start."""

    camera: str
    began_s: float
    seconds: float


class Gaps:
    """Watches arrivals for pauses. `start`: `time.monotonic()`."""

    def __init__(self, start: float) -> None:
        self.found: list[Gap] = []
        self._start = start
        self._last = dict.fromkeys(CAMERAS, start)

    def arrived(self, arrival: Arrival) -> None:
        """A camera's labels have come."""
        before, self._last[arrival.camera] = self._last[arrival.camera], arrival.at
        if arrival.at - before > LONGEST_GAP_SECONDS:
            self.found.append(Gap(arrival.camera, round(before - self._start, 2), round(arrival.at - before, 2)))


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done, and when its own time began and ended, in seconds since the start."""

    name: str
    began_s: float
    ended_s: float

    def covers(self, gap: Gap) -> bool:
        """Whether it is this fault's own."""
        return self.began_s - LONGEST_GAP_SECONDS <= gap.began_s and gap.began_s + gap.seconds <= self.ended_s


def watch_camera(address: str, stop: Event, seen: list[int]) -> None:
    """Read a camera's stream as a browser does, anew whenever it ends. Counts bytes into `seen`."""
    while not stop.is_set():
        with contextlib.suppress(OSError, ValueError), urlopen(address, timeout=5) as stream:  # noqa: S310  ours, on loopback
            while not stop.is_set() and (data := stream.read1(65536)):
                seen[0] += len(data)
        stop.wait(1.0)


@contextlib.contextmanager
def sources(folder: Path, fourth: str | None) -> Iterator[dict[str, str]]:
    """The four cameras' addresses; `fourth`: None for one over HTTP."""
    media = find_media()
    if media is None:
        sys.exit("the sample media are not here: python -m edged.demo.media")
    if why := missing():
        sys.exit(why)
    photos = folder / "photos"
    write_photos(photos)
    moving = [np.roll(smooth(640, 360), 16 * number, axis=1) for number in range(20)]
    with RtspServer(folder, {"/a": h264(moving)}) as rtsp, HttpCamera() as http:
        if fourth is None:
            fourth = http.address("/motion")
        yield {
            "photos": str(photos),
            "video": str(media.videos[0]),
            "rtsp": rtsp.address("/a"),
            "fourth": fourth,
        }


def install_models(folder: Path) -> None:
    """Two models with the base model's files, under other names."""
    base = open_package(find_model("base"))
    for name in MODELS:
        package = folder / name
        write_package(package, replace(marked(base, name), name=name))
        command = (sys.executable, "-m", "edged", "models", "install", package, "--state", folder / "state")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def configure(folder: Path, addresses: dict[str, str], broker_port: int, page_port: int) -> Path:
    """All on: presence of everything, the page."""
    path = folder / "edged.yaml"
    camera = {"fps": 5, "presence": {"*": {"on": 0.5, "off": 0.3}}}
    settings = {
        "device": "hour",
        "mqtt": {"host": HOST, "port": broker_port},
        "web": {"listen": f"{HOST}:{page_port}"},
        "state": str(folder / "state"),
        "inference": {"threads": 1},
        "cameras": {name: {"source": addresses[name], **camera} for name in CAMERAS},
    }
    path.write_text(yaml.safe_dump(settings), "utf-8")
    return path


class Hour:
    """The faults and samples of one run."""

    def __init__(self, found: Scene, start: float) -> None:
        self.found = found
        self.faults: list[Fault] = []
        self.samples: list[Sample] = []
        self._start = start

    def minute(self, number: int, stop: Event) -> None:
        """Restart the broker, then kill the worker; every fifth, swap. Samples in between."""
        began = time.monotonic()
        self._fault("broker restarted", BROKER_OWN_SECONDS, self._restart_broker)
        self._sample_until(began + MINUTE / 2, stop)
        if not stop.is_set():
            self._fault("worker killed", WORKER_OWN_SECONDS, lambda: self.found.worker().kill())
        if number % 5 == 4 and not stop.wait(SAMPLE_SECONDS):  # noqa: PLR2004  the fifth
            self._swap(MODELS[number // 5 % 2])
        self._sample_until(began + MINUTE, stop)

    def _fault(self, name: str, own: float, happen: Callable[[], object]) -> None:
        began = time.monotonic() - self._start
        happen()
        self.faults.append(Fault(name, round(began, 2), round(time.monotonic() - self._start + own, 2)))

    def _restart_broker(self) -> None:
        self.found.broker.kill()
        time.sleep(BROKER_AWAY_SECONDS)
        self.found.broker.start()

    def _swap(self, model: str) -> None:
        say(f"hour: {time.monotonic() - self._start:.0f} s: {model} is to label")
        self.found.listener.publish("edged/hour/model/set", json.dumps({"action": "use", "name": model}))

    def _sample_until(self, end: float, stop: Event) -> None:
        while not stop.wait(min(SAMPLE_SECONDS, max(0.0, end - time.monotonic()))):
            if (taken := sample(self.found, self._start)) is not None:
                self.samples.append(taken)
            if time.monotonic() >= end:
                return


def result_of(hour: Hour, gaps: Gaps, seen: int) -> dict[str, object]:
    """What is printed."""
    own = [gap for gap in gaps.found if any(fault.covers(gap) for fault in hour.faults)]
    unexplained = [gap for gap in gaps.found if gap not in own]
    settled = hour.samples[len(hour.samples) // 10 :]
    growth = {
        "pss": growth_percent(settled, lambda each: each.pss),
        "daemon_pss": growth_percent(settled, lambda each: each.daemon_pss),
        "descriptors": growth_percent(settled, lambda each: each.descriptors),
        "threads": growth_percent(settled, lambda each: each.threads),
    }
    survived = hour.found.daemon.is_running() and hour.found.daemon.status() != psutil.STATUS_ZOMBIE
    return {
        "schema": 1,
        "faults": len(hour.faults),
        "labels": hour.found.listener.count,
        "labels_by_camera": dict(hour.found.listener.by_camera),
        "models": sorted(hour.found.listener.models),
        "viewer_mb": round(seen / 2**20, 1),
        "daemon_survived": survived,
        "gaps_of_faults": len(own),
        "longest_gap_of_a_fault_s": max((gap.seconds for gap in own), default=None),
        "unexplained_gaps": [asdict(gap) for gap in unexplained],
        "growth_percent": growth,
        "samples": [asdict(each) for each in settled[:: max(1, len(settled) // 20)]],
        "met": survived
        and not unexplained
        and seen > 0
        and all(value is None or value <= MOST_GROWTH_PERCENT for value in growth.values()),
    }


def main() -> int:
    """Run and print. Returns the exit code: 1 where labels paused or something grew."""
    parser = argparse.ArgumentParser(
        prog="scripts/hour.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=60, metavar="N", help="how long (%(default)s)")
    parser.add_argument("--fourth", metavar="SOURCE", help="of the fourth camera, as in the configuration: picamera:0")
    args = parser.parse_args()
    stop = Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edged-hour-")))
        addresses = stack.enter_context(sources(folder, args.fourth))
        broker = stack.enter_context(Broker(folder))
        page = free_port()
        configuration = configure(folder, addresses, broker.port, page)
        install_models(folder)
        listener = stack.enter_context(Listener(broker.port))
        process = stack.enter_context(running(*run_command(configuration)))
        listener.seconds_until_labels(lambda: None, START_SECONDS, frozenset(CAMERAS))
        gaps = Gaps(time.monotonic())
        listener.on_arrival = gaps.arrived
        hour = Hour(Scene(folder, folder / "photos", broker, listener, psutil.Process(process.pid)), time.monotonic())
        seen = [0]
        address = f"http://{HOST}:{page}/cameras/photos/stream"
        viewer = threading.Thread(target=watch_camera, args=(address, stop, seen), daemon=True)
        viewer.start()
        for number in range(args.minutes):
            if stop.is_set() or process.poll() is not None:
                break
            hour.minute(number, stop)
            say(f"hour: minute {number + 1}: {listener.count} labels, {len(gaps.found)} pauses, {seen[0]} bytes viewed")
        result = result_of(hour, gaps, seen[0])
        stop.set()
    print(json.dumps(result))
    return 0 if result["met"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
