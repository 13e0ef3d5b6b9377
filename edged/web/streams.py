"""Answers that do not end: server-sent events, and MJPEG."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edged.web.live import Picture, Told, sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

    from starlette.types import Receive, Scope, Send

    from edged.web.live import Live
    from edged.web.viewers import Viewer

PULSE_S: Final = 15.0
"""Without news something is sent all the same, so that a connection that is dead is noticed."""
BOUNDARY: Final = "edged-frame"
RETRY_MS: Final = 2000


class Stream:
    """An ASGI answer: what comes to a viewer's letter box goes out, until one of both sides goes away.

    Args:
        live: where to look on.
        wants: what.
        media_type: of the whole.
        begin: called once it looks on; gives what it is sent first.
        frame: what an item becomes on the way out.
        pulse: what is sent when there is no news.
    """

    def __init__(  # noqa: PLR0913  what the two kinds differ in
        self,
        live: Live,
        wants: Callable[[Hashable], bool],
        media_type: str,
        *,
        begin: Callable[[], Awaitable[list[bytes]]],
        frame: Callable[[bytes], bytes] = lambda item: item,
        pulse: bytes = b"",
    ) -> None:
        self._live = live
        self._wants = wants
        self._headers = [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        self._begin = begin
        self._frame = frame
        self._pulse = pulse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Until it ends."""
        with self._live.viewers.join(self._wants) as viewer:
            first = [] if scope["method"] == "HEAD" else await self._begin()
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            if scope["method"] != "HEAD":
                await self._run(viewer, first, receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _run(self, viewer: Viewer, first: list[bytes], receive: Receive, send: Send) -> None:
        going = asyncio.ensure_future(_gone(receive))
        going.add_done_callback(lambda _: viewer.close())
        try:
            if first:
                await _send(send, b"".join(first))
            async for data in self._items(viewer):
                await _send(send, data)
        finally:
            going.cancel()

    async def _items(self, viewer: Viewer) -> AsyncIterator[bytes]:
        while (items := await viewer.take(PULSE_S)) is not None:
            data = b"".join(map(self._frame, items)) or self._pulse
            if data:
                yield data


def events(live: Live, begin: Callable[[], Awaitable[list[bytes]]], *, pictures: bool) -> Stream:
    """Everything that a page shows, as server-sent events; with pictures or without."""

    def wants(kind: Hashable) -> bool:
        return isinstance(kind, Told) and (pictures or kind.name != "picture")

    async def first() -> list[bytes]:
        return [f"retry: {RETRY_MS}\n\n".encode(), *await begin()]

    return Stream(live, wants, "text/event-stream; charset=utf-8", begin=first, pulse=sse("pulse", "{}"))


def mjpeg(live: Live, camera: str) -> Stream:
    """A camera's pictures, each as a part of a multipart answer, as cameras themselves give them."""
    border = f"--{BOUNDARY}\r\n".encode()

    async def first() -> list[bytes]:
        live.show(camera)
        return [border]

    def frame(jpeg: bytes) -> bytes:
        # The next part's border at once: browsers show a part when they have seen it.
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        return head.encode() + jpeg + b"\r\n" + border

    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return Stream(live, lambda kind: kind == Picture(camera), media_type, begin=first, frame=frame)


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
