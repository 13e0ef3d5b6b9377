"""The connection's life: connects, falls back, reconnects for ever, says what is wrong, never blocks who publishes.

client = MqttClient(config.mqtt, config.device, logger)
group.create_task(client.run(), name="mqtt")
client.publish(client.topics.health, payload, qos=1, retain=True)  # from any thread
await client.stop()
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.mqtt.connection import Connection
from edged.mqtt.ending import Cause, Ending
from edged.mqtt.incoming import Subscription, subscription
from edged.mqtt.messages import OFFLINE, ONLINE
from edged.mqtt.once import Once
from edged.mqtt.outgoing import Message, Outgoing
from edged.mqtt.report import Report, describe
from edged.mqtt.retry import Retry
from edged.mqtt.transport import Identity, Version

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from edged.config.addresses import Server
    from edged.config.mqtt import MqttConfig
    from edged.mqtt.incoming import Handler, Incoming

_DIAL_S: Final = 10.0  # name, TCP, TLS and websocket together
_ANSWER_S: Final = 5.0  # CONNACK …
_GUESS_S: Final = 2.0  # … where another version is next: amqtt loses itself in an MQTT 5 CONNECT and never answers
_OFFLINE_S: Final = 1.0  # how long the broker has to acknowledge `offline`
_GONE_S: Final = 0.5  # how long a connection's thread has to end
_MAX_STRAGGLERS: Final = 4  # threads that hang in a resolver or a proxy, beyond our reach

_STOPPED: Final = Ending(Cause.STOPPED, "stopped")


@dataclass(frozen=True, slots=True)
class MqttState:
    """The connection at one instant. `reason`: why it is not connected, in words."""

    connected: bool
    protocol: Version | None
    reconnects: int
    queued: int
    dropped: int
    reason: str | None


class MqttClient:
    """One device's way to its broker.

    Attributes:
        topics: the device's topics.
        on_state_change: called on the event loop when `connected`, `protocol` or `reason` of the state changes.
    """

    def __init__(self, config: MqttConfig, device: str, logger: logging.Logger) -> None:
        self._config = config
        self._identity = Identity(device)
        self._log = logger
        self.topics = self._identity.topics
        self.on_state_change: Callable[[], None] | None = None
        self._outgoing = Outgoing()
        self._subscriptions: dict[str, Subscription] = {}
        # The first of what is retained, and therefore the first thing that every connection says.
        self._outgoing.put(Message(self.topics.status, ONLINE, qos=1, retain=True))
        self._stopping = asyncio.Event()
        self._connection: Connection | None = None
        self._stragglers: list[Connection] = []
        self._turn = 0  # which of the addresses
        self._preferred: Version = "5" if config.protocol == "auto" else config.protocol
        self._retry = Retry()
        self._report = Report(logger)
        self._once = Once(logger)
        self._connects = 0
        self._protocol: Version | None = None
        self._reason: str | None = "not connected yet"

    def state(self) -> MqttState:
        """How it is now. From any thread."""
        connection, protocol = self._connection, self._protocol
        return MqttState(
            connected=protocol is not None,
            protocol=protocol,
            reconnects=max(0, self._connects - 1),
            queued=len(self._outgoing) + (0 if connection is None else connection.in_flight),
            dropped=self._outgoing.dropped,
            reason=self._reason,
        )

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send a message as soon as it can be sent. From any thread; never waits for the broker, never raises.

        While the broker is away: of a retained topic the newest message is kept, of all others as many as
        `Outgoing` has room for, and those of QoS 0 for some seconds only. After `stop` nothing is sent.
        """
        self.send(Message(topic, payload, qos, retain))

    def send(self, message: Message) -> None:
        """`publish`, of a message that is to be told of its fate, or is durable."""
        if not self._stopping.is_set():
            self._send(message)

    def subscribe(self, topic: str, handler: Handler, *, retained: bool = False) -> None:
        """Have `handler` called, on the event loop, with what is published there. Before `run`.

        Args:
            topic: or a filter, with `+` or `#`; of two that take a topic, the first one's handler is called.
            handler: told of each message.
            retained: also of what is retained. A command that a broker kept was for another day.
        """
        self._subscriptions[topic] = Subscription(handler, retained)

    def deliver(self, incoming: Incoming) -> None:
        """Hand a message that came in another way (the page) to the part that the broker's would go to.

        So a command is checked and obeyed in one place. On the event loop.
        """
        found = subscription(self._subscriptions, incoming.topic)
        if found is not None:
            found.handler(incoming)

    def repeat(self) -> None:
        """Send everything retained once more: somebody has come who may have missed it."""
        self._outgoing.repeat()
        if (connection := self._connection) is not None:
            connection.wake()

    async def run(self) -> None:
        """Keep a connection for as long as the daemon lives. Returns after `stop`.

        Whatever broker and network do is dealt with here; what is raised is a fault in edged.
        """
        while not self._stopping.is_set():
            ending = await self._round()
            if self._stopping.is_set():
                break
            delay = self._retry.delay(ending)
            self._log.debug("mqtt: next try in %.1f s", delay)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()

    async def stop(self) -> None:
        """Say `offline`, disconnect and let `run` return: within 2 s, whatever the broker does."""
        self._stopping.set()
        if (connection := self._connection) is None:
            return
        if connection.greeted.done():
            said: asyncio.Future[None] = connection.loop.create_future()
            offline = Message(
                self.topics.status,
                OFFLINE,
                qos=1,
                retain=True,
                acknowledged=lambda: connection.tell(said.set_result, None),
            )
            self._send(offline)
            if await _first(said, connection.ended, within=_OFFLINE_S) and said.done():
                connection.close()
                await _first(connection.gone, within=_GONE_S)
        # Where `offline` was not acknowledged there is no DISCONNECT either: so the broker, when it wakes up, sends the
        # last will, which says the same.
        connection.abandon(_STOPPED)
        await _first(connection.gone, within=_GONE_S)

    def _send(self, message: Message) -> None:
        self._outgoing.put(message)
        if (connection := self._connection) is not None:
            connection.wake()

    async def _round(self) -> Ending:
        """Try the addresses in turn until one connects, and stay until that ends."""
        ending = _STOPPED
        for _ in self._config.addresses:
            address = self._config.addresses[self._turn % len(self._config.addresses)]
            ending = await self._try_versions(address)
            # After a connection that was lost too: its node may hang, and take new ones without a word.
            self._turn += 1
            if ending.lasted or self._stopping.is_set():
                break
        return ending

    async def _try_versions(self, address: Server) -> Ending:
        """Try the version that worked last, then at once the other one if it may be the version that is wrong."""
        ending = _STOPPED
        other: Version = "3.1.1" if self._preferred == "5" else "5"
        versions = (self._preferred, other) if self._config.protocol == "auto" else (self._preferred,)
        # A node that keeps silent while its cluster sorts itself out is not one that lacks a version.
        known = self._connects > 0 and len(self._config.addresses) > 1
        doubtful = {Cause.VERSION} if known else {Cause.VERSION, Cause.UNANSWERED}
        for version in versions:
            guess = version == "5" and version != versions[-1] and not known
            patience = _GUESS_S if guess else _ANSWER_S
            ending = await self._attempt(address, version, patience)
            if ending.cause not in doubtful or self._stopping.is_set():
                break
            self._log.debug("mqtt: MQTT %s at %s: %s", version, address, ending.reason)
        ending = self._retry.judge(ending, self._identity.client_id)
        text = describe(address, ending)
        self._report.trouble(ending, text)
        self._set(None, text)
        return ending

    async def _attempt(self, address: Server, version: Version, patience: float) -> Ending:
        self._stragglers = [straggler for straggler in self._stragglers if not straggler.gone.done()]
        if len(self._stragglers) >= _MAX_STRAGGLERS:
            return Ending(Cause.UNREACHABLE, "earlier attempts still hang")
        try:
            connection = Connection(
                self._config,
                self._identity,
                address,
                version,
                self._outgoing,
                self._subscriptions,
                self._log,
                self._once,
            )
            connection.start()
        except (OSError, RuntimeError) as error:  # no descriptor or thread is left; that may pass
            return Ending(Cause.UNREACHABLE, str(error))
        self._connection = connection
        try:
            if not await _first(connection.dialled, connection.ended, within=_DIAL_S):
                return Ending(Cause.UNREACHABLE, "it does not answer")
            if not await _first(connection.greeted, connection.ended, within=patience):
                return Ending(Cause.UNANSWERED, "it takes the connection and does not answer")
            if connection.greeted.done():
                self._connects += 1
                self._preferred = version
                self._report.connected(address, version)
                self._set(version, None)
            await _first(connection.ended)
            return connection.ended.result()
        finally:
            connection.abandon(_STOPPED)
            self._connection = None
            if not await _first(connection.gone, within=_GONE_S):
                self._stragglers.append(connection)

    def _set(self, protocol: Version | None, reason: str | None) -> None:
        if (protocol, reason) == (self._protocol, self._reason):
            return
        self._protocol, self._reason = protocol, reason
        if self.on_state_change is not None:
            self.on_state_change()


async def _first(*futures: asyncio.Future[None] | asyncio.Future[Ending], within: float | None = None) -> bool:
    """Wait until one of them is done; whether one is in time. Cancelling this does not cancel them."""
    done, _ = await asyncio.wait(futures, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)
