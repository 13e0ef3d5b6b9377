"""uvicorn's HTTP, with bounds that it lacks: on connections, and on how long requests and those who read may take."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edged.web.security import is_loopback, network

if TYPE_CHECKING:
    import asyncio
    from asyncio import TimerHandle

MOST_CONNECTIONS: Final = 96
MOST_OF_ONE: Final = 32
"""Connections of one address beyond loopback, so that no single machine takes the page from all others."""
REQUEST_S: Final = 10.0
"""From its first byte to its last (and from the connection's beginning to its first byte)."""
READ_S: Final = 20.0
"""How long a client may leave unread what it was sent, once that is more than a buffer full."""
UNSENT_BYTES: Final = 64 * 1024
"""What the system may hold for a connection beside what is on its way. It would hold megabytes, seconds of pictures."""
HEAD_BYTES: Final = 16 * 1024
_ARRIVING: Final = frozenset({h11.IDLE, h11.SEND_BODY})


class BoundedProtocol(H11Protocol):
    """One connection.

    A request that trickles in costs its connection, and so does an answer that nobody reads; one connection too many is
    closed at once.
    """

    address = ""
    """Whose connection it is; empty for this machine, behind which a proxy's visitors may be."""

    _refused = False
    _late: TimerHandle | None = None
    _unread: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """It is there."""
        self.address = _whose(transport)
        of_one = [each for each in self.connections if self.address and getattr(each, "address", "") == self.address]
        if len(self.connections) >= MOST_CONNECTIONS or len(of_one) >= MOST_OF_ONE:
            self._refused = True
            transport.abort()
            return
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self._late = self.loop.call_later(REQUEST_S, self._too_late)

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        if self._refused:
            return
        super().data_received(data)
        if self.conn.their_state not in _ARRIVING:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(REQUEST_S, self._too_late)

    def on_response_complete(self) -> None:
        """An answer has gone out; a request that came right behind the one before has begun with that."""
        super().on_response_complete()
        if self._late is None and self.conn.their_state is h11.SEND_BODY:
            self._late = self.loop.call_later(REQUEST_S, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._in_time()
        self._is_read()
        if not self._refused:
            super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More than a buffer full waits to be read."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It is being read."""
        super().resume_writing()
        self._is_read()

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_late(self) -> None:
        self._late = None
        if not self.transport.is_closing() and self.conn.their_state in _ARRIVING:
            self.transport.abort()


def _whose(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    address = peer[0] if peer else ""
    return "" if is_loopback(address) else network(address)
