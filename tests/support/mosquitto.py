"""A real mosquitto that a test can kill, freeze and restart, and somebody who listens to it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edged.config.mqtt import MqttConfig
from edged.mqtt.client import MqttClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
ANYBODY = ("allow_anonymous true",)


def keeps(folder: Path) -> list[str]:
    """Lines with which it keeps sessions and what is retained through a SIGKILL, but for the last second."""
    return [*ANYBODY, "persistence true", "autosave_interval 1", f"persistence_location {folder}/"]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def until(true: Callable[[], bool], timeout: float = 5.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


async def soon(true: Callable[[], bool], timeout: float = 5.0) -> None:  # noqa: ASYNC109  it fails, and cancels nothing
    """Wait until something is true, and let the event loop run meanwhile."""
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


def make_client(port: int, device: str = "porch-pi", **settings: object) -> MqttClient:
    """A client for a broker on loopback. It logs as `edged.mqtt`."""
    config = MqttConfig.model_validate({"host": HOST, "port": port, **settings})
    return MqttClient(config, device, logging.getLogger("edged.mqtt"))


@contextlib.asynccontextmanager
async def running(client: MqttClient) -> AsyncIterator[MqttClient]:
    """The client at work, stopped in order at the end."""
    async with asyncio.TaskGroup() as group:
        group.create_task(client.run(), name="mqtt")
        try:
            yield client
        finally:
            await client.stop()


class Mosquitto:
    """The broker, on loopback. Without persistence: a restart loses what was retained.

    Args:
        folder: for its configuration and its log.
        port: any free one where none is given.
        lines: of its configuration.
        host: where it listens.
        within: a command that runs it, such as `ip netns exec …`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        lines: Sequence[str] = ANYBODY,
        host: str = HOST,
        within: Sequence[str] = (),
    ) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            pytest.skip("mosquitto is not installed (apt install mosquitto)")
        self.port = port or free_port()
        self.host = host
        self._log_file = folder / f"mosquitto-{self.port}.log"
        configuration = folder / f"mosquitto-{self.port}.conf"
        # Started as root it would change to a user who cannot read the test's files.
        text = [f"user {getpass.getuser()}", f"listener {self.port} {host}", "log_type all", *lines]
        configuration.write_text("\n".join([*text, ""]))
        self._command = [*within, program, "-c", str(configuration)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self._listens)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: the kernel still takes connections and bytes, and nobody reads them."""
        self._signal(signal.SIGSTOP)

    def reload(self) -> None:
        """SIGHUP: it reads passwords and access lists anew."""
        self._signal(signal.SIGHUP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(number)
        self._signal(signal.SIGCONT)  # a frozen one takes SIGTERM only then
        self._process.wait(timeout=5)
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended:\n{self.log}"
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
            return True
        return False


@dataclass(frozen=True)
class Received:
    """One message as a subscriber saw it."""

    topic: str
    payload: bytes
    retained: bool


class Subscriber:
    """An MQTT 3.1.1 client that keeps everything it gets. It reconnects, so it outlives a broker's restart.

    Args:
        port: of the broker.
        topic: or a filter.
        session: a name under which the broker keeps what comes while it is away.
        login: user and password.
    """

    def __init__(
        self, port: int, topic: str = "edged/#", *, session: str = "", login: tuple[str, str] | None = None
    ) -> None:
        self.received: list[Received] = []
        self._topic = topic
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=session, clean_session=not session)
        if login is not None:
            self._client.username_pw_set(*login)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect_async(HOST, port, keepalive=60)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(5), "no subscription"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, topic: str) -> list[bytes]:
        """The payloads that came on one topic, in order."""
        return [message.payload for message in list(self.received) if message.topic == topic]

    def send(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish something, as who commands a device does."""
        self._client.publish(topic, payload, 1, retain)

    def wait_for(self, right: Callable[[Received], bool], timeout: float = 5.0) -> Received:
        """The first message, earlier or still to come, for which `right` is true."""
        until(lambda: any(map(right, list(self.received))), timeout)
        return next(message for message in self.received if right(message))

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(self._topic, 1)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.received.append(Received(message.topic, bytes(message.payload), message.retain))
