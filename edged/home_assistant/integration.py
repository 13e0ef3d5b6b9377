"""Home Assistant's part of a configuration: made, and told of what the other parts know."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Final

from edged import __version__
from edged.home_assistant.announcer import Announcer, withdraw
from edged.home_assistant.device import Device, cameras_of, page_address
from edged.models.package import BASE
from edged.models.store import Store
from edged.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from edged.config import Config
    from edged.events import Events
    from edged.live_cameras import LiveCameras
    from edged.mqtt.client import MqttClient
    from edged.pipeline import Pipeline

NAMES_S: Final = 30.0  # how long the names of models stand


class _Describer:
    """Gathers what there is to say of the device, on the event loop."""

    def __init__(self, config: Config, cameras: LiveCameras, events: Events, pipeline: Pipeline) -> None:
        self._config = config
        self._cameras = cameras
        self._events = events
        self._pipeline = pipeline
        self._names: tuple[str, ...] = ()
        self._names_for: tuple[str, float] | None = None

    async def __call__(self) -> Device | None:
        """The device as it is now; None before a model labels, as it is not known by then what is watched."""
        classifier, known = self._pipeline.classifier, self._events.watched()
        if classifier is None or known is None:
            return None
        page = page_address(self._config.web, socket.gethostname())
        models = await self._models(classifier.ref.name)
        return Device(self._config.device, __version__, cameras_of(self._cameras.file, known), models, page)

    async def _models(self, present: str) -> tuple[str, ...]:
        now = time.monotonic()
        if self._names_for is None or self._names_for[0] != present or now - self._names_for[1] > NAMES_S:
            entries = await in_thread(Store(self._config.state).entries, "home assistant")
            self._names = (BASE, *sorted({present, *(entry.record.name for entry in entries)} - {BASE}))
            self._names_for = (present, now)
        return self._names


def show_home_assistant(
    config: Config, mqtt: MqttClient, cameras: LiveCameras, events: Events, pipeline: Pipeline
) -> Coroutine[None, None, None]:
    """What runs for as long as the daemon does, so that Home Assistant knows it. Before the connection runs."""
    settings = config.home_assistant
    if not settings.discovery:
        return withdraw(mqtt, config.state)
    describe = _Describer(config, cameras, events, pipeline)
    return Announcer(mqtt, settings.prefix, config.state, describe).run()
