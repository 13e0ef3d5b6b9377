"""A visit to a broker by somebody who is no device: `edged watch`, `edged doctor`. One connection, no last will.

Everything happens in the thread that calls; nothing here tries again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edged.mqtt.ending import Cause, Ending, farewell, in_words, refusal, unreachable
from edged.mqtt.transport import Version, plain_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from edged.config.addresses import Server
    from edged.config.mqtt import MqttConfig

ANSWER_S: Final = 5.0
MOST_PACKET: Final = 256 * 1024  # MQTT 5: the broker keeps larger ones to itself
_GUESS_S: Final = 2.0  # as edged/mqtt/client.py's: where MQTT 3.1.1 is next
_TURN_S: Final = 0.5

Heard = Callable[[str, bytes], None]


def visit(
    config: MqttConfig, address: Server, name: str, filters: Sequence[str] = (), heard: Heard | None = None
) -> tuple[Visit, Ending | None]:
    """A visit that has begun, in the first version of MQTT that the broker speaks; or how it ended before that.

    Args:
        config: user, password, TLS, versions.
        address: where the broker is.
        name: what the client id begins with.
        filters: what is asked for.
        heard: called with topic and payload of each message, within `Visit.serve`.
    """
    versions: tuple[Version, ...] = ("5", "3.1.1") if config.protocol == "auto" else (config.protocol,)
    ending: Ending | None = None
    for version in versions:
        one = Visit(config, address, version, name, filters, heard)
        ending = one.connect(_GUESS_S if version != versions[-1] else ANSWER_S)
        if ending is None or ending.cause not in {Cause.VERSION, Cause.UNANSWERED}:
            break
    return one, ending


class Visit:
    """One connection. Attributes: version, the MQTT that it speaks; denied, what the broker says to filters."""

    def __init__(  # noqa: PLR0913, PLR0917  made in one place
        self,
        config: MqttConfig,
        address: Server,
        version: Version,
        name: str,
        filters: Sequence[str],
        heard: Heard | None,
    ) -> None:
        self.version: Version = version
        self.denied: str | None = None
        self._config = config
        self._address = address
        self._id = f"{name}-{secrets.token_hex(4)}"
        self._filters = filters
        self._heard = heard
        self._client: Client | None = None
        self._since: float | None = None
        self._ending: Ending | None = None

    def connect(self, seconds: float) -> Ending | None:
        """Until the broker has let us in (None), or how it did not."""
        try:
            client = plain_client(self._config, self._id, self.version)
            client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
            client.on_subscribe, client.on_message = self._on_subscribe, self._on_message
            properties = None
            if self.version == "5":
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.MaximumPacketSize = MOST_PACKET
            client.connect(
                self._address.host,
                self._address.port,
                keepalive=max(1, round(self._config.keepalive)),
                properties=properties,
            )
        except (OSError, ValueError, IndexError) as error:  # the last two: names and websocket answers beyond reading
            return unreachable(error)
        self._client = client
        deadline = time.monotonic() + seconds
        while self._since is None:
            if (ending := self.serve()) is not None:
                self.close()
                return ending
            if time.monotonic() > deadline:
                self.close()
                return Ending(Cause.UNANSWERED, "it takes the connection and does not answer")
        return None

    def serve(self, seconds: float = _TURN_S) -> Ending | None:
        """Hear what comes, for that long at most; how the connection has ended, if it has."""
        if self._client is None:
            return Ending(Cause.STOPPED, "stopped")
        try:
            code = self._client.loop(seconds)
        except Exception as error:  # noqa: BLE001  paho's parser raises what it likes on what is not MQTT
            return self._lost(f"what it sends is not MQTT ({type(error).__name__}: {error})")
        if self._ending is not None:
            return self._ending
        return None if code == MQTTErrorCode.MQTT_ERR_SUCCESS else self._lost("the connection broke")

    def close(self) -> None:
        """Leave. Never waits."""
        if self._client is not None:
            self._client.disconnect()
            if (sock := self._client.socket()) is not None:
                sock.close()
            self._client = None

    def _lost(self, reason: str) -> Ending:
        if self._since is None:
            return Ending(Cause.UNANSWERED, reason)
        return Ending(Cause.LOST, reason, time.monotonic() - self._since)

    # paho's callbacks, within `serve`.

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._ending = refusal(code, properties)
            return
        self._since = time.monotonic()
        if self._filters:
            # QoS 0, as a broker holds back only so many of QoS 1 (mosquitto: 1,000), fewer than a fleet has topics.
            client.subscribe([(topic, 0) for topic in self._filters])

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if self._ending is not None:
            return
        if flags.is_disconnect_packet_from_server:
            lasted = 0.0 if self._since is None else time.monotonic() - self._since
            self._ending = farewell(code, properties, self._id, lasted)
        elif code.getName() == "Keep alive timeout":
            self._ending = self._lost(f"no answer for {self._config.keepalive:g} s")
        else:
            self._ending = self._lost("the broker closes the connection")

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        words = [in_words(code, properties) for code in codes if code.is_failure]
        self.denied = words[0] if words else None

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except ValueError:  # it is not UTF-8
            topic = "\N{REPLACEMENT CHARACTER}"
        if self._heard is not None:
            self._heard(topic, bytes(message.payload))
