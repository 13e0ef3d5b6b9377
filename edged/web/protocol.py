"""uvicorn's HTTP, with bounds that it lacks: on connections, and on how long requests and those who read may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from asyncio import TimerHandle

MOST_CONNECTIONS: Final = 96
REQUEST_S: Final = 10.0
"""From its first byte to its last (and from the connection's beginning to its first byte)."""
READ_S: Final = 20.0
"""How long a client may leave unread what it was sent, once that is more than a buffer full."""
HEAD_BYTES: Final = 16 * 1024
_ARRIVING: Final = frozenset({h11.IDLE, h11.SEND_BODY})


class BoundedProtocol(H11Protocol):
    """One connection.

    A request that trickles in costs its connection, and so does an answer that nobody reads; one connection too many is
    closed at once.
    """

    _refused = False
    _late: TimerHandle | None = None
    _unread: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """It is there."""
        if len(self.connections) >= MOST_CONNECTIONS:
            self._refused = True
            transport.abort()
            return
        super().connection_made(transport)
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
