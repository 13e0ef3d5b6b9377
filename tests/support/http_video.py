"""A real HTTP server that behaves as cameras do, good ones and bad ones: each path is a way to give pictures."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, Self

from support.mosquitto import HOST
from support.pictures import encoded, noise, smooth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USER, PASSWORD = "viewer", "p@ss w/rd"
SIZE = (96, 64)
INTERVAL_SECONDS = 0.05
STILL: Final = encoded(smooth(*SIZE), "JPEG", quality=90)
CUT = STILL[: len(STILL) // 2]
NOT_A_JPEG = noise(40, 30).tobytes()
BOUNDARY = "frame"
PARAMETER: Final = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
KINDS: Final = {".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".mp4": "video/mp4"}


class HttpCamera(ThreadingHTTPServer):
    """On loopback, with TLS where a certificate is given. `requests` are the paths that were asked for, and proofs."""

    daemon_threads = True

    def __init__(self, folder: Path | None = None, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__((HOST, 0), _Handler)
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []
        self.elsewhere = ""
        self.stopped = threading.Event()
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is nothing to write of."""

    def address(self, path: str, user: str = "") -> str:
        return f"{self.scheme}://{f'{user}@' if user else ''}{HOST}:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: HttpCamera

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its base's
        pass

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Authorization")))
        path = self.path.partition("?")[0]
        if path in MULTIPART:
            boundary, part = MULTIPART[path]
            self._head(f"multipart/x-mixed-replace{boundary}")
            self._send(part(number) for number in itertools.count())
        elif path in ROUTES:
            ROUTES[path](self)
        elif self.server.folder is not None and (file := self.server.folder / path[1:]).is_file():
            self._whole(KINDS[file.suffix], file.read_bytes())
        else:
            self._head(status=404)

    def _head(self, kind: str | None = None, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        if kind is not None:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _whole(self, kind: str | None, data: bytes) -> None:
        self._head(kind, Content_Length=str(len(data)))
        self.wfile.write(data)

    def _send(self, pieces: Iterator[bytes], interval: float = INTERVAL_SECONDS) -> None:
        for piece in pieces:
            self.wfile.write(piece)
            if self.server.stopped.wait(interval):
                return

    def _hang(self) -> None:
        self.server.stopped.wait(30.0)

    def still(self) -> None:
        self._whole("image/jpeg", STILL)

    def unlabelled(self) -> None:
        self._head()  # neither type nor length
        self.wfile.write(STILL)

    def png(self) -> None:
        self._whole("image/png", encoded(smooth(*SIZE)))

    def sometimes_cut(self) -> None:
        if len(self.server.requests) % 2:
            self._whole("image/jpeg", STILL)
        else:
            self._head("image/jpeg", Content_Length=str(len(STILL)))
            self.wfile.write(CUT)

    def noise(self) -> None:
        self._whole("image/jpeg", NOT_A_JPEG)

    def huge(self) -> None:
        self._head("image/jpeg")
        self._send(itertools.repeat(STILL + bytes(2**20)), 0.0)

    def still_trickles(self) -> None:
        self._head("image/jpeg", Content_Length=str(len(STILL)))
        self._send(STILL[at : at + 1] for at in range(len(STILL)))

    def motion_ends(self) -> None:
        self._head(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self._send(plain(number) for number in range(5))

    def motion_stalls(self) -> None:
        self.motion_ends()
        self._hang()

    def motion_trickles(self) -> None:
        self.motion_ends()
        self._send(itertools.repeat(b"\r\n"))

    def endless_part(self) -> None:
        self._head(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self._send(itertools.chain([b"--frame\r\n\r\n"], itertools.repeat(bytes(2**20))), 0.0)

    def no_boundary(self) -> None:
        self._head(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self._send(itertools.repeat(bytes(10_000)))

    def silent(self) -> None:
        self._hang()

    def endless_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self._send(f"X-{number}: x\r\n".encode() for number in itertools.count())

    def trickling_header(self) -> None:
        self._send(itertools.chain([b"HTTP/1.1 200 OK\r\nX-Long: "], itertools.repeat(b"x")))

    def not_http(self) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    def page(self) -> None:
        self._whole("text/html", b"<html>Please log in</html>")

    def text(self) -> None:
        self._whole("text/plain", b"no camera attached\n" * 50)

    def to_file(self) -> None:
        self._head(status=302, Location="file:///etc/hostname")

    def to_here(self) -> None:
        self._head(status=302, Location=self.path)

    def to_still(self) -> None:
        self._head(status=301, Location="/still")

    def to_basic(self) -> None:
        self._head(status=302, Location="/basic")

    def to_elsewhere(self) -> None:
        self._head(status=302, Location=self.server.elsewhere)

    def fails(self) -> None:
        self._head(status=503)

    def forbidden(self) -> None:
        self._head(status=403)

    def playlist_of_files(self) -> None:
        self._whole(
            "application/vnd.apple.mpegurl",
            f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nfile://{self.server.folder}/a.ts\n#EXT-X-ENDLIST\n".encode(),
        )

    def list_of_files(self) -> None:
        self._whole("video/mp4", f"ffconcat version 1.0\nfile {self.server.folder}/a.ts\n".encode())

    def basic(self) -> None:
        given = base64.b64decode((self.headers.get("Authorization") or "").removeprefix("Basic "))
        if given == f"{USER}:{PASSWORD}".encode():
            self.still()
        else:
            self._head(status=401, WWW_Authenticate="Basic realm=camera")  # unquoted, as some have it

    def digest(self) -> None:
        self._digest(
            'Digest realm="a, \\"b\\"", nonce="n1", opaque="o", qop="auth,auth-int", algorithm=SHA-256', "sha256"
        )

    def old_digest(self) -> None:
        self._digest('Digest realm="camera", nonce="n2"', "md5")

    def both(self) -> None:
        self._digest('Digest realm="camera", nonce="n3", qop="auth"', "md5", offered="Basic realm=x")

    def unknown_way(self) -> None:
        self._head(status=401, WWW_Authenticate="Negotiate")

    def _digest(self, challenge: str, name: str, offered: str | None = None) -> None:
        given = self.headers.get("Authorization") or ""
        said = {key: quoted or token for key, quoted, token in PARAMETER.findall(given)}

        def digest(*parts: str) -> str:
            return hashlib.new(name, ":".join(parts).encode()).hexdigest()

        once = [said["nc"], said["cnonce"], said["qop"]] if "qop" in said else []
        secret = digest(USER, said.get("realm", "").replace('\\"', '"'), PASSWORD)
        wanted = digest(secret, said.get("nonce", ""), *once, digest("GET", self.path))
        if given.startswith("Digest ") and said.get("response") == wanted:
            self.still()
            return
        self.send_response(401)
        if offered is not None:
            self.send_header("WWW-Authenticate", offered)
        self.send_header("WWW-Authenticate", challenge)
        self.end_headers()


ROUTES: Final[dict[str, Callable[[_Handler], None]]] = {
    f"/{name.replace('_', '-')}": getattr(_Handler, name)
    for name in vars(_Handler)
    if not name.startswith("_") and name not in {"log_message", "do_GET"}
}


def plain(_number: int) -> bytes:
    """A part as it should be."""
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(STILL), STILL)


def _with_length(length: int) -> bytes:
    return b"--frame\r\nContent-Length: %d\r\n\r\n" % length


def _part(head: bytes, body: bytes = STILL, end: bytes = b"\r\n") -> Callable[[int], bytes]:
    return lambda _: head + body + end


SAID: Final = f"; boundary={BOUNDARY}"

# What a server says of its boundary, and its parts.
MULTIPART: Final[dict[str, tuple[str, Callable[[int], bytes]]]] = {
    "/motion": (SAID, plain),
    "/no-lengths": (SAID, _part(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n")),
    "/no-headers": (SAID, _part(b"--frame\r\n\r\n")),
    "/no-types": (SAID, _part(_with_length(len(STILL)))),
    "/dashes-said": ("; boundary=--frame", plain),
    "/dashes-missing": (SAID, lambda number: plain(number)[2:]),
    "/quoted": ('; boundary="frame"', plain),
    "/unsaid": ("", plain),
    "/other-than-said": ("; boundary=something", plain),
    "/line-feeds": (SAID, _part(b"--frame\nContent-Length: %d\n\n" % len(STILL), end=b"\n")),
    "/too-short": (SAID, _part(_with_length(len(STILL) - 50))),
    "/too-long": (SAID, _part(_with_length(len(STILL) + 50))),
    "/padded": (SAID, _part(_with_length(len(STILL) + 6), STILL + bytes(6))),
    "/no-line-between": (SAID, _part(_with_length(len(STILL)), end=b"")),
    "/preamble": (SAID, lambda number: (b"" if number else b"This is a camera.\r\n\r\n") + plain(number)),
    "/comments-between": (SAID, lambda number: b"--frame\r\nContent-Type: text/plain\r\n\r\nhi\r\n" + plain(number)),
    "/motion-noise": (SAID, _part(_with_length(len(NOT_A_JPEG)), NOT_A_JPEG)),
}
