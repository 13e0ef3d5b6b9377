"""Shows the device to Home Assistant when it connects, when something changes, and when Home Assistant comes up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.errors import EdgedError
from edged.home_assistant.discovery import (
    Announced,
    announce,
    discovery_payload,
    read_announced,
    write_announced,
)
from edged.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from edged.home_assistant.device import Device
    from edged.mqtt.client import MqttClient
    from edged.mqtt.incoming import Incoming

log = logging.getLogger(__name__)

BIRTH: Final = "homeassistant/status"
"""Where Home Assistant says `online` by default, whatever its discovery's prefix."""
LOOK_S: Final = 2.0
# Home Assistant loses a second, different message while it still works on the first.
SETTLE_S: Final = 5.0
JITTER_S: Final = 3.0  # a house may have many devices


class Announcer:
    """Made on the event loop, before the connection runs.

    Args:
        mqtt: the way there. What is retained goes out on every connection by itself.
        prefix: of discovery topics.
        state: where it is remembered what was announced.
        describe: gives the device as it is now; None while too little is known of it.
    """

    def __init__(
        self, mqtt: MqttClient, prefix: str, state: Path, describe: Callable[[], Awaitable[Device | None]]
    ) -> None:
        self._mqtt = mqtt
        self._prefix = prefix
        self._state = state
        self._describe = describe
        self._born = asyncio.Event()
        self._announced: Announced | None = None
        self._device: Device | None = None
        for topic in {BIRTH, f"{prefix}/status"}:
            mqtt.subscribe(topic, self._status, retained=True)

    async def run(self) -> None:
        """For as long as the daemon lives."""
        self._announced = await in_thread(partial(read_announced, self._state), "home assistant")
        while True:
            device = await self._describe()
            if device is not None and device != self._device:
                await self._announce(device)
            if self._born.is_set() and self._device is not None:
                self._born.clear()
                await asyncio.sleep(random.uniform(0.0, JITTER_S))  # noqa: S311  jitter
                await self._welcome(self._device)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._born.wait()

    async def _announce(self, device: Device) -> None:
        before = self._announced
        announced = announce(device, self._prefix, before)
        if before is not None and before.topic != announced.topic:  # another name, or another prefix
            self._mqtt.publish(before.topic, b"", qos=1, retain=True)
        self._publish(announced.topic, discovery_payload(device, announced.present, announced.gone))
        self._device = device
        await self._remember(announced)
        await self._settle()

    async def _welcome(self, device: Device) -> None:
        """Home Assistant has come up: tell it all once more, then the states.

        What went while it was down it still has, and takes away only what it has been told of in this life of its own:
        so it is told of it first.
        """
        announced = self._announced
        if announced is None:
            return
        if announced.gone:
            self._publish(announced.topic, discovery_payload(device, announced.present | announced.gone, {}))
            await asyncio.sleep(SETTLE_S)
        self._publish(announced.topic, discovery_payload(device, announced.present, announced.gone))
        await self._remember(Announced(announced.topic, announced.present))
        await self._settle()

    async def _settle(self) -> None:
        """Leave Home Assistant the time to take it on, then repeat every state: it may have come too early."""
        await asyncio.sleep(SETTLE_S)
        self._mqtt.repeat()

    async def _remember(self, announced: Announced) -> None:
        if announced == self._announced:
            return
        self._announced = announced
        try:
            await in_thread(partial(write_announced, self._state, announced), "home assistant")
        except EdgedError as error:
            log.warning("home assistant: entities that go will not be taken away after a restart: %s", error)

    def _publish(self, topic: str, payload: bytes) -> None:
        self._mqtt.publish(topic, payload, qos=1, retain=True)

    def _status(self, incoming: Incoming) -> None:
        if incoming.payload == b"online":
            self._born.set()


async def withdraw(mqtt: MqttClient, state: Path) -> None:
    """Discovery is switched off: take away what was announced before."""
    announced = await in_thread(partial(read_announced, state), "home assistant")
    if announced is None:
        return
    mqtt.publish(announced.topic, b"", qos=1, retain=True)
    try:
        await in_thread(partial(write_announced, state, None), "home assistant")
    except EdgedError as error:
        log.warning("home assistant: %s", error)
