"""What a fleet connects to: a mosquitto, or a cluster of three NATS servers; each can lose a node and get it back."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final, Protocol, Self

from live import HOST, LateError, free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

START_SECONDS: Final = 60.0
NODES: Final = 3
# It saves its state every second; what it takes along of the last one devices send again.
MOSQUITTO: Final = """\
user root
allow_anonymous true
max_queued_messages 0
set_tcp_nodelay true
persistence true
autosave_interval 1
"""


class Brokers(Protocol):
    """One broker or several that are one.

    Attributes:
        name: what it is, with its version.
        ports: where its nodes listen, on loopback.
    """

    name: str
    ports: list[int]

    def kill(self) -> None:
        """SIGKILL for the first node."""

    def restore(self) -> None:
        """Start it again, and wait until it listens."""

    def close(self) -> None:
        """End all of it."""


class Node:
    """One server process."""

    def __init__(self, command: Sequence[str], port: int, log: Path) -> None:
        self._command = command
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; does not wait."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return self

    def wait(self) -> None:
        """Wait until it listens."""
        try:
            until(self._listens, START_SECONDS)
        except LateError:
            sys.exit(f"{self._command[0]} does not listen:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), timeout=1):
            return True
        return False


class Mosquitto:
    """One broker that keeps its state on disk."""

    def __init__(self, folder: Path) -> None:
        program = _program("mosquitto")
        self.name = "mosquitto"
        self.ports = [free_port()]
        configuration = folder / "mosquitto.conf"
        text = f"listener {self.ports[0]} {HOST}\n{MOSQUITTO}persistence_location {folder}/\n"
        configuration.write_text(text, "utf-8")
        self._node = Node([program, "-c", str(configuration)], self.ports[0], folder / "mosquitto.log").start()
        self._node.wait()

    def kill(self) -> None:
        """As `Brokers` says."""
        self._node.kill()

    def restore(self) -> None:
        """As `Brokers` says."""
        self._node.start().wait()

    def close(self) -> None:
        """As `Brokers` says."""
        self._node.kill()


class Nats:
    """Three servers with JetStream and MQTT (3.1.1), each with a store of its own."""

    def __init__(self, folder: Path) -> None:
        program = _program(os.environ.get("NATS_SERVER", "nats-server"))
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        self.name = said.stdout.strip() or said.stderr.strip()
        self.ports = [free_port() for _ in range(NODES)]
        routes = [free_port() for _ in range(NODES)]
        self._nodes = []
        for number, (port, route) in enumerate(zip(self.ports, routes, strict=True)):
            configuration = folder / f"nats-{number}.conf"
            others = ", ".join(f'"nats://{HOST}:{each}"' for each in routes)
            configuration.write_text(
                f'server_name: n{number}\nlisten: "{HOST}:{free_port()}"\n'
                f'jetstream {{ store_dir: "{folder}/store-{number}", max_file: 2G, max_mem: 256M }}\n'
                f'mqtt {{ listen: "{HOST}:{port}" }}\n'
                f'cluster {{ name: fleet, listen: "{HOST}:{route}", routes: [{others}] }}\n',
                "utf-8",
            )
            self._nodes.append(Node([program, "-c", str(configuration)], port, folder / f"nats-{number}.log").start())
        for node in self._nodes:
            node.wait()

    def kill(self) -> None:
        """As `Brokers` says."""
        self._nodes[0].kill()

    def restore(self) -> None:
        """As `Brokers` says."""
        self._nodes[0].start().wait()

    def close(self) -> None:
        """As `Brokers` says."""
        for node in self._nodes:
            node.kill()


BROKERS: Final[dict[str, Callable[[Path], Brokers]]] = {"mosquitto": Mosquitto, "nats": Nats}


def _program(name: str) -> str:
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        sys.exit(f"there is no {name}: apt-get install {name}")
    return program
