"""The cameras that run now: those of the file, with what was changed over MQTT; pipeline and fleet are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.errors import UsageError
from edged.fleet import views
from edged.mqtt.command_messages import settings_payload
from edged.settings import said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edged.config import CameraConfig
    from edged.fleet import Fleet
    from edged.mqtt.client import MqttClient
    from edged.mqtt.command_messages import SettingCommand
    from edged.pipeline import Pipeline
    from edged.settings import Settings


class LiveCameras:
    """For the event loop's thread.

    Args:
        settings: what was changed.
        pipeline: labels their frames.
        fleet: reads them.
        mqtt: where it is told what applies.
        apply: who else is told of the file's cameras, once they are taken on.

    Attributes:
        file: the cameras of the configuration.
        settings: see above.
        dropped: called when the file has taken settings back.
    """

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        fleet: Fleet,
        mqtt: MqttClient,
        apply: Iterable[Callable[[Mapping[str, CameraConfig]], None]] = (),
    ) -> None:
        self.settings = settings
        self.dropped: Callable[[], None] = lambda: None
        self._pipeline = pipeline
        self._fleet = fleet
        self._mqtt = mqtt
        self._apply = tuple(apply)
        self._told: dict[str, bytes] = {}
        self.file: dict[str, CameraConfig] = {}

    @property
    def off(self) -> list[str]:
        """Cameras that are switched off."""
        return [name for name in self.file if name not in self._fleet.cameras]

    def take_on(self, cameras: Mapping[str, CameraConfig]) -> list[str]:
        """The file has these cameras now. Returns what was done, in words.

        Raises:
            RuntimeError: the system gives no thread for a camera; it, and those after it, are what they were.
        """
        if self.settings.reconcile(cameras):
            self.dropped()
        done = self._run(self.settings.over(cameras))
        self.file = dict(cameras)
        for tell in self._apply:
            tell(cameras)
        self.tell()
        return done

    def change(self, command: SettingCommand) -> None:
        """Change a setting.

        Raises:
            UsageError: there is no such camera.
            RuntimeError: as for `take_on`.
        """
        config = self.file.get(command.camera)
        if config is None:
            raise UsageError(f"no camera {command.camera[:64]!r}; there are {', '.join(self.file)}")
        before = self.settings.applied(command.camera, config)
        self.settings.set(command.camera, command.setting, command.value, config)
        try:
            self._run(self.settings.over(self.file))
        except RuntimeError:
            self.settings.set(command.camera, command.setting, before.get(command.setting), config)
            raise
        self.tell()

    def tell(self) -> None:
        """Publish what applies, where that is news; another model may have another threshold."""
        classifier = self._pipeline.classifier
        threshold = None if classifier is None else classifier.threshold
        told = {
            self._mqtt.topics.settings(name): settings_payload(
                self.settings.applied(name, config), said(config), threshold
            )
            for name, config in self.file.items()
        }
        gone = {topic: b"" for topic in self._told if topic not in told}
        for topic, payload in {**told, **gone}.items():
            if self._told.get(topic) != payload:
                self._mqtt.publish(topic, payload, qos=1, retain=True)
        self._told = told

    def _run(self, cameras: Mapping[str, CameraConfig]) -> list[str]:
        self._pipeline.set_views(views(cameras))
        try:
            return self._fleet.apply(cameras)
        except RuntimeError:
            self._pipeline.set_views(views(self._fleet.configs))
            raise
