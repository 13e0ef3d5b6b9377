"""A part of a fleet, in a process of its own: the daemon's MQTT client, outbox, presence and discovery for each device.

scripts/fleet.py starts it with a JSON object as its argument, and tells it what to do, a word a line: `go`, `pause`,
`restart` (a tenth of the devices, in order), `stop`. It answers with a JSON object every half second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import sys
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edged import __version__
from edged.config.cameras import CameraConfig
from edged.config.mqtt import MqttConfig
from edged.events import Events
from edged.home_assistant.device import CameraEntities, Device, WatchedLabel
from edged.home_assistant.discovery import announce, discovery_payload
from edged.labeling.label import Label, ModelRef, Result, Timing
from edged.mqtt.client import MqttClient
from edged.mqtt.messages import label_payload
from edged.threads import in_thread

MODEL: Final = ModelRef("base", "1.0.0", "sha256:" + 64 * "0")
RULE: Final = {"on": 0.5, "off": 0.4, "hold_on": 0, "hold_off": 0}
SLUGS: Final = {f"Label {number}": f"label-{number}" for number in range(10)}
REPORT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to be: devices `first` to `first + count - 1`, an event of each every `period` seconds."""

    folder: str
    first: int
    count: int
    servers: list[str]
    period: float


@dataclass(frozen=True, slots=True)
class Report:
    """How the devices are at one time. All times are monotonic, from the same clock in every process.

    `first`, `last`: when the device connected whose present connection is the oldest, and the newest.
    """

    at: float
    connected: int
    waiting: int
    protocol: str | None
    first: float
    last: float


class Simulated:
    """One device, which goes on where it stopped."""

    def __init__(self, order: Order, number: int) -> None:
        self.name = f"d{number:05d}"
        self.last = 0.0
        self._state = Path(order.folder) / self.name
        # Each begins with another node, as an operator would have them.
        turn = number % len(order.servers)
        self._mqtt = MqttConfig.model_validate({"servers": [*order.servers[turn:], *order.servers[:turn]]})
        self._going = False
        self._stopping = asyncio.Event()
        self._period = order.period
        self.client: MqttClient | None = None
        self.events: Events | None = None

    def go(self, *, going: bool) -> None:
        """Have events happen, or not."""
        self._going = going

    def stop(self) -> None:
        """Let `live` return."""
        self._stopping.set()

    async def live(self) -> None:
        """From start to stop."""
        self._stopping.clear()
        client = MqttClient(self._mqtt, self.name, logging.getLogger("edged"))
        client.on_state_change = lambda: self._note(client)
        client.subscribe(client.topics.any_setting, lambda _: None)
        client.subscribe(client.topics.model_set, lambda _: None)
        cameras = {"a": CameraConfig.model_validate({"source": "picamera", "presence": {"*": RULE}})}
        labels = tuple(WatchedLabel(text, slug) for text, slug in SLUGS.items())
        device = Device(self.name, __version__, (CameraEntities("a", 60, labels, events=True),), ("base",))
        announced = announce(device, "homeassistant", None)
        client.publish(announced.topic, discovery_payload(device, announced.present, {}), qos=1, retain=True)
        events = Events(client, self._state, cameras, lambda: None)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(client.run())
            tasks.create_task(in_thread(events.run, "events"))
            events.use(SLUGS, MODEL)
            self.client, self.events = client, events
            changing = tasks.create_task(self._change(client, events))
            await self._stopping.wait()
            changing.cancel()
            await events.stop()
            await client.stop()

    def _note(self, client: MqttClient) -> None:
        if client.state().connected:
            self.last = time.monotonic()

    async def _change(self, client: MqttClient, events: Events) -> None:
        """One label comes or goes, at random moments."""
        present: set[str] = set()
        while True:
            await asyncio.sleep(random.uniform(0, 2 * self._period))  # noqa: S311  not a secret
            if not self._going:
                continue
            present ^= {random.choice(list(SLUGS))}  # noqa: S311  as above
            labels = tuple(Label(text, 0.9, 0) for text in sorted(present))
            result = Result("a", datetime.now(UTC), 1, labels, MODEL, "cpu", Timing(0.3, 4.0, 5.0), labels)
            client.publish(client.topics.labels("a"), label_payload(result))
            events.offer(result, time.monotonic())


async def report(devices: list[Simulated]) -> None:
    """Say how they are, again and again."""
    while True:
        states = [device.client.state() for device in devices if device.client is not None]
        waiting = sum(device.events.health().waiting for device in devices if device.events is not None)
        found = Report(
            at=time.monotonic(),
            connected=sum(state.connected for state in states),
            waiting=waiting,
            protocol=next((state.protocol for state in states if state.protocol), None),
            first=min(device.last for device in devices),
            last=max(device.last for device in devices),
        )
        print(json.dumps(asdict(found)), flush=True)
        await asyncio.sleep(REPORT_SECONDS)


async def keep(device: Simulated, ending: asyncio.Event) -> None:
    """Have a device live again after each stop, until the end."""
    while not ending.is_set():
        await device.live()


async def obey(devices: list[Simulated], words: asyncio.StreamReader, ending: asyncio.Event) -> None:
    """Until `stop`, or the end of the standard input."""
    while (word := (await words.readline()).decode("ascii").strip()) not in {"stop", ""}:
        if word == "restart":
            for device in devices[:: max(1, min(10, len(devices)))]:
                device.stop()
        else:
            for device in devices:
                device.go(going=word == "go")
    ending.set()
    for device in devices:
        device.stop()


async def serve(order: Order) -> None:
    """All of it."""
    devices = [Simulated(order, number) for number in range(order.first, order.first + order.count)]
    words: asyncio.StreamReader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    ending = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        reporting = tasks.create_task(report(devices))
        living = [tasks.create_task(keep(device, ending)) for device in devices]
        await obey(devices, words, ending)
        await asyncio.wait(living)
        reporting.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    threading.stack_size(256 * 1024)  # there are two or three threads for each device
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Order(**json.loads(sys.argv[1]))))
