"""urllib's handlers of HTTP and HTTPS, with sockets that receive until a moment and no longer."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.request
from typing import Final

from edged.camera.bounded_socket import BoundedSocket, BoundedTlsSocket

CONNECT_SECONDS: Final = 30.0  # to find the host, to connect, to get the headers: each
Sockets = list[BoundedSocket | BoundedTlsSocket]
"""Those that a request has opened, so that whoever reads its answer can say until when."""


class Connection(http.client.HTTPConnection):
    """HTTP over a socket that receives until a moment; it is added to `sockets`."""

    sockets: Sockets

    def connect(self) -> None:
        """As http.client's own; then the socket is one that receives until a moment."""
        super().connect()
        bounded = BoundedSocket(fileno=self.sock.detach())
        bounded.settimeout(self.timeout)
        bounded.until = time.monotonic() + (self.timeout or CONNECT_SECONDS)
        self.sock = bounded
        self.sockets.append(bounded)


class TlsConnection(http.client.HTTPSConnection, Connection):
    """The same with TLS: http.client calls the next class's `connect` for what is below it, which is the one above."""

    def connect(self) -> None:
        """As http.client's own, which wraps what `Connection` made."""
        super().connect()
        assert isinstance(self.sock, BoundedTlsSocket)  # noqa: S101  as its context says
        self.sock.until = time.monotonic() + (self.timeout or CONNECT_SECONDS)
        self.sockets[-1] = self.sock


class BoundedHttpHandler(urllib.request.HTTPHandler):
    """HTTP, as urllib has it, over such sockets."""

    def __init__(self, sockets: Sockets) -> None:
        super().__init__()
        self._sockets = sockets

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """As urllib's own."""
        return self.do_open(self._connection, req)

    def _connection(
        self,
        host: str,
        /,
        *,
        port: int | None = None,
        timeout: float = CONNECT_SECONDS,
        source_address: tuple[str, int] | None = None,
        blocksize: int = 8192,
    ) -> http.client.HTTPConnection:
        connection = Connection(host, port, timeout, source_address, blocksize)
        connection.sockets = self._sockets
        return connection


class BoundedHttpsHandler(urllib.request.HTTPSHandler):
    """HTTPS, with certificates checked against the system's."""

    def __init__(self, sockets: Sockets) -> None:
        super().__init__(context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # unused: else it makes one as below
        self._sockets = sockets

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """As urllib's own."""
        return self.do_open(self._connection, req)

    def _connection(
        self,
        host: str,
        /,
        *,
        port: int | None = None,
        timeout: float = CONNECT_SECONDS,
        source_address: tuple[str, int] | None = None,
        blocksize: int = 8192,
    ) -> http.client.HTTPConnection:
        tls = ssl.create_default_context()  # as late as here: it reads all the system's authorities, 40 ms
        tls.sslsocket_class = BoundedTlsSocket
        connection = TlsConnection(
            host, port, timeout=timeout, source_address=source_address, context=tls, blocksize=blocksize
        )
        connection.sockets = self._sockets
        return connection
