"""A fleet of devices against a real broker or cluster; `scripts/fleet` runs it. Progress on stderr, figures on stdout.

In order: all devices connect; events happen; a tenth of the devices restarts, and one process of several dies by
SIGKILL and comes back; the broker (of a cluster: one node) is killed and comes back; events go on; the outboxes run
empty. A subscriber with a session that the broker keeps has then to have every event of every device, as their own
files count them, in order. Duplicates are counted: "at least once" is what is promised. So is what the broker flags as
its own second try (DUP): what comes out of order with that flag, the broker had in order and gave late.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from fleet_brokers import BROKERS
from fleet_devices import Order, Report
from fleet_watcher import Watcher, judge, missing
from live import HOST, LateError, say, until

from edged.events import FILE
from edged.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_brokers import Brokers

NOTHING: Final = Report(at=0.0, connected=0, waiting=0, protocol=None, first=0.0, last=0.0)
GOAL_BACK_SECONDS: Final = 60.0  # after a broker's restart
EXIT_TERMINATED: Final = 143
PATIENCE_SECONDS: Final = 180.0  # for any one thing
SETTLE_SECONDS: Final = 1.0  # in which a device that was cut off notices
DOWN_SECONDS: Final = 2.0  # how long a killed broker stays away
DEVICES_A_PROCESS: Final = 250
SAID_SECONDS: Final = 5.0  # how often it is said what is waited for


class Part:
    """A process with some of the devices; its folder outlives it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self.report = NOTHING
        self._start()

    def say(self, word: str) -> None:
        """Tell it what to do."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{word}\n".encode("ascii"))
            self._process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL, and another life."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self.report = NOTHING
        self._start()

    def connected(self, since: float, *, anew: bool) -> int:
        """How many are, by a report from well after that time; with `anew`: 0 until every one has connected since."""
        report = self.report
        known = report.at > since + SETTLE_SECONDS and (report.first > since or not anew)
        return report.connected if known else 0

    def stop(self) -> None:
        """End in order; by force where that takes too long."""
        self.say("stop")
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def memory_mb(self) -> float:
        """What it holds."""
        return float(psutil.Process(self._process.pid).memory_full_info().uss) / 2**20

    def _start(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("fleet_devices.py")), json.dumps(asdict(self._order))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._thread.start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            self.report = Report(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it. `lost`: events that are in no message at the subscriber; `failure`: what did not come about."""

    schema: int
    broker: str
    protocol: str | None
    devices: int
    connected_s: float
    back_after_device_kills_s: float
    back_after_broker_kill_s: float
    events: int
    lost: int
    stated_as_lost: int
    out_of_order: int
    out_of_order_by_broker: int
    duplicates: int
    drained_s: float
    memory_mb_per_device: float
    seconds: float
    failure: str | None = None


class Fleet:
    """All the parts."""

    def __init__(self, folder: Path, devices: int, ports: list[int], period: float) -> None:
        self.devices = devices
        self._folder = folder
        servers = [f"{HOST}:{port}" for port in ports]
        firsts = range(0, devices, DEVICES_A_PROCESS)
        counts = [min(DEVICES_A_PROCESS, devices - first) for first in firsts]
        self.parts = [
            Part(Order(str(folder), first, count, servers, period)) for first, count in zip(firsts, counts, strict=True)
        ]

    def tell(self, word: str) -> None:
        """Tell all of them."""
        for part in self.parts:
            part.say(word)

    def wait_connected(self, what: str, since: float, *, anew: bool = False) -> float:
        """Wait until every device is connected, with `anew` since that time (monotonic). Returns when the last one was.

        Raises:
            LateError: some are not, after a long time.
        """
        self._progress(what, lambda: sum(part.connected(since, anew=anew) for part in self.parts), self.devices)
        return max(part.report.last for part in self.parts)

    def wait_drained(self) -> None:
        """Wait until no outbox holds anything."""
        since = time.monotonic() + SETTLE_SECONDS
        parts = len(self.parts)
        done = lambda: sum(part.report.at > since and not part.report.waiting for part in self.parts)  # noqa: E731
        self._progress("processes whose events are all out", done, parts)

    def last_sequences(self) -> dict[str, int]:
        """How many events each device has ever had, by its own file; after `stop`."""
        found = {}
        for file in self._folder.glob(f"*/{FILE}"):
            outbox = Outbox(file)
            found[file.parent.name] = outbox.sequence
            outbox.close()
        return found

    @staticmethod
    def _progress(what: str, count: Callable[[], int], wanted: int) -> None:
        deadline, said = time.monotonic() + PATIENCE_SECONDS, 0.0
        while (now := count()) < wanted:
            if time.monotonic() > deadline:
                raise LateError(f"{what}: {now} of {wanted} after {PATIENCE_SECONDS:g} s")
            if time.monotonic() - said > SAID_SECONDS:
                said = time.monotonic()
                say(f"fleet: {what}: {now} of {wanted}")
            time.sleep(0.1)


