"""A daemon at work, seen from outside, for measurements: its broker, its processes, and when its labels arrive."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edged.benchmark import running, write_configuration, write_photos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
START_SECONDS = 60.0
REMEMBERED = 5000  # labels that a listener knows of
ON_ITS_WAY_SECONDS = 0.01  # a result that was ready when its worker died; none begins anew as quickly as this


class LateError(Exception):
    """Something did not happen in time."""


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Broker:
    """A mosquitto on loopback. Without further `lines` of configuration it keeps nothing when it is killed."""

    def __init__(self, folder: Path, lines: str = "") -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            sys.exit("there is no mosquitto: apt-get install mosquitto")
        self.port = free_port()
        configuration = folder / "mosquitto.conf"
        configuration.write_text(f"listener {self.port} {HOST}\nallow_anonymous true\n{lines}", "utf-8")
        self._command = [program, "-c", str(configuration)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, START_SECONDS)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: the kernel still takes connections and bytes, and nobody reads them."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message of labels: when it came (monotonic), when its frame was labelled (seconds since 1970), and by whom."""

    at: float
    labelled: float
    camera: str
    device: str


class Listener:
    """A subscriber to every camera's labels. It reconnects, and so outlives its broker."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self.by_camera: Counter[str] = Counter()
        self.models: set[str] = set()
        self.on_arrival: Callable[[Arrival], None] = lambda _: None
        self._arrivals: deque[Arrival] = deque(maxlen=REMEMBERED)
        self._new = threading.Condition()
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("edged/+/+/labels")
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect_async(HOST, port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        if not self._subscribed.wait(START_SECONDS):
            raise LateError("the subscriber did not reach the broker")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def seconds_until_labels(
        self,
        event: Callable[[], object],
        timeout: float,
        cameras: frozenset[str] = frozenset(),
        device: str | None = None,
    ) -> float:
        """Have `event` happen, and measure from its beginning until labels arrive again once it is over.

        Labels that were ready when it began do not count. With `cameras`: until each of them has one; with `device`:
        until they come from there.

        Raises:
            LateError: it took longer than `timeout` seconds.
        """
        began, began_utc = time.monotonic(), time.time()
        event()
        ended = time.monotonic()
        missing = set(cameras)
        with self._new:
            while True:
                fresh = [
                    found
                    for found in self._arrivals
                    if found.at > ended
                    and found.labelled > began_utc + ON_ITS_WAY_SECONDS
                    and device in {None, found.device}
                ]
                missing -= {found.camera for found in fresh}
                if fresh and not missing:
                    firsts = {found.camera: found.at for found in reversed(fresh)}
                    return (max(firsts[name] for name in cameras) if cameras else fresh[0].at) - began
                if not self._new.wait(began + timeout - time.monotonic()):
                    raise LateError(f"no label within {timeout:g} s{f' of {sorted(missing)}' if missing else ''}")

    def publish(self, topic: str, payload: str) -> None:
        """Say something to the daemon."""
        self._client.publish(topic, payload, qos=1)

    def wait_for_device(self, device: str, timeout: float) -> None:
        """Until labels come from there. Raises LateError."""
        until(lambda: bool(self._arrivals) and self._arrivals[-1].device == device, timeout)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        at = time.monotonic()
        result = json.loads(message.payload)
        captured = datetime.fromisoformat(result["time"]).timestamp()
        labelled = captured + result["timing_ms"]["total"] / 1000
        arrival = Arrival(at, labelled, result["camera"], result["device"])
        with self._new:
            self.count += 1
            self.by_camera[arrival.camera] += 1
            self.models.add(result["model"]["name"])
            self._arrivals.append(arrival)
            self._new.notify_all()
        self.on_arrival(arrival)


@dataclass(frozen=True, slots=True)
class Scene:
    """A daemon that labels, with its broker and somebody who listens."""

    folder: Path
    photos: Path
    broker: Broker
    listener: Listener
    daemon: psutil.Process

    def worker(self) -> psutil.Process:
        """The worker process that lives now."""
        until(lambda: bool(self._workers()), START_SECONDS)
        return self._workers()[0]

    def family(self) -> list[psutil.Process]:
        """The daemon and its workers."""
        return [self.daemon, *self._workers()]

    def _workers(self) -> list[psutil.Process]:
        return [child for child in self.daemon.children() if child.status() != psutil.STATUS_ZOMBIE]


@contextlib.contextmanager
def scene(
    *,
    model: str = "base",
    cameras: int = 1,
    fps: float = 50.0,
    deadline: float = 5.0,
    edgetpu_library: Path | None = None,
) -> Iterator[Scene]:
    """Folder cameras that read the same two 1080p JPEGs, labelled by a daemon in a process of its own.

    `edgetpu_library`: labelled on the Edge TPU with it.
    """
    with tempfile.TemporaryDirectory(prefix="edged-live-") as temporary:
        folder = Path(temporary)
        photos = folder / "photos"
        write_photos(photos)
        with Broker(folder) as broker, Listener(broker.port) as listener:
            configuration = write_configuration(
                folder,
                model=model,
                port=broker.port,
                photos=photos,
                threads=1,
                cameras=cameras,
                fps=fps,
                deadline=deadline,
                edgetpu_library=edgetpu_library,
            )
            with running(*run_command(configuration)) as process:
                found = Scene(folder, photos, broker, listener, psutil.Process(process.pid))
                listener.seconds_until_labels(lambda: None, START_SECONDS)
                yield found


def run_command(configuration: Path) -> tuple[str | Path, ...]:
    """`edged run`, which says errors alone."""
    return sys.executable, "-m", "edged", "run", "-c", configuration, "--log-level", "error"


def until(true: Callable[[], bool], timeout: float) -> None:
    """Wait until something is true. Raises LateError."""
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            raise LateError(f"waited {timeout:g} s in vain")
        time.sleep(0.01)
