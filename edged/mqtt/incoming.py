"""What comes in: a message that somebody has published where this device listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import topic_matches_sub

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paho.mqtt.client import MQTTMessage

MOST_BYTES: Final = 65536  # of a payload; no command has as many
MOST_CORRELATION: Final = 1024
MOST_TOPIC: Final = 512


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message to this device.

    Attributes:
        topic: where it was published.
        payload: its bytes, cut off after `MOST_BYTES`.
        response_topic: where its sender wants the answer (MQTT 5); None where it names none that can be published to.
        correlation: what the answer is to carry back.
        answered: told why it failed, if it is a command (None: it is done), where it did not come in over MQTT.
    """

    topic: str
    payload: bytes
    response_topic: str | None = None
    correlation: bytes | None = None
    answered: Callable[[str | None], None] | None = None


Handler = Callable[[Incoming], None]
"""Called on the event loop."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told. `retained`: also of what the broker has kept, which for a command was for another day."""

    handler: Handler
    retained: bool = False


def subscription(subscriptions: Mapping[str, Subscription], topic: str) -> Subscription | None:
    """The first whose filter takes the topic."""
    exact = subscriptions.get(topic)
    if exact is not None:
        return exact
    return next((each for pattern, each in subscriptions.items() if topic_matches_sub(pattern, topic)), None)


def read_message(message: MQTTMessage) -> Incoming:
    """What paho has received."""
    properties = message.properties
    response = getattr(properties, "ResponseTopic", None)
    correlation = getattr(properties, "CorrelationData", None)
    if not isinstance(response, str) or not 0 < len(response) <= MOST_TOPIC or not _publishable(response):
        response = None
    if not isinstance(correlation, bytes) or len(correlation) > MOST_CORRELATION:
        correlation = None
    return Incoming(message.topic, bytes(message.payload[:MOST_BYTES]), response, correlation)


def _publishable(topic: str) -> bool:
    return not topic.startswith("$") and not any(character in topic for character in "+#\0")
