"""Obeys commands about cameras and inference: one after the other, each answered once it is done and kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.errors import EdgedError
from edged.mqtt.command_messages import parse_inference_command, parse_setting
from edged.settings import write_settings
from edged.threads import in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from edged.answers import Answers, Reply
    from edged.live_cameras import LiveCameras
    from edged.mqtt.client import MqttClient
    from edged.mqtt.command_messages import SettingCommand
    from edged.mqtt.incoming import Incoming

log = logging.getLogger(__name__)

MOST_WAITING: Final = 32
RESTART: Final = "inference/set"
Work = Callable[[], Coroutine[None, None, None]]


class Commands:
    """Made on the event loop, before the connection runs.

    Args:
        mqtt: where commands come in.
        answers: how they are answered.
        cameras: whose settings are changed.
        restart: starts inference anew; does not wait for it.
        state: the folder in which settings are kept.
    """

    def __init__(
        self, mqtt: MqttClient, answers: Answers, cameras: LiveCameras, restart: Callable[[], None], state: Path
    ) -> None:
        self._answers = answers
        self._cameras = cameras
        self._restart = restart
        self._state = state
        self._kept: bytes | None = None
        self._prefix = f"{mqtt.topics.prefix}/"
        self._waiting: asyncio.Queue[tuple[Work, Reply]] = asyncio.Queue(MOST_WAITING)
        cameras.dropped = self._forget
        mqtt.subscribe(mqtt.topics.inference_set, self._inference)
        mqtt.subscribe(mqtt.topics.any_setting, self._setting)

    async def run(self) -> None:
        """For as long as the daemon lives."""
        while True:
            work, reply = await self._waiting.get()
            try:
                await work()
            except (EdgedError, RuntimeError) as error:
                reply(str(error))
            else:
                reply(None)

    async def _start_anew(self) -> None:
        log.info("inference is started anew, as commanded")
        self._restart()

    async def _change(self, command: SettingCommand) -> None:
        self._cameras.change(command)
        value = "as in the configuration" if command.value is None else command.value
        log.info("camera %s: %s is now %s, as commanded", command.camera, command.setting, value)
        try:
            await self._keep()
        except EdgedError as error:
            raise EdgedError(f"it applies, and does not outlive a restart: {error}") from error

    async def _keep(self) -> None:
        data = self._cameras.settings.to_json()
        if data != self._kept:  # a memory card lives longer where the same command again and again writes nothing
            await in_thread(partial(write_settings, self._state, data), "settings")
            self._kept = data

    def _forget(self) -> None:
        """The file has taken settings back."""
        self._put(self._keep, lambda error: None if error is None else log.warning("settings: %s", error))

    def _inference(self, incoming: Incoming) -> None:
        reply = self._answers.take(RESTART, incoming)
        if reply is None:
            return
        try:
            parse_inference_command(incoming.payload)
        except EdgedError as error:
            reply(str(error))
        else:
            self._put(self._start_anew, reply)

    def _setting(self, incoming: Incoming) -> None:
        name = incoming.topic.removeprefix(self._prefix)
        reply = self._answers.take(name, incoming)
        if reply is None:
            return
        camera, _, setting = name.partition("/set/")
        try:
            command = parse_setting(camera, setting, incoming.payload)
        except EdgedError as error:
            reply(str(error))
        else:
            self._put(partial(self._change, command), reply)

    def _put(self, work: Work, reply: Reply) -> None:
        try:
            self._waiting.put_nowait((work, reply))
        except asyncio.QueueFull:
            reply("too many commands at once; wait for the results of the others")
