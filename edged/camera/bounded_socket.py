"""Connections whose every wait ends at one moment: a server that trickles bytes is no better than a silent one."""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    _Found = Sequence[tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]]


def find_host(host: str, port: int, until: float) -> _Found:
    """Addresses of a host, the preferred first.

    The system's resolver takes no timeout, and may take minutes: it runs in a thread, which is left behind with it.

    Args:
        host: a name or an IP address.
        port: goes into the addresses.
        until: `time.monotonic()` when to give up.

    Raises:
        TimeoutError: not resolved by then.
        socket.gaierror: there is no such host.
    """
    if _is_ip_address(host):
        return _resolve(host, port)
    answer: queue.SimpleQueue[_Found | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answer.put(_resolve(host, port))
        except OSError as error:
            answer.put(error)

    threading.Thread(target=resolve, name=f"resolve {host}", daemon=True).start()
    try:
        found = answer.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        raise TimeoutError("the name is not resolved in time") from None
    if isinstance(found, OSError):
        raise found
    return found


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolve(host: str, port: int) -> _Found:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 letters
        raise socket.gaierror(socket.EAI_NONAME, "not a host's name") from error
    return [(family, where) for family, _, _, _, where in found]


class BoundedSocket(socket.socket):
    """A socket that receives until a moment and no longer. `until` is that of `time.monotonic()`."""

    until = 0.0

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Raises TimeoutError when the moment has passed."""
        self.settimeout(_left(self.until))
        return super().recv_into(buffer, nbytes, flags)


class BoundedTlsSocket(ssl.SSLSocket):
    """The same with TLS."""

    until = 0.0

    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Raises TimeoutError when the moment has passed."""
        self.settimeout(_left(self.until))
        return super().recv_into(buffer, nbytes, flags)


def connect(host: str, port: int, until: float, *, tls: bool) -> BoundedSocket | BoundedTlsSocket:
    """Connect, TLS handshake included. Raises OSError: TimeoutError when it has taken too long."""
    failure: OSError = TimeoutError("no address in time")
    for family, where in find_host(host, port, until):
        connection = BoundedSocket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(until))
            connection.connect(where)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bounded = _with_tls(connection, host) if tls else connection
        except OSError as error:
            connection.close()
            failure = error
        else:
            bounded.until = until
            return bounded
    raise failure


def _with_tls(connection: socket.socket, host: str) -> BoundedTlsSocket:
    # Cameras sign their certificates themselves, as a rule for a name that they do not have. There is nothing to check
    # them against; FFmpeg does not check either.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = BoundedTlsSocket
    with contextlib.ExitStack() as stack:
        wrapped = stack.enter_context(context.wrap_socket(connection, server_hostname=host))
        assert isinstance(wrapped, BoundedTlsSocket)  # noqa: S101  for the type checker
        stack.pop_all()
    return wrapped


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("too late")
    return left
