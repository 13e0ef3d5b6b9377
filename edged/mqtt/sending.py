"""What a connection sends: taken from the queue, no more at once than the broker wants, until it is acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.mqtt.ending import NOT_AUTHORISED, in_words
from edged.mqtt.properties import packed
from edged.mqtt.transport import WINDOW

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from paho.mqtt.client import Client
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edged.mqtt.once import Once
    from edged.mqtt.outgoing import Message, Outgoing
    from edged.mqtt.transport import Version

_AROUND_BYTES: Final = 16  # of a PUBLISH, around topic, properties and payload
_KIND: Final = "publish"  # of what `Once` says


class Sending:
    """For the connection's own thread, but for `in_flight`."""

    def __init__(self, outgoing: Outgoing, version: Version, logger: logging.Logger, once: Once) -> None:
        self._outgoing = outgoing
        self._version = version
        self._log = logger
        self._once = once
        self._in_flight: dict[int, Message] = {}
        self._window = 0
        self._largest: int | None = None  # packet that the broker takes, in bytes
        self._told: list[Callable[[], None]] = []

    @property
    def in_flight(self) -> int:
        """How many messages paho holds. From any thread."""
        return len(self._in_flight)

    def begin(self, properties: Properties | None) -> None:
        """The broker has accepted us; its CONNACK had these properties."""
        # A broker ends the connection of who sends more than it wants to hold unacknowledged.
        self._window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self._largest = getattr(properties, "MaximumPacketSize", None)
        self._outgoing.renew()

    def may_send(self) -> bool:
        """Whether there is something to send, and room for it."""
        return len(self._in_flight) < self._window and len(self._outgoing) > 0

    def pump(self, client: Client) -> None:
        """Send what may be sent."""
        while self.may_send() and (message := self._outgoing.take()) is not None:
            try:
                self._publish(client, message)
            except ValueError as error:  # a topic or size that MQTT does not have must not end the connection
                self._log.error("mqtt: a message for %r cannot be published: %s", message.topic, error)

    def on_publish(
        self, _client: Client, _data: object, mid: int, code: ReasonCode, properties: Properties | None
    ) -> None:
        """Paho's callback: written (QoS 0), acknowledged or refused (QoS 1)."""
        message = self._in_flight.pop(mid, None)
        if message is None:
            return
        if code.is_failure:
            advice = "; its ACL has to allow that" if code.value == NOT_AUTHORISED else ""
            self._refuse(message, f"{in_words(code, properties)}{advice}")
            return
        self._outgoing.acknowledged(message)
        if message.qos > 0:
            self._once.over(_KIND, message.topic, f"the broker takes {message.topic} again")
        if message.acknowledged is not None:
            self._told.append(message.acknowledged)

    def tell(self) -> None:
        """Tell those who wait what has become of their messages."""
        for told in self._told:
            told()
        self._told.clear()

    def end(self) -> None:
        """The connection has ended: what has not got out goes back."""
        self._outgoing.give_back(self._in_flight.values())
        self._in_flight.clear()

    def _publish(self, client: Client, message: Message) -> None:
        about = None if message.about is None or self._version != "5" else packed(message.about)
        if self._largest is not None:
            around = _AROUND_BYTES + (0 if about is None else len(about.pack()))  # type: ignore[no-untyped-call]
            size = len(message.payload) + len(message.topic.encode()) + around
            if size > self._largest:  # it would end the connection, and be sent again on the next one
                self._refuse(message, f"{size} bytes, and it takes {self._largest}")
                return
        sent = client.publish(message.topic, message.payload, message.qos, message.retain, about)
        self._in_flight[sent.mid] = message

    def _refuse(self, message: Message, why: str) -> None:
        self._once.warn(_KIND, message.topic, f"the broker does not take {message.topic}: {why}")
        told = message.acknowledged if message.refused is None else message.refused
        if told is not None:
            self._told.append(told)
