"""The fleet's subscriber, and what it makes of what came."""

from __future__ import annotations

import json
import sys
import threading
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

from live import HOST, say
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE_SECONDS: Final = 180.0  # for its first subscription


class Watcher:
    """A subscriber whose session the broker keeps. It goes to another node where its own dies."""

    def __init__(self, ports: list[int]) -> None:
        self.sequences: dict[str, list[int]] = defaultdict(list)
        self.again: set[tuple[str, int]] = set()  # first came as the broker's own second try
        self.stated = 0
        self._ports = ports
        self._subscribed = threading.Event()
        self._stopping = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="fleet-watcher", clean_session=False)
        self._client.on_connect = lambda client, *_: client.subscribe("edged/+/+/events", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._subscribed.wait(PATIENCE_SECONDS):
            sys.exit("the subscriber does not reach the broker")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._client.disconnect()
        self._thread.join(5)

    def _run(self) -> None:
        turn = len(self._ports) - 1  # not the node that is killed, at first: devices are what is tested
        while not self._stopping.is_set():
            try:
                self._client.connect(HOST, self._ports[turn % len(self._ports)], keepalive=15)
                while not self._stopping.is_set() and self._client.loop(timeout=0.5) == 0:
                    pass
            except OSError:
                pass
            turn += 1
            self._stopping.wait(0.5)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        device, sequence = message.topic.split("/")[1], event["sequence"]
        if message.dup and sequence not in self.sequences[device]:
            self.again.add((device, sequence))
        self.sequences[device].append(sequence)
        if event["event_type"] == "lost":
            self.stated += event["count"]


def missing(watcher: Watcher, last: Mapping[str, int]) -> int:
    """How many events the subscriber does not have."""
    return sum(len(set(range(1, count + 1)) - set(watcher.sequences.get(device, []))) for device, count in last.items())


def judge(watcher: Watcher, last: Mapping[str, int]) -> dict[str, int]:
    """What the subscriber has of what the devices' files count."""
    events = disordered = by_broker = duplicates = 0
    for device, count in last.items():
        seen = list(watcher.sequences.get(device, []))
        firsts = list(dict.fromkeys(seen))
        events += count
        for earlier, later in pairwise(firsts):
            if later < earlier:
                late = (device, later) in watcher.again
                disordered, by_broker = disordered + (not late), by_broker + late
                say(f"fleet: {device}: {later} came after {earlier}{', sent before as the broker says' * late}")
        duplicates += len(seen) - len(firsts)
    return {
        "events": events,
        "lost": missing(watcher, last),
        "out_of_order": disordered,
        "out_of_order_by_broker": by_broker,
        "duplicates": duplicates,
    }
