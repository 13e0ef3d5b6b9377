"""What a fleet that polls one static server costs it, and which share of it a rollout reaches. Prints one JSON object.

Simulated devices, each with the daemon's own registry client and a state folder, one after the other over loopback
HTTP. Bytes are those of requests and answers, both ways, headers included; those of TCP and TLS come on top. Needs the
tests' packages (scripts/test has installed them).

    .venv/bin/python scripts/polls.py --devices 1000
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
from typing import Final

from live import say

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from support.fleet_registry import NAME, Operator
from support.static_server import StaticServer

from edged.updates.registry import Asking
from edged.updates.tuf_registry import Place, TufRegistry

ROLLOUT: Final = 25.0
GOAL_BYTES: Final = 2048
NEW: Final = "1.0.0"
OLDER: Final = 20  # versions that the registry has besides; devices outside the share are offered the last of them


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one poll of each device. Bytes and requests: the mean, and the most of one device."""

    mean_bytes: float
    most_bytes: int
    requests: float
    ms: float


class FleetOfClients:
    """Devices, by their names."""

    def __init__(self, server: StaticServer, root: Path, folder: Path, devices: int) -> None:
        self._server = server
        self._place = Place(server.url, root, "stable")
        self._folder = folder
        self._names = [f"device-{number:05d}" for number in range(devices)]
        self._clients: dict[str, TufRegistry] = {}
        self.offered = 0
        self.start()

    def start(self) -> None:
        """Every device anew, as after a restart: its folder is as it was."""
        self._clients = {name: TufRegistry(self._place, self._folder / name) for name in self._names}

    def poll(self) -> Cost:
        """Every device once."""
        self.offered = 0
        spent: list[int] = []
        requests, began = len(self._server.requests), time.monotonic()
        for name, client in self._clients.items():
            before = self._server.traffic
            poll = client.poll(Asking(name, NAME))
            spent.append(self._server.traffic - before)
            self.offered += poll.update is not None and poll.update.ref.version == NEW
        count = len(spent)
        seconds = time.monotonic() - began
        asked = (len(self._server.requests) - requests) / count
        return Cost(round(statistics.mean(spent), 1), max(spent), asked, round(seconds / count * 1000, 2))


def main() -> int:
    """Measure and print. Returns the exit code: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="scripts/polls.py", description=__doc__)
    parser.add_argument("--devices", type=int, default=1000, metavar="N", help="how many (%(default)s)")
    devices: int = parser.parse_args().devices
    with tempfile.TemporaryDirectory(prefix="edged-polls-") as temporary:
        folder = Path(temporary)
        operator = Operator.begin(folder)
        for number in range(OLDER):
            operator.publish(f"0.{number}.0")
        operator.publish(NEW, rollout=ROLLOUT)
        with StaticServer(operator.folder) as server:
            fleet = FleetOfClients(server, operator.folder / "root.json", folder / "states", devices)
            say(f"the first poll of {devices} devices …")
            first = fleet.poll()
            say("idle polls …")
            idle = fleet.poll()
            offered = fleet.offered
            say("polls after a restart …")
            fleet.start()
            restarted = fleet.poll()
    share = 100 * offered / devices
    figures = {"devices": devices, "rollout": ROLLOUT, "offered_percent": round(share, 1)}
    for name, cost in (("first", first), ("idle", idle), ("after_restart", restarted)):
        figures |= {f"{name}_{key}": getattr(cost, key) for key in Cost.__slots__}
    print(json.dumps(figures, indent=1))
    return 0 if idle.most_bytes <= GOAL_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
