"""Pages of an HTTP camera, and nowhere to be led but to HTTP. What urllib does is not bounded in time."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

from edged.camera.bounded_socket import BoundedSocket, BoundedTlsSocket, connect
from edged.camera.http_auth import authorization
from edged.camera.stream_address import StreamAddress
from edged.errors import BadImageError, SourceError

MOST_REQUESTS: Final = 6  # for one page: redirections, and a password that is asked for

_SOME_BYTES: Final = 65536
_Socket = BoundedSocket | BoundedTlsSocket


class Page:
    """An answer whose headers have come. Every wait for its body ends when `allow` says so.

    Attributes:
        kind: its media type, in small letters; `text/plain` where it does not say.
        boundary: of a multipart body, as it says.
        length: bytes of the body; None where it does not say.
    """

    def __init__(self, address: StreamAddress, response: http.client.HTTPResponse, connection: _Socket) -> None:
        self._address = address
        self._response = response
        self._connection = connection
        self.kind: str = response.headers.get_content_type()
        self.boundary: str | None = response.headers.get_boundary()
        self.length: int | None = response.length

    def allow(self, until: float) -> None:
        """Receive until then, in `time.monotonic()`."""
        self._connection.until = until

    def peek(self) -> bytes:
        """The first bytes of the body; they are still to be read. Raises SourceError."""
        try:
            return self._response.peek(1)
        except (OSError, http.client.HTTPException) as error:
            raise self._address.failed(error) from None

    def read_some(self) -> bytes:
        """What has come, as soon as there is something; empty at the end. Raises SourceError."""
        try:
            return self._response.read1(_SOME_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise self._address.failed(error) from None

    def read_all(self, most: int) -> bytes:
        """The rest.

        Raises:
            SourceError: it does not come, or is longer than `most`.
            BadImageError: it is shorter than announced.
        """
        try:
            data = self._response.read(most + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._address.failed(error) from None
        if len(data) > most:
            raise SourceError(f"{self._address}: larger than {most / 2**20:g} MB")
        if self._response.length:
            raise BadImageError(f"{self._address}: cut off before its end")
        return data

    def close(self) -> None:
        """Cut the connection."""
        self._response.close()


def get(address: StreamAddress, until: float) -> Page:
    """Ask for the page at an address.

    Args:
        address: of http or https. Its user and password go to this host alone, not to where it redirects.
        until: `time.monotonic()` when to give up.

    Raises:
        SourceError: there is none, or not in time.
    """
    place, proof = address, None
    for _ in range(MOST_REQUESTS):
        response, connection = _ask(place, proof, until)
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return Page(address, response, connection)
        response.close()
        challenges = response.headers.get_all("WWW-Authenticate", [])
        if response.status == HTTPStatus.UNAUTHORIZED and place.user is not None and proof is None:
            # said once: cameras lock a user out after a few wrong ones
            proof = authorization(challenges, place.path, place.user, place.password or "")
            if proof is None:
                raise SourceError(f"{place}: wants user and password in a way that is not known here")
        elif response.status < HTTPStatus.BAD_REQUEST:
            place, proof = _redirected(place, response.headers.get("Location", "")), None
        else:
            raise place.refused(response.status)
    raise SourceError(f"{address}: redirects again and again")


class _Connection(http.client.HTTPConnection):
    """Over a connection that is there already; it closes that as soon as the headers have come and the body is read."""

    def __init__(self, place: StreamAddress, connection: _Socket) -> None:
        self.default_port = 443 if place.scheme == "https" else 80  # else it would be named in the `Host` header
        super().__init__(place.host, place.port)
        self.sock = connection


def _ask(place: StreamAddress, proof: str | None, until: float) -> tuple[http.client.HTTPResponse, _Socket]:
    headers = {"User-Agent": "edged", "Accept": "*/*", "Connection": "close"}
    if proof is not None:
        headers["Authorization"] = proof
    try:
        connection = connect(place.host, place.port, until, tls=place.scheme == "https")
        try:
            client = _Connection(place, connection)
            client.request("GET", place.path, headers=headers)
            return client.getresponse(), connection
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        raise place.failed(error) from None
    except (http.client.HTTPException, ValueError):
        raise SourceError(f"{place}: does not answer as an HTTP server does") from None


def _redirected(place: StreamAddress, location: str) -> StreamAddress:
    target = urljoin(place.bare, location)
    scheme = urlsplit(target).scheme
    if not location or scheme not in {"http", "https"}:
        raise SourceError(f"{place}: redirects to what is not HTTP ({scheme if location else 'to nothing'})")
    there = StreamAddress.parse(target)
    return there.with_user_of(place) if there.server == place.server else there