def scenario(folder: Path, options: argparse.Namespace) -> Figures:
    """All that the module's first lines say."""
    began = time.monotonic()
    brokers: Brokers = BROKERS[options.broker](folder)
    say(f"fleet: {options.devices} devices, {brokers.name} at {', '.join(map(str, brokers.ports))}")
    try:
        with Watcher(brokers.ports) as watcher:
            return follow(folder, options, brokers, watcher, began)
    finally:
        brokers.close()


def follow(folder: Path, options: argparse.Namespace, brokers: Brokers, watcher: Watcher, began: float) -> Figures:
    """From the first device to the last figure."""
    started = time.monotonic()
    fleet = Fleet(folder / "devices", options.devices, brokers.ports, options.period)
    failure: str | None = None
    connected = killed = broken = drained = memory = 0.0
    try:
        connected = fleet.wait_connected("connected", started) - started
        say(f"fleet: all connected after {connected:.1f} s")
        fleet.tell("go")
        time.sleep(options.seconds)
        memory = sum(part.memory_mb() for part in fleet.parts) / options.devices
        now = time.monotonic()
        fleet.tell("restart")
        fleet.parts[0].kill()
        killed = max(0.0, fleet.wait_connected("back after their own restarts", now) - now)
        fleet.parts[0].say("go")
        say(f"fleet: back {killed:.1f} s after a tenth was restarted and one process killed")
        time.sleep(options.seconds)
        alone = len(brokers.ports) == 1
        up = now = time.monotonic()
        brokers.kill()
        if alone:
            time.sleep(DOWN_SECONDS)
            brokers.restore()
            up = time.monotonic()
        broken = max(0.0, fleet.wait_connected("back after the broker's kill", now, anew=alone) - up)
        say(f"fleet: back {broken:.1f} s after the broker was killed{' and up again' * alone}")
        time.sleep(options.seconds)
        if not alone:
            brokers.restore()
            time.sleep(options.seconds)
        fleet.tell("pause")
        now = time.monotonic()
        fleet.wait_drained()
        drained = time.monotonic() - now
    except LateError as error:
        failure = str(error)
        say(f"fleet: {failure}")
    protocol = next((part.report.protocol for part in fleet.parts), None)
    for part in fleet.parts:
        part.stop()
    last = fleet.last_sequences()
    try:
        until(lambda: not missing(watcher, last), options.patience)
    except LateError:
        say("fleet: the subscriber does not get them all")
    verdict = judge(watcher, last)
    return Figures(
        schema=1,
        broker=brokers.name,
        protocol=protocol,
        devices=options.devices,
        connected_s=round(connected, 1),
        back_after_device_kills_s=round(killed, 1),
        back_after_broker_kill_s=round(broken, 1),
        **verdict,
        stated_as_lost=watcher.stated,
        drained_s=round(drained, 1),
        memory_mb_per_device=round(memory, 2),
        seconds=round(time.monotonic() - began),
        failure=failure,
    )


def main() -> int:
    """Measure, and print. Returns the exit code: 1 where something was lost, or the goal was missed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a broker needs one for each device, a device six
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # so that no broker is left behind
    parser = argparse.ArgumentParser(
        prog="scripts/fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("devices", type=int, help="how many")
    parser.add_argument("--broker", choices=sorted(BROKERS), default="mosquitto", help="(%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="how long events happen between kills (%(default)s)"
    )
    parser.add_argument(
        "--period", type=float, default=10.0, help="seconds from a device's event to its next (%(default)s)"
    )
    parser.add_argument(
        "--patience", type=float, default=30.0, help="seconds for the subscriber's last ones (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args()
    if options.devices < 1:
        parser.error("at least one device")
    with tempfile.TemporaryDirectory(prefix="edged-fleet-") as temporary:
        figures = scenario(Path(temporary), options)
    if options.json:
        print(json.dumps(asdict(figures)))
    else:
        for name, value in asdict(figures).items():
            print(f"{name:28} {value}")
    late = figures.back_after_broker_kill_s > GOAL_BACK_SECONDS
    return 1 if figures.lost or figures.out_of_order or figures.failure or late else 0


if __name__ == "__main__":
    sys.exit(main())
