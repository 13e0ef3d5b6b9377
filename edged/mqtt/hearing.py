"""What a connection hears: asks for what the device listens to, and has the event loop told of what comes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from edged.mqtt.ending import in_words
from edged.mqtt.incoming import read_message, subscription
from edged.mqtt.retry import Backoff

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edged.mqtt.incoming import Incoming, Subscription
    from edged.mqtt.once import Once

LEAST_S, FIRST_S, MOST_S = 5.0, 10.0, 300.0  # until what was refused is asked for again, at random between
_MOST_UNHEARD: Final = 100  # messages that wait for the event loop; a flood of commands must not fill the memory
_SUBSCRIBE, _RETAINED = "subscribe", "retained"  # kinds of what `Once` says


class Hearing:
    """For the connection's own thread.

    Args:
        subscriptions: what to ask the broker for, and who is told.
        tell: has the event loop call something.
        logger: for what is dropped.
        once: for what is refused, or ignored.
    """

    def __init__(
        self,
        subscriptions: Mapping[str, Subscription],
        tell: Callable[..., None],
        logger: logging.Logger,
        once: Once,
    ) -> None:
        self._subscriptions = subscriptions
        self._tell = tell
        self._log = logger
        self._once = once
        self._unheard = threading.Semaphore(_MOST_UNHEARD)
        self._asked: dict[int, list[str]] = {}  # by message id
        self._refused: list[str] = []
        self._again_at = 0.0
        self._backoff = Backoff(least=LEAST_S, first=FIRST_S, most=MOST_S)

    def begin(self, client: Client) -> None:
        """The broker has accepted us."""
        self._ask(client, list(self._subscriptions))

    def tick(self, client: Client, now: float) -> None:
        """Time goes by (monotonic): ask again for what was refused. A cluster in trouble does so, and ACLs change."""
        if self._refused and now >= self._again_at:
            refused, self._refused = self._refused, []
            self._ask(client, refused)

    def _ask(self, client: Client, topics: list[str]) -> None:
        if topics:
            _, mid = client.subscribe([(topic, 1) for topic in topics])
            if mid is not None:
                self._asked[mid] = topics

    def on_subscribe(
        self, _client: Client, _data: object, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        """Paho's callback: the broker's answer to what was asked."""
        for topic, code in zip(self._asked.pop(mid, []), codes, strict=False):
            if code.is_failure:
                advice = "does its ACL allow that? It is asked again from time to time"
                text = (
                    f"the broker does not let this device subscribe to {topic}: {in_words(code, properties)}; {advice}"
                )
                self._once.warn(_SUBSCRIBE, topic, text)
                self._refused.append(topic)
            else:
                self._once.over(_SUBSCRIBE, topic, f"the broker lets this device subscribe to {topic}")
        if self._refused:
            self._again_at = time.monotonic() + self._backoff.next()

    def on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        """Paho's callback: somebody has published something."""
        try:
            found = subscription(self._subscriptions, message.topic)
        except ValueError:  # a topic that is not UTF-8
            return
        if found is None:
            return
        if message.retain and not found.retained:
            text = f"a retained command at {message.topic!r} is ignored; publish it without retain"
            self._once.warn(_RETAINED, message.topic, text)
        elif self._unheard.acquire(blocking=False):
            self._tell(self._hear, found, read_message(message))
        else:
            self._log.debug("mqtt: too many messages at once; one at %r is dropped", message.topic)

    def _hear(self, found: Subscription, incoming: Incoming) -> None:
        """On the event loop."""
        self._unheard.release()
        found.handler(incoming)
