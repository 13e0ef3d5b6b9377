"""A broker of edged's own, on loopback: for `host: embedded` and the demo. amqtt does the work, on our event loop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self

from edged.errors import UnavailableError

if TYPE_CHECKING:
    from types import TracebackType

HOST: Final = "127.0.0.1"

_STOP_S: Final = 0.6  # for amqtt to end in order …
_CUT_S: Final = 0.2  # … and for what then is left to be cut off
_HIGHEST_LEVEL: Final = 4  # MQTT 3.1.1
_VERSION_REFUSED: Final = b"\x20\x02\x00\x01"  # CONNACK: unacceptable protocol version


class _Amqtt(Protocol):
    """What we use of amqtt's broker, which has no types of its own."""

    async def start(self) -> None:
        """Start what runs beside the connections."""

    async def external_connected(self, reader: object, writer: object, listener_name: str) -> None:
        """Serve one connection to its end."""

    async def shutdown(self) -> None:
        """End the sessions."""


class EmbeddedBroker:
    """An MQTT 3.1.1 broker for whoever is on this machine, without passwords. `async with` is its whole life.

    We listen ourselves and give amqtt the connections: so port 0 takes a free one and says which, and so an MQTT 5
    client gets the answer that the standard wants. amqtt loses itself in an MQTT 5 CONNECT with a last will, and would
    leave the client waiting (0.11.3, 0.12.1).

    Attributes:
        port: where it listens, once entered.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._broker: _Amqtt | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            UnavailableError: amqtt is not installed, or the port is taken.
        """
        self._broker = _amqtt_broker()
        try:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)
        except OSError as error:
            raise UnavailableError(
                f"the embedded broker cannot listen on {HOST}:{self.port}: {error.strerror}; "
                "set mqtt.port to another port, or to 0 for any free one"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        asyncio.get_running_loop().set_exception_handler(_said)
        await self._broker.start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop it: in order if the clients let it, within a second in any case."""
        if self._server is None or self._broker is None:
            return
        self._server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._broker.shutdown()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_CUT_S)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer), name="embedded broker's connection")
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from amqtt.adapters import StreamWriterAdapter  # noqa: PLC0415  an extra

        assert self._broker is not None  # noqa: S101  for mypy: who accepts has started
        try:
            opening = await _read_opening(reader)
            if opening[-1] > _HIGHEST_LEVEL:
                writer.write(_VERSION_REFUSED)
            else:
                await self._broker.external_connected(_Replay(opening, reader), StreamWriterAdapter(writer), "default")
        except (OSError, EOFError, ValueError) as error:
            logging.getLogger(__name__).debug("embedded broker: a connection ended: %s", error)
        finally:
            # amqtt leaves a connection open that did not begin well.
            writer.close()


class _Replay:
    """The reader that amqtt wants, which gives the opening once more."""

    def __init__(self, opening: bytes, reader: asyncio.StreamReader) -> None:
        self._opening = opening
        self._reader = reader

    async def read(self, size: int = -1) -> bytes:
        """Exactly so many bytes, or all there are."""
        if size < 0:
            return await self._reader.read()
        head, self._opening = self._opening[:size], self._opening[size:]
        return head + await self._reader.readexactly(size - len(head))

    def feed_eof(self) -> None:
        """There will be no more."""
        self._reader.feed_eof()


async def _read_opening(reader: asyncio.StreamReader) -> bytes:
    """The beginning of CONNECT up to the protocol level, its last byte.

    Raises:
        EOFError: the client went.
        ValueError: it does not speak MQTT.
    """
    opening = await reader.readexactly(2)
    while opening[-1] & 0x80 and len(opening) < 5:  # noqa: PLR2004  the remaining length has up to four bytes
        opening += await reader.readexactly(1)
    opening += await reader.readexactly(7)
    if opening[0] != 0x10 or opening[-7:-1] != b"\x00\x04MQTT":  # noqa: PLR2004  CONNECT and the protocol's name
        raise ValueError("not MQTT")
    return opening


def _said(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What tasks of amqtt raise and nobody fetches, as for a client that leaves without acknowledging, is no error."""
    task = context.get("future")
    code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
    if code is not None and "amqtt" in Path(code.co_filename).parts:
        logging.getLogger(__name__).debug("embedded broker: %s", context.get("exception"))
    else:
        loop.default_exception_handler(context)


def _amqtt_broker() -> _Amqtt:
    # It reports every step it takes, and as errors, with traces, clients that come, go or do not read. What concerns
    # the daemon it raises.
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    try:
        amqtt = importlib.import_module("amqtt.broker")
    except ImportError as error:
        raise UnavailableError(
            f"the embedded broker needs amqtt ({error}): pip install 'edged[demo]', or set mqtt.host to a broker"
        ) from error
    broker: _Amqtt = amqtt.Broker(
        {
            "listeners": {"default": {"type": "external"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    return broker
