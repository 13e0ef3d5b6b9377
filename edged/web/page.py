"""The page, as the daemon knows it: told of everything that is new, stopped among the last. No label waits for it."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.config.addresses import Server
from edged.errors import ConfigError, PermissionDeniedError, UnavailableError
from edged.threads import in_thread
from edged.web.desk import Desk
from edged.web.live import Live
from edged.web.security import Gate, Names
from edged.web.server import PageServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.camera.frame import Frame
    from edged.config import Config
    from edged.labeling.label import Result
    from edged.mqtt.event_messages import Event
    from edged.mqtt.model_messages import ModelStatus, UpdateStatus
    from edged.web.parts import Parts

log = logging.getLogger(__name__)

STOP_S: Final = 1.0
ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  they are compared
BACKLOG: Final = 64
RETRY_S: Final = 5.0


class Page:
    """Made, run and stopped on the daemon's event loop; `offer` and `happened` are for any thread, and never wait.

    Raises:
        UnavailableError, PermissionDeniedError, ConfigError: see `open_page`.
    """

    def __init__(self, config: Config) -> None:
        web = config.web
        assert web.listen is not None  # noqa: S101  `open_page` has looked
        try:
            self._gate = Gate(web.token)
        except ValueError as error:
            raise ConfigError(f"web.token_file: {error}") from error
        self._names = Names.of(web.listen.host, web.hosts, loopback=web.listen.loopback)
        self._live = Live()
        self._server: PageServer | None = None
        self._address = web.listen
        self._socket = _listen_at_first(self._address)

    @property
    def url(self) -> str | None:
        """Where it is; None until it has its port."""
        if self._socket is None:
            return None
        host, port = self._socket.getsockname()[:2]
        return f"http://{Server(socket.gethostname() if host in ANY else host, port)}/"

    def offer(self, result: Result, frame: Frame) -> None:
        """A frame has been labelled."""
        self._live.offer(result, frame)

    def happened(self, events: Sequence[Event]) -> None:
        """Events have been written."""
        self._live.happened(events)

    def models(self, model: ModelStatus, update: UpdateStatus) -> None:
        """What there is to say of the model."""
        self._live.models(model, update)

    async def run(self, parts: Parts) -> None:
        """Let people in, once there is the port, and a thread to do it in."""
        said = ""
        while self._server is None:
            try:
                await self._open(parts)
            except (OSError, UnavailableError, RuntimeError) as error:  # RuntimeError: no thread is to be had now
                log.log(logging.DEBUG if str(error) == said else logging.WARNING, "page: %s: %s", self._address, error)
                said = str(error)
        log.info("page: %s", self.url)

    async def _open(self, parts: Parts) -> None:
        if self._socket is None:
            await asyncio.sleep(RETRY_S)
            self._socket = await in_thread(partial(_listen, self._address), "page's port")
        server = PageServer(self._socket, Desk(parts), self._live, self._gate, self._names)
        try:
            server.start()
        except RuntimeError:
            await asyncio.sleep(RETRY_S)
            raise
        self._server = server

    def renew(self, token: str | None) -> bool:
        """Take on another token: every session ends, and so does every stream. Returns whether it is another one."""
        renewed = self._gate.renew(token)
        if renewed:
            self._live.dismiss()
        return renewed

    async def stop(self) -> None:
        """Close all connections and the port: within a second."""
        if self._server is None:
            if self._socket is not None:
                self._socket.close()
            return
        self._server.stop()
        for _ in range(round(STOP_S / 0.02)):
            if self._server.ended:
                return
            await asyncio.sleep(0.02)


def _listen(address: Server) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_UNSPEC
    found = socket.getaddrinfo(address.host, address.port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    kind, place = found[0][0], found[0][4]
    return socket.create_server(place[:2], family=kind, backlog=BACKLOG, dualstack_ipv6=place[0] == "::")


def _listen_at_first(address: Server) -> socket.socket | None:
    """None where a network has yet to give the address: what waiting mends is no reason not to label.

    Raises:
        UnavailableError: another program has the port.
        PermissionDeniedError: it is for root alone.
    """
    try:
        return _listen(address)
    except OSError as error:
        problem = f"cannot listen on {address}: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            raise UnavailableError(
                f"the page {problem}; another program has the port: another edged? (web.listen: another port, or null)"
            ) from error
        if isinstance(error, PermissionError):
            raise PermissionDeniedError(
                f"web.listen: {problem}; ports below 1024 are root's, take another one"
            ) from error
        log.warning("page: %s; is it an address of this machine? (web.listen) Labels go on, trying again", problem)
        return None
