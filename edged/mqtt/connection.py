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

from edged.mqtt.ending import Cause, Ending, farewell, refusal, tls_alert, unreachable
from edged.mqtt.hearing import Hearing
from edged.mqtt.sending import Sending
from edged.mqtt.transport import Identity, Version, connect, new_client
from edged.mqtt.wake import Wake

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edged.config.addresses import Server
    from edged.config.mqtt import MqttConfig
    from edged.mqtt.incoming import Subscription
    from edged.mqtt.once import Once
    from edged.mqtt.outgoing import Outgoing

_TICK_MS: Final = 1000  # how often paho looks at its keep-alive


class Connection:
    """A connection's life. Made, started, closed and abandoned by the event loop's thread; `wake` is for any.

    Attributes:
        loop: the event loop that all this belongs to.
        dialled: done when TCP, TLS and websocket stand, and CONNECT is on its way.
        greeted: done when the broker has accepted us.
        ended: done with the Ending, or with the exception that must not have been.
        gone: done when the thread has ended and its sockets are closed.
    """

    def __init__(  # noqa: PLR0913, PLR0917  made in one place
        self,
        config: MqttConfig,
        identity: Identity,
        address: Server,
        version: Version,
        outgoing: Outgoing,
        subscriptions: Mapping[str, Subscription],
        logger: logging.Logger,
        once: Once,
    ) -> None:
        self._config = config
        self._identity = identity
        self._address = address
        self._version: Version = version
        self._log = logger
        self.loop = asyncio.get_running_loop()
        self.dialled: asyncio.Future[None] = self.loop.create_future()
        self.greeted: asyncio.Future[None] = self.loop.create_future()
        self.ended: asyncio.Future[Ending] = self.loop.create_future()
        self.gone: asyncio.Future[None] = self.loop.create_future()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._wake = Wake()
        self._closing = False
        self._abandoned = False
        # From here on: the thread's own.
        self._sending = Sending(outgoing, version, logger, once)
        self._hearing = Hearing(subscriptions, self.tell, logger, once)
        self._parted = False
        self._since: float | None = None
        self._refusal: Ending | None = None
        self._failure = ""  # paho's words for what went wrong at reading
        self._farewell: tuple[bool, ReasonCode, Properties | None] | None = None

    @property
    def in_flight(self) -> int:
        """How many messages paho holds."""
        return self._sending.in_flight

    def start(self) -> None:
        """Start connecting. Raises RuntimeError: no thread is to be had."""
        try:
            self._thread.start()
        except RuntimeError:
            self._wake.close()
            raise

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
        self._sending.end()
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
            client.on_publish = self._sending.on_publish
            client.on_message = self._hearing.on_message
            client.on_subscribe = self._hearing.on_subscribe
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
            timeout = 0 if unread or (self._sending.may_send() and not self._closing) else _TICK_MS
            if self._wait(sock.fileno(), timeout, write=client.want_write()) or unread:
                try:
                    client.loop_read()
                except Exception as error:  # noqa: BLE001  paho's parser raises what it likes on what is not MQTT
                    return self._end(f"what it sends is not MQTT ({type(error).__name__}: {error})")
            self._pump(client)
            if client.want_write():
                client.loop_write()
            client.loop_misc()
            self._sending.tell()
            self._hearing.tick(client, time.monotonic())
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

    def _pump(self, client: Client) -> None:
        if not self._closing:
            self._sending.pump(client)
        elif not self._sending.in_flight and not self._parted:
            self._parted = True
            client.disconnect()

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
        self._sending.begin(properties)
        self._hearing.begin(client)
        self.tell(self.greeted.set_result, None)

    def _on_log(self, _client: Client, _data: object, level: int, text: str) -> None:
        if level == MQTT_LOG_ERR:
            self._failure = text

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if self._farewell is None:
            self._farewell = (flags.is_disconnect_packet_from_server, code, properties)


def _write_later(_client: Client, _data: object, _socket: object) -> None:
    """Its being there tells paho that somebody writes when the socket can, so `publish` never does by itself."""
