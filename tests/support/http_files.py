"""A real HTTP server that gives files as servers do, good ones and bad ones: each path has its way."""

from __future__ import annotations

import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Way = Callable[["Exchange"], None]


class FileServer(ThreadingHTTPServer):
    """On loopback, with TLS where a certificate is given. `requests` are the paths and ranges that were asked for."""

    daemon_threads = True

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.ways: dict[str, Way] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.stopped = threading.Event()
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def at(self, path: str, way: Way) -> str:
        """Let a path have this way. Returns its address."""
        self.ways[path] = way
        return f"{self.scheme}://127.0.0.1:{self.server_port}{path}"

    def ranges(self) -> list[str | None]:
        """What was asked for, request by request."""
        return [asked for _, asked in self.requests]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what the tests are about."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()


class Exchange(BaseHTTPRequestHandler):
    """One request, and what a way does about it."""

    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Range")))
        self.close_connection = True
        way = self.server.ways.get(self.path)
        if way is None:
            self.send_error(404)
        else:
            way(self)

    def start(self) -> int:
        """The offset that was asked for."""
        match = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range") or "")
        return int(match[1]) if match else 0

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """The tests look at `requests`."""


def whole(data: bytes) -> Way:
    """As a good server: parts too."""

    def way(exchange: Exchange) -> None:
        _head(exchange, data)
        exchange.wfile.write(data[exchange.start() :])

    return way


def without_parts(data: bytes) -> Way:
    """As a server that gives files from their start alone."""

    def way(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(data))
        exchange.wfile.write(data)

    return way


def breaking(data: bytes, after: int) -> Way:
    """Breaks off after so many bytes each time, and goes on where it is asked to."""

    def way(exchange: Exchange) -> None:
        _head(exchange, data)
        start = exchange.start()
        exchange.wfile.write(data[start : start + after])

    return way


def once_only_so_much(data: bytes, after: int) -> Way:
    """Gives so many bytes the first time, and an error for ever after."""
    first = [True]

    def way(exchange: Exchange) -> None:
        if first.pop() if first else False:
            exchange.head(200, Content_Length=len(data))
            exchange.wfile.write(data[:after])
        else:
            exchange.send_error(503)

    return way


def claiming(data: bytes, length: int) -> Way:
    """Says another length than it has."""

    def way(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=length)
        exchange.wfile.write(data)

    return way


def of_no_length(data: bytes) -> Way:
    """Does not say how long it is."""

    def way(exchange: Exchange) -> None:
        exchange.head(200)
        exchange.wfile.write(data)

    return way


def endless() -> Way:
    def way(exchange: Exchange) -> None:
        exchange.head(200)
        while not exchange.server.stopped.is_set():
            exchange.wfile.write(bytes(65536))

    return way


def trickling(data: bytes, pause: float) -> Way:
    """A byte at a time."""

    def way(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(data))
        for byte in data:
            exchange.wfile.write(bytes([byte]))
            time.sleep(pause)

    return way


def silent_after(data: bytes, after: int) -> Way:
    """Holds the connection and sends nothing any more."""

    def way(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(data))
        exchange.wfile.write(data[:after])
        exchange.server.stopped.wait(10)

    return way


def leading_to(address: str) -> Way:
    def way(exchange: Exchange) -> None:
        exchange.head(302, Location=address, Content_Length=0)

    return way


def page() -> Way:
    """What a hotel's network sends in place of anything."""
    html = b"<!doctype html><title>Please log in</title>"

    def way(exchange: Exchange) -> None:
        exchange.head(200, Content_Type="text/html", Content_Length=len(html))
        exchange.wfile.write(html)

    return way


def wrong_part(data: bytes) -> Way:
    """Answers a wish for a part with another part."""

    def way(exchange: Exchange) -> None:
        exchange.head(206, Content_Length=len(data), Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")
        exchange.wfile.write(data)

    return way


def failing(status: int) -> Way:
    def way(exchange: Exchange) -> None:
        exchange.send_error(status)

    return way


def _head(exchange: Exchange, data: bytes) -> None:
    start = exchange.start()
    if start > len(data):
        exchange.send_error(416)
    elif start:
        exchange.head(206, Content_Length=len(data) - start, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")
    else:
        exchange.head(200, Content_Length=len(data))
