"""Those parts of the daemon that the page asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.config import Config
    from edged.events import Events
    from edged.health import HealthReporter
    from edged.live_cameras import LiveCameras
    from edged.mqtt.client import MqttClient
    from edged.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Parts:
    """All of them live on the daemon's event loop."""

    config: Config
    mqtt: MqttClient
    cameras: LiveCameras
    events: Events
    pipeline: Pipeline
    reporter: HealthReporter
