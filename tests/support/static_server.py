"""A real web server for a folder, as buckets and CDNs are: validators, parts of files; and faults where asked for."""

from __future__ import annotations

import hashlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from support.mosquitto import HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase
    from pathlib import Path

    Fault = Callable[["Request", bytes], None]


class StaticServer(ThreadingHTTPServer):
    """On loopback.

    Attributes:
        faults: what answers instead, by the end of the path; "" is for every path.
        requests: paths that were asked for, with the status given.
        traffic: bytes both ways, headers included.
        validators: whether it says ETag, and knows parts of files.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None, port: int = 0) -> None:
        super().__init__((HOST, port), Request)
        self.folder = folder
        self.faults: dict[str, Fault] = {}
        self.requests: list[tuple[str, int]] = []
        self.traffic = 0
        self.validators = True
        self.stopped = threading.Event()
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{HOST}:{self.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go are no news."""


class Request(BaseHTTPRequestHandler):
    """One request."""

    server: StaticServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.rfile = _Counted(self.rfile, self.server)  # type: ignore[assignment]  # a file in all that is used of it
        self.wfile = _Counted(self.wfile, self.server)  # type: ignore[assignment]  # a file in all that is used of it

    def do_GET(self) -> None:
        path = unquote(self.path).lstrip("/")
        place = self.server.folder / path
        data = place.read_bytes() if place.is_file() else None
        for end, fault in self.server.faults.items():
            if path.endswith(end):
                fault(self, data or b"")
                self.close_connection = True
                return
        if data is None:
            self.answer(404, b"not here", "text/html")
        else:
            self.give(data)

    def give(self, data: bytes, kind: str = "application/octet-stream") -> None:
        """As a good server does."""
        if not self.server.validators:
            self.answer(200, data, kind)
            return
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if self.headers["If-None-Match"] == tag:
            self.answer(304, b"", kind, ETag=tag)
            return
        wanted = self.headers["Range"]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and start >= len(data):
            self.answer(416, b"", kind)
        elif wanted:
            extent = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[start:], kind, Content_Range=extent, ETag=tag)
        else:
            self.answer(200, data, kind, ETag=tag)

    def answer(self, status: int, data: bytes, kind: str, *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status != 304:
            self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def send_response(self, code: int, message: str | None = None) -> None:
        self.server.requests.append((self.path.lstrip("/"), code))
        super().send_response(code, message)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's own name
        """Nothing."""


class _Counted:
    """A file of which every byte counts."""

    def __init__(self, file: BufferedIOBase, server: StaticServer) -> None:
        self._file = file
        self._server = server

    def readline(self, size: int = -1) -> bytes:
        data = self._file.readline(size)
        self._server.traffic += len(data)
        return data

    def write(self, data: bytes) -> int:
        self._server.traffic += len(data)
        return self._file.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def flipped(request: Request, data: bytes) -> None:
    """One bit, in the middle."""
    middle = len(data) // 2
    request.answer(200, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :], "application/octet-stream")


def truncated(request: Request, data: bytes) -> None:
    """The half, and the connection is closed."""
    request.answer(200, data[: len(data) // 2], "application/octet-stream", length=len(data))


def shorter(request: Request, data: bytes) -> None:
    """The half, as if that were all."""
    request.answer(200, data[: len(data) // 2], "application/octet-stream")


def longer(request: Request, data: bytes) -> None:
    request.answer(200, data + b" ", "application/octet-stream")


def endless(request: Request, data: bytes) -> None:
    request.send_response(200)
    request.end_headers()
    while not request.server.stopped.is_set():
        request.wfile.write(data or b"x" * 65536)


def slow(request: Request, data: bytes) -> None:
    """A byte now and then."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    for byte in data:
        request.wfile.write(bytes([byte]))
        if request.server.stopped.wait(0.05):
            return


def slow_headers(request: Request, _: bytes) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not request.server.stopped.wait(0.05):
        request.wfile.write(b"X: y\r\n")


def silent(request: Request, _: bytes) -> None:
    request.server.stopped.wait(30)


def login_page(request: Request, _: bytes) -> None:
    """A captive portal's."""
    request.answer(200, b"<!doctype html><title>Welcome to our hotel</title>", "text/html; charset=utf-8")


def to_login_page(request: Request, _: bytes) -> None:
    request.answer(302, b"", "text/html", Location="http://login.hotel.example/")


def in_circles(request: Request, _: bytes) -> None:
    request.answer(302, b"", "text/html", Location=request.path)


def status(code: int) -> Fault:
    return lambda request, _: request.answer(code, b"<html>no</html>", "text/html")
