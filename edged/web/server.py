"""The page's thread: an event loop with uvicorn in it, and a pulse for whoever looks on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect

from edged.errors import EdgedError, UnavailableError
from edged.web.api import Api
from edged.web.browse import Browse
from edged.web.facts import event_fields, to_json
from edged.web.guard import ForgedError, Guard, refused
from edged.web.live import Told, sse
from edged.web.protocol import HEAD_BYTES, BoundedProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from edged.mqtt.event_messages import Event
    from edged.web.desk import Desk
    from edged.web.live import Live
    from edged.web.security import Gate, Names

log = logging.getLogger(__name__)

PULSE_S: Final = 2.0
"""How often a page that is open is told how the device is."""
GRACE_S: Final = 0.3


class PageServer:
    """Started once. Its methods are for the daemon's thread."""

    def __init__(self, listening: socket.socket, desk: Desk, live: Live, gate: Gate, names: Names) -> None:
        self._socket = listening
        self._live = live
        self._desk = desk
        self._api = Api(desk, live, gate)
        config = uvicorn.Config(
            application(desk, live, gate, names, self._api),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what is worth saying the guard says
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = 0
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether its thread has."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Let people in."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        self._server.should_exit = True
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._live.stop)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:  # labels go on without a page
            log.exception("page: it is gone until the next start")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_said)
        self._live.start(self._events, self._model)
        self._pulses = asyncio.create_task(self._pulse(), name="pulse")
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._live.stop()
            self._pulses.cancel()

    async def _pulse(self) -> None:
        """How the device is, now and then, as long as somebody wants to know."""
        kind = Told("condition")
        while True:
            await asyncio.sleep(PULSE_S)
            if self._live.viewers.want(kind):
                with contextlib.suppress(EdgedError):  # the daemon is about to end
                    self._live.viewers.tell(kind, await self._api.condition())

    def _events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._told += 1  # each is a kind of its own: none replaces another one
            self._live.viewers.tell(Told("event", str(self._told)), sse("event", to_json(event_fields(event))))

    def _model(self) -> None:
        if self._live.viewers.want(Told("model")):
            self._telling = asyncio.ensure_future(self._tell_model())

    async def _tell_model(self) -> None:
        self._desk.renew()
        with contextlib.suppress(EdgedError):
            self._live.viewers.tell(Told("model"), await self._api.model())


def application(desk: Desk, live: Live, gate: Gate, names: Names, api: Api) -> ASGIApp:
    """All routes, behind the guard."""

    async def failed(request: Request, error: Exception) -> Response:
        if isinstance(error, ForgedError):
            return refused(403, str(error))
        if isinstance(error, EdgedError):
            return refused(503 if isinstance(error, UnavailableError) else 500, str(error))
        log.error("page: %s", request.url.path, exc_info=error)
        return refused(500, "an error of edged's own; its log has more")

    async def gone(request: Request, error: Exception) -> Response:  # noqa: ARG001  nobody's fault, and no news
        return refused(400, "the request broke off")

    async def unknown(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        text = "no such page" if status == 404 else f"{request.method} is not for this page"  # noqa: PLR2004  HTTP's
        return refused(status, text, getattr(error, "headers", None))

    routes = [*Browse(desk, live, gate).routes(), *api.routes()]
    handlers = {EdgedError: failed, ClientDisconnect: gone, Exception: failed, 404: unknown, 405: unknown}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, names, gate)


def _said(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A connection that broke is nobody's fault; anything else is one of edged's own."""
    error = context.get("exception")
    if isinstance(error, OSError):
        log.debug("page: %s: %s", context.get("message"), error)
    else:
        log.error("page: %s", context.get("message"), exc_info=error if isinstance(error, BaseException) else None)
