"""The address of a stream, and what goes wrong there in words for people: never with user, password or query."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPException, responses
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

from edged.errors import SourceError

_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_SECRET_IN_PATH: Final = re.compile(r"=[^/&;]*")  # some cameras want `/user=admin_password=x` there
_HOST: Final = re.compile(r"(\[[^\]]*\]|[^:/?#\[\]@]*)(:[0-9]*)?([/?#]|$)")
_PLAIN: Final = "/:=&?~+!$,;'()*[]@%-._"  # what stays as it is in a path; spaces and umlauts do not


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """An address in its parts.

    Attributes:
        path: with the query, as a server wants it.
        user, password: as they are, no longer percent-encoded; None where there is none.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)

    @classmethod
    def parse(cls, address: str) -> Self:
        """Take it apart. Raises SourceError where it has no host, or an impossible port."""
        scheme, _, rest = address.partition("://")
        user, rest = _split_user(rest)
        try:
            parts = urlsplit(f"//{rest}")
            host, port = parts.hostname, parts.port
        except ValueError as error:  # its text may repeat a part of a password
            raise SourceError(f"{scheme}: the address has no valid host and port") from error
        if not host:
            raise SourceError(f"{scheme}: the address has no host")
        path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_PLAIN)
        name, colon, password = (user or "").partition(":")
        secret = unquote(password) if colon else None
        return cls(scheme, host, port or _PORTS[scheme], path, unquote(name) if user is not None else None, secret)

    def __str__(self) -> str:
        path = self.path.partition("?")[0]
        path = path.rpartition("@")[2] if "@" in path else path  # what stands before may be a part of a password
        return f"{self.scheme}://{self._authority}{_SECRET_IN_PATH.sub('=***', path)}"

    @property
    def bare(self) -> str:
        """Without user and password."""
        return f"{self.scheme}://{self._authority}{self.path}"

    @property
    def full(self) -> str:
        """With user and password, percent-encoded: they may hold `@` and `/`."""
        if self.user is None:
            return self.bare
        password = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{self.scheme}://{quote(self.user, safe='')}{password}@{self._authority}{self.path}"

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def server(self) -> tuple[str, str, int]:
        """What has to be the same for a password to go there."""
        return self.scheme, self.host, self.port

    def with_user_of(self, other: Self) -> Self:
        """This address with the other's user and password."""
        return replace(self, user=other.user, password=other.password)

    def refused(self, status: int) -> SourceError:
        """What an HTTP or RTSP status of 400 and more means."""
        if status == HTTPStatus.UNAUTHORIZED:
            wrong = "user or password is wrong" if self.user is not None else "it wants a user and a password"
            return SourceError(f"{self}: refused: {wrong}")
        if status == HTTPStatus.FORBIDDEN:
            return SourceError(f"{self}: refused: this user may not see it")
        if status == HTTPStatus.NOT_FOUND:
            return SourceError(f"{self}: not found: the server has nothing at this path")
        return SourceError(f"{self}: the server answers {status} {responses.get(status, '')}".rstrip())

    def failed(self, error: Exception) -> SourceError:
        """What an error of the network means."""
        return SourceError(f"{self}: {self._words(error)}")

    def _words(self, error: Exception) -> str:
        kinds: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
            (TimeoutError, "does not answer in time"),
            (socket.gaierror, f"the host '{self.host}' cannot be found"),
            (ConnectionRefusedError, f"refuses connections: nothing listens at port {self.port}"),
            (ssl.SSLError, "no TLS connection can be made; perhaps it is no TLS port"),
            (ConnectionError, "the server cut the connection"),
            (HTTPException, "what it sends breaks off"),
        )
        for kind, words in kinds:
            if isinstance(error, kind):
                return words
        return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _split_user(rest: str) -> tuple[str | None, str]:
    """What stands before the host, and the rest. People leave `/`, `?` and `@` in passwords as they are.

    Where that can be read in two ways, as much as possible is taken for the password: it is never shown.
    """
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and _HOST.match(authority):
        return None, rest
    for part in (rest.partition("?")[0], rest):
        user, at, _ = part.rpartition("@")
        if at and _HOST.match(rest[len(user) + 1 :]):
            return user, rest[len(user) + 1 :]
    user, at, rest = rest.rpartition("@")
    return user if at else None, rest
