"""A network that swallows packets, for real: the broker lives in a network namespace whose link is taken away.

Neither side is told of anything then: no FIN, no RST. Keep-alive alone notices, on both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Self

import pytest
from support.mosquitto import Mosquitto, free_port, make_client, soon
from support.sightings import sightings

from edged.mqtt.transport import WILL_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEEP_ALIVE_S = 1.0
NOTICED_S = 2 * KEEP_ALIVE_S + 1.5  # the stated bound, and what the machine may add
HERE, THERE = "10.213.77.1", "10.213.77.2"
STATUS = "edged/porch-pi/status"


class Network:
    """Another machine, as far as networks go: a namespace, and a cable to it."""

    def __init__(self) -> None:
        self._name = f"edged{os.getpid()}"
        self._cable = f"ed{os.getpid()}"
        self.within = ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        self._run(f"ip netns add {self._name}")
        self._run(f"ip link add {self._cable}a type veth peer name {self._cable}b netns {self._name}")
        self._run(f"ip addr add {HERE}/30 dev {self._cable}a")
        self._run(f"ip link set {self._cable}a up")
        self._run(f"ip -n {self._name} addr add {THERE}/30 dev {self._cable}b")
        self._run(f"ip -n {self._name} link set lo up")
        self.mend("cable")
        return self

    def __exit__(self, *_: object) -> None:
        for command in (f"ip link del {self._cable}a", f"ip netns del {self._name}"):
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run(command)

    def harm(self, what: str) -> None:
        """`cable`: nothing comes through any more. `answers`: what the other machine sends goes nowhere."""
        if what == "cable":
            self._run(f"ip -n {self._name} link set {self._cable}b down")
        else:
            self._run(f"ip -n {self._name} route add blackhole {HERE}/32")

    def mend(self, what: str) -> None:
        """As it was."""
        if what == "cable":
            self._run(f"ip -n {self._name} link set {self._cable}b up")
        else:
            self._run(f"ip -n {self._name} route del blackhole {HERE}/32")

    @staticmethod
    def _run(command: str) -> None:
        subprocess.run(command.split(), check=True, capture_output=True)


@pytest.fixture
def network() -> Iterator[Network]:
    if shutil.which("ip") is None or shutil.which("mosquitto_sub") is None:
        pytest.skip("ip or mosquitto_sub is not installed (apt install iproute2 mosquitto-clients)")
    made = Network()
    try:
        made.__enter__()
    except subprocess.CalledProcessError as error:
        made.__exit__()
        pytest.skip(f"this user may not make network namespaces (root may): {error.stderr.decode().strip()}")
    yield made
    made.__exit__()


class Neighbour:
    """A subscriber on the broker's own machine, whom the network's trouble does not concern."""

    def __init__(self, network: Network, broker: Mosquitto, folder: Path) -> None:
        self._file = folder / "heard"
        options = f"-h 127.0.0.1 -p {broker.port} -t edged/# -q 1 -v"
        self._command = [*network.within, "mosquitto_sub", *options.split()]

    def __enter__(self) -> Self:
        with self._file.open("wb") as heard:
            self._process = subprocess.Popen(self._command, stdout=heard)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(5)

    def heard(self, topic: str) -> list[str]:
        """The payloads that came on one topic, in order."""
        pairs = [line.split(" ", 1) for line in self._file.read_text("utf-8").splitlines()]
        return [pair[1] for pair in pairs if pair[0] == topic]

    def sequences(self) -> list[int]:
        """Of the events, each once, in the order of their coming."""
        return list(dict.fromkeys(json.loads(event)["sequence"] for event in self.heard("edged/porch-pi/a/events")))


@pytest.mark.parametrize("harm", ["cable", "answers"])
def test_packets_that_go_nowhere_are_noticed_by_keep_alive_and_no_event_is_lost(
    tmp_path: Path, network: Network, harm: str
) -> None:
    async def scenario(broker: Mosquitto, neighbour: Neighbour) -> None:
        client = make_client(broker.port, host=THERE, keepalive=KEEP_ALIVE_S)
        async with sightings(client, tmp_path / "state") as cat:
            await soon(lambda: neighbour.heard(STATUS) == ["online"])  # so it has subscribed
            cat.flip()
            await soon(lambda: neighbour.sequences() == [1])
            network.harm(harm)
            began = time.monotonic()
            while client.state().connected:  # frames go on as if nothing was
                cat.flip()
                await asyncio.sleep(0.05)
                assert time.monotonic() - began < NOTICED_S
            assert "no answer for 1 s" in str(client.state().reason)
            until_told = 1.5 * KEEP_ALIVE_S + WILL_DELAY_S + 8  # mosquitto looks every 5 s
            await soon(lambda: neighbour.heard(STATUS)[-1] == "offline", began + until_told - time.monotonic())
            cat.flip()
            network.mend(harm)
            await soon(lambda: client.state().connected, 15)  # a try that hangs takes 5 s
            await soon(lambda: neighbour.heard(STATUS)[-1] == "online")
            cat.flip()
            await soon(lambda: neighbour.sequences()[-1] == cat.made, 10)
            assert neighbour.sequences() == list(range(1, cat.made + 1))
            assert cat.events.health().lost == 0

    port = free_port()
    lines = ["allow_anonymous true", f"listener {port} 127.0.0.1"]  # of that machine; for the neighbour
    with (
        Mosquitto(tmp_path, port=port, host=THERE, within=network.within, lines=lines) as broker,
        Neighbour(network, broker, tmp_path) as neighbour,
    ):
        asyncio.run(scenario(broker, neighbour))
