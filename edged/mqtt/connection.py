"""One connection to the broker, from TCP to its end, on a thread of its own.

paho is used through its calls for an outside event loop (`loop_read`, `loop_write`, `loop_misc`), all of them made by
this one thread, and not through `loop_start`: there an exception ends the thread without a word, `loop_stop` joins it
without a bound, and a publisher shares paho's locks with the network. Here a publisher only puts something into
`Outgoing` and wakes the thread, so it cannot block, whatever the broker does.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import MQTT_LOG_ERR

from edged.mqtt.ending import NOT_AUTHORISED, Cause, Ending, farewell, in_words, refusal, tls_alert, unreachable
from edged.mqtt.incoming import Subscription, read_message, subscription
from edged.mqtt.properties import packed
from edged.mqtt.transport import WINDOW, Identity, Version, connect, new_client
from edged.mqtt.wake import Wake

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edged.config.addresses import Server
    from edged.config.mqtt import MqttConfig
    from edged.mqtt.incoming import Incoming
    from edged.mqtt.once import Once
    from edged.mqtt.outgoing import Message, Outgoing

_TICK_MS: Final = 1000  # how often paho looks at its keep-alive
_AROUND_BYTES: Final = 16  # of a PUBLISH, around topic, properties and payload
_PUBLISH, _SUBSCRIBE, _RETAINED = "publish", "subscribe", "retained"  # what is said once, of each topic
_MOST_UNHEARD: Final = 100  # messages to us that wait for the event loop; a flood of commands must not fill the memory


class Connection:
    """A connection's life. Made, started, closed and abandoned by the event loop's thread; `wake` is for any.

    Attributes:
        loop: the event loop that all this belongs to.
        dialled: done when TCP, TLS and websocket stand, and CONNECT is on its way.
        greeted: done when the broker has accepted us.
        ended: done with the Ending, or with the exception that must not have been.
        gone: done when the thread has ended and its sockets are closed.
        subscriptions: what to ask the broker for, and who is told; set before `start`.
    """

    def __init__(  # noqa: PLR0913, PLR0917  made in one place
        self,
        config: MqttConfig,
        identity: Identity,
        address: Server,
        version: Version,
        outgoing: Outgoing,
        logger: logging.Logger,
        once: Once,
    ) -> None:
        self._config = config
        self._identity = identity
        self._address = address
        self._version: Version = version
        self._outgoing = outgoing
        self._log = logger
        self._once = once
        self.loop = asyncio.get_running_loop()
        self.dialled: asyncio.Future[None] = self.loop.create_future()
        self.greeted: asyncio.Future[None] = self.loop.create_future()
        self.ended: asyncio.Future[Ending] = self.loop.create_future()
        self.gone: asyncio.Future[None] = self.loop.create_future()
        self.subscriptions: Mapping[str, Subscription] = {}
        self._unheard = threading.Semaphore(_MOST_UNHEARD)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._wake = Wake()
        self._closing = False
        self._abandoned = False
        # From here on: the thread's own.
        self._in_flight: dict[int, Message] = {}
        self._window = WINDOW
        self._largest: int | None = None  # packet that the broker takes, in bytes
        self._told: list[Callable[[], None]] = []
        self._parted = False
        self._since: float | None = None
        self._refusal: Ending | None = None
        self._failure = ""  # paho's words for what went wrong at reading
        self._farewell: tuple[bool, ReasonCode, Properties | None] | None = None

    @property
    def in_flight(self) -> int:
        """How many messages paho holds."""
        return len(self._in_flight)

    def start(self) -> None:
        """Start connecting."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.send()

    def close(self) -> None:
        """Send what is in flight, then DISCONNECT: the broker forgets the last will."""
        self._closing = True
        self.wake()

    def abandon(self, ending: Ending) -> None:
        """Let go at once, without DISCONNECT: the broker then sends the last will."""
        self._abandoned = True
        if not self.ended.done():
            self.ended.set_result(ending)
        self.wake()

    def _run(self) -> None:
        ending, fault = None, None
        try:
            ending = self._live()
        except BaseException as error:  # noqa: BLE001  a thread cannot raise into the loop: the loop raises it there
            fault = error
        self._wake.close()
        self._outgoing.give_back(self._in_flight.values())
        self._in_flight.clear()
        self.tell(self._finish, ending, fault)

    def _finish(self, ending: Ending | None, fault: BaseException | None) -> None:
        if not self.ended.done():
            if ending is not None:
                self.ended.set_result(ending)
            elif fault is not None:
                self.ended.set_exception(fault)
        elif fault is not None:
            self._log.error("mqtt: fault in a connection that was given up", exc_info=fault)
        self.gone.set_result(None)

    def _live(self) -> Ending:
        try:
            client = new_client(self._config, self._identity, self._version)
            client.on_connect = self._on_connect
            client.on_disconnect = self._on_disconnect
            client.on_publish = self._on_publish
            client.on_message = self._on_message
            client.on_subscribe = self._on_subscribe
            client.on_socket_register_write = _write_later
            client.on_log = self._on_log
            connect(client, self._address.host, self._address.port, self._config.keepalive, self._version)
        except (OSError, ValueError, IndexError) as error:  # the last two: names and websocket answers beyond reading
            return unreachable(error)
        # Else an event that follows labels waits up to 40 ms, until the broker's kernel has acknowledged those (Nagle).
        with contextlib.suppress(OSError, AttributeError):  # paho's websocket has no such call
            client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # type: ignore[union-attr]
        self.tell(self.dialled.set_result, None)
        try:
            return self._serve(client)
        finally:
            if (sock := client.socket()) is not None:
                sock.close()
            # They hold us and we hold paho's: cut the ring, so that descriptors go now and not when gc comes by.
            client.on_connect = client.on_disconnect = client.on_publish = None
            client.on_message = client.on_subscribe = client.on_log = None

    def _serve(self, client: Client) -> Ending:
        while not self._abandoned and (sock := client.socket()) is not None:
            pending = getattr(sock, "pending", None)
            unread = pending is not None and pending() > 0  # what TLS has read already, and poll cannot see
            timeout = 0 if unread or self._may_send() else _TICK_MS
            if self._wait(sock.fileno(), timeout, write=client.want_write()) or unread:
                try:
                    client.loop_read()
                except Exception as error:  # noqa: BLE001  paho's parser raises what it likes on what is not MQTT
                    return self._end(f"what it sends is not MQTT ({type(error).__name__}: {error})")
            self._pump(client)
            if client.want_write():
                client.loop_write()
            client.loop_misc()
            for told in self._told:
                told()
            self._told.clear()
        return self._end(None)

    def _wait(self, descriptor: int, timeout_ms: int, *, write: bool) -> bool:
        """Wait for something to do. Whether the broker has sent something."""
        poller = select.poll()
        poller.register(descriptor, select.POLLIN | (select.POLLOUT if write else 0))
        poller.register(self._wake, select.POLLIN)
        events = dict(poller.poll(timeout_ms))
        if self._wake.fileno() in events:
            self._wake.clear()
        return bool(events.get(descriptor, 0) & ~select.POLLOUT)

    def _may_send(self) -> bool:
        open_for_more = self._since is not None and not self._closing and len(self._in_flight) < self._window
        return open_for_more and len(self._outgoing) > 0

    def _pump(self, client: Client) -> None:
        if self._closing and not self._in_flight and not self._parted:
            self._parted = True
            client.disconnect()
        while self._may_send() and (message := self._outgoing.take()) is not None:
            try:
                self._publish(client, message)
            except ValueError as error:  # a topic or size that MQTT does not have must not end the connection
                self._log.error("mqtt: a message for %r cannot be published: %s", message.topic, error)

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
        self._once.warn(_PUBLISH, message.topic, f"the broker does not take {message.topic}: {why}")
        told = message.acknowledged if message.refused is None else message.refused
        if told is not None:
            self._told.append(told)

    def _end(self, garbage: str | None) -> Ending:  # noqa: PLR0911  one for each way to end
        lasted = 0.0 if self._since is None else time.monotonic() - self._since
        if self._closing or self._abandoned:
            return Ending(Cause.STOPPED, "stopped", lasted)
        if self._refusal is not None:
            return self._refusal
        if self._since is None:
            if (alert := tls_alert(self._failure)) is not None:
                return alert
            return Ending(Cause.UNANSWERED, garbage or "the broker closes the connection without an answer")
        if garbage is not None or self._farewell is None:
            return Ending(Cause.LOST, garbage or "the connection broke", lasted)
        from_broker, code, properties = self._farewell
        if from_broker:
            return farewell(code, properties, self._identity.client_id, lasted)
        if code.getName() == "Keep alive timeout":
            return Ending(Cause.LOST, f"no answer for {self._config.keepalive:g} s", lasted)
        return Ending(Cause.LOST, "the broker closed the connection", lasted, closed_by_broker=True)

    def tell(self, function: Callable[..., None], *arguments: object) -> None:
        """Have the event loop call something. From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(function, *arguments)

    # paho's callbacks, on our thread. They only take down what happened: one that raised would leave paho half done.

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._refusal = refusal(code, properties)
            return
        client.on_log = None  # from now on it would be told of every message
        self._since = time.monotonic()
        # A broker ends the connection of who sends more than it wants to hold unacknowledged.
        self._window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self._largest = getattr(properties, "MaximumPacketSize", None)
        self._outgoing.renew()
        if self.subscriptions:
            client.subscribe([(topic, 1) for topic in self.subscriptions])
        self.tell(self.greeted.set_result, None)

    def _on_log(self, _client: Client, _data: object, level: int, text: str) -> None:
        if level == MQTT_LOG_ERR:
            self._failure = text

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if self._farewell is None:
            self._farewell = (flags.is_disconnect_packet_from_server, code, properties)

    def _on_publish(
        self, _client: Client, _data: object, mid: int, code: ReasonCode, properties: Properties | None
    ) -> None:
        message = self._in_flight.pop(mid, None)
        if message is None:
            return
        if code.is_failure:
            advice = "; its ACL has to allow that" if code.value == NOT_AUTHORISED else ""
            self._refuse(message, f"{in_words(code, properties)}{advice}")
            return
        self._outgoing.acknowledged(message)
        if message.qos > 0:  # paho says the same of what is only written
            self._once.over(_PUBLISH, message.topic, f"the broker takes {message.topic} again")
        if message.acknowledged is not None:
            self._told.append(message.acknowledged)

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        for topic, code in zip(self.subscriptions, codes, strict=False):
            if code.is_failure:
                words = in_words(code, properties)
                text = f"the broker does not let this device subscribe to {topic}: {words}; its ACL has to allow that"
                self._once.warn(_SUBSCRIBE, topic, text)
            else:
                self._once.over(_SUBSCRIBE, topic, f"the broker lets this device subscribe to {topic}")

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            found = subscription(self.subscriptions, message.topic)
        except ValueError:  # a topic that is not UTF-8
            return
        if found is None:
            return
        if message.retain and not found.retained:
            text = f"a retained command at {message.topic!r} is ignored; publish it without retain"
            self._once.warn(_RETAINED, message.topic, text)
        elif self._unheard.acquire(blocking=False):
            self.tell(self._hear, found, read_message(message))
        else:
            self._log.debug("mqtt: too many messages at once; one at %r is dropped", message.topic)

    def _hear(self, found: Subscription, incoming: Incoming) -> None:
        """On the event loop."""
        self._unheard.release()
        found.handler(incoming)


def _write_later(_client: Client, _data: object, _socket: object) -> None:
    """Its being there tells paho that somebody writes when the socket can, so `publish` never does by itself."""
