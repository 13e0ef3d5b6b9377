"""The daemon's own part for events at work, with results that a test makes up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edged.config.cameras import CameraConfig
from edged.events import Events
from edged.labeling.label import Label, ModelRef, Result, Timing
from edged.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edged.mqtt.client import MqttClient

MODEL = ModelRef("base", "1.0.0", "sha256:" + 64 * "0")
NO_HOLDS = {"on": 0.5, "off": 0.4, "hold_on": 0, "hold_off": 0}


class Sightings:
    """A camera `a` that watches everything; each `flip` is one event."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.made = 0

    def flip(self) -> None:
        """A frame at which the cat has come, or gone."""
        self.made += 1
        labels = (Label("Cat", 0.9, 1),) if self.made % 2 else ()
        result = Result("a", datetime.now(UTC), self.made, labels, MODEL, "cpu", Timing(0.3, 4.0, 5.0), labels)
        self.events.offer(result, time.monotonic())


@contextlib.asynccontextmanager
async def sightings(client: MqttClient, state: Path) -> AsyncIterator[Sightings]:
    """Client and events at work."""
    cameras = {"a": CameraConfig.model_validate({"source": "picamera", "presence": {"*": NO_HOLDS}})}
    events = Events(client, state, cameras, lambda: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run(), name="mqtt")
        tasks.create_task(in_thread(events.run, "events"), name="events")
        events.use({"Cat": "cat"}, MODEL)
        try:
            yield Sightings(events)
        finally:
            await events.stop()
            await client.stop()
