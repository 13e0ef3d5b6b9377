"""One request for a file, from an offset on, over HTTP: every wait ends, and nothing leads away from HTTPS.

urllib does the protocol, proxies and redirections; its sockets are replaced by such as receive until a moment.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edged import __version__
from edged.camera.bounded_socket import find_host
from edged.errors import UnavailableError, UsageError
from edged.models.http_sockets import CONNECT_SECONDS, BoundedHttpHandler, BoundedHttpsHandler, Sockets

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from types import TracebackType
    from typing import IO, Self

MAX_REDIRECTS: Final = 5
_SOME_BYTES: Final = 64 * 1024
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})  # OpenSSL's words for what is no TLS


class UnreachableError(UnavailableError):
    """A request that came to no answer, or whose answer broke off: the same one may succeed later."""


class RefusedError(UnavailableError):
    """An answer that is not the file: to ask the same again at once has no use. `status`: HTTP's, where that is it."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls the state of a file that it has given, so that it is asked for only once it has changed."""

    etag: str | None = None
    modified: str | None = None

    def headers(self) -> dict[str, str]:
        """Of a request: answered by a RefusedError with status 304 where nothing has changed."""
        words = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: word for name, word in words.items() if word is not None}


@dataclass(slots=True)
class Answer:
    """A file on its way.

    Attributes:
        start: the offset of its first byte: 0 where the server does not give parts of files.
        size: of the whole file, where the server says.
        kind: the media type.
    """

    start: int
    size: int | None
    kind: str
    _response: http.client.HTTPResponse
    _sockets: Sockets = field(default_factory=list)

    @property
    def validators(self) -> Validators:
        """What the server calls this state of the file."""
        return Validators(self._response.headers.get("ETag"), self._response.headers.get("Last-Modified"))

    def read_some(self, until: float) -> bytes:
        """What has come, as soon as there is something; empty at the end. Waits until then, in `time.monotonic()`.

        Raises:
            UnreachableError: the connection broke, or nothing came in time.
        """
        for connection in self._sockets:
            connection.until = until
        try:
            data = self._response.read1(_SOME_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"broke off: {_reason(error)}") from error
        if not data and self._response.length:
            raise UnreachableError(f"broke off: {self._response.length} bytes are missing")
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.close()


def check_address(address: str) -> None:
    """Raise UsageError for what is no address of HTTPS; HTTP is taken too, as what comes has to have its digest."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{address[:200]!r} is no address: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise UsageError(f"{address[:200]!r} is no address such as https://example.org/model.tflite")
    if parts.username is not None:
        raise UsageError("an address with a password in it: not taken")


def open_at(
    address: str, offset: int = 0, *, unless: Validators | None = None, patience: float = CONNECT_SECONDS
) -> Answer:
    """Ask for a file.

    Args:
        address: of HTTP or HTTPS.
        offset: of the first byte that is wanted.
        unless: not if it is still this state of it.
        patience: seconds to find the host, to connect, to get the headers: each.

    Raises:
        UsageError: an address that is not taken.
        UnreachableError: nobody answers.
        RefusedError: the answer is an error, or leads to where it must not.
    """
    check_address(address)
    headers = {"User-Agent": f"edged/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    if unless is not None:
        headers.update(unless.headers())
    request = urllib.request.Request(address, headers=headers)  # noqa: S310  the scheme has been checked
    sockets: Sockets = []
    try:
        _find(address, patience)
        response = _opener(sockets).open(request, timeout=patience)
    except urllib.error.HTTPError as error:
        try:
            return _refusal(address, error, offset, patience)
        finally:
            error.close()
    except urllib.error.URLError as error:
        raise UnreachableError(f"{_reason(error.reason)}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{_reason(error)}") from error
    try:
        start, size = _extent(response, offset)
    except BaseException:
        response.close()
        raise
    return Answer(start, size, response.headers.get_content_type(), response, sockets)


def _refusal(address: str, error: urllib.error.HTTPError, offset: int, patience: float) -> Answer:
    if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
        return open_at(address, patience=patience)  # what is there is as long as the file or longer: it is another file
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code == HTTPStatus.TOO_MANY_REQUESTS:
        raise UnreachableError(f"the server answers {error.code} {error.reason}") from None
    if error.code < HTTPStatus.BAD_REQUEST and error.code != HTTPStatus.NOT_MODIFIED:
        raise RefusedError(f"the server redirects in vain: {' '.join(error.reason.split())}", error.code) from None
    raise RefusedError(f"the server answers {error.code} {error.reason}", error.code) from None


def _extent(response: http.client.HTTPResponse, offset: int) -> tuple[int, int | None]:
    """Where the answer begins, and how long the whole file is."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise RefusedError("the server sends it packed, which was not asked for")
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0, response.length
    words = response.headers.get("Content-Range", "").replace("/", "-").replace("bytes", "").split("-")
    if len(words) != 3 or not words[0].strip().isdigit() or int(words[0]) != offset:  # noqa: PLR2004  first-last/size
        raise RefusedError("the server sends another part than was asked for")
    return offset, int(words[2]) if words[2].isdigit() else None


def _find(address: str, patience: float) -> None:
    """Find the host once, in bounded time: the system's resolver knows no timeout."""
    parts = urlsplit(address)
    if parts.scheme not in urllib.request.getproxies() or urllib.request.proxy_bypass(parts.hostname or ""):
        find_host(parts.hostname or "", parts.port or 443, time.monotonic() + patience)


def _opener(sockets: Sockets) -> urllib.request.OpenerDirector:
    """HTTP and HTTPS and nothing else: no files, no FTP, no data in the address."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        BoundedHttpHandler(sockets),
        BoundedHttpsHandler(sockets),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS

    def redirect_request(  # noqa: PLR0913, PLR0917  urllib's own signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Raise RefusedError for a way from HTTPS to HTTP, from HTTP to another host, or to what is neither."""
        fp.close()  # urllib would read the page of a redirection, however long it is
        try:
            check_address(newurl)
        except UsageError as error:
            raise RefusedError(f"the server leads elsewhere: {error}") from None
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        if here.scheme == "https" and there.scheme == "http":
            raise RefusedError(f"the server leads from https:// to {newurl[:200]}")
        if here.scheme == "http" and there.hostname != here.hostname:
            raise RefusedError(f"the server leads to another host, {newurl[:200]} (a network's login page?)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "the host's name is not known here (offline?)"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return "the server speaks no TLS (is it http://?)"
    if isinstance(error, http.client.IncompleteRead):
        return "bytes are missing at the end"
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error) or type(error).__name__
