"""Who looks on: each viewer has a letter box in which the newest of a kind replaces the one before it.

So a viewer on a slow connection misses what is old, costs a bounded amount of memory, and holds up nobody. All of this
is for the page's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from edged.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

MOST: Final = 32
"""Viewers at a time: pages, and streams of cameras."""
MOST_WAITING: Final = 200
"""Items in a viewer's letter box; the oldest makes room."""


class Viewer:
    """One of them.

    Args:
        wants: whether it wants to hear of this kind of thing.
    """

    def __init__(self, wants: Callable[[Hashable], bool]) -> None:
        self.wants = wants
        self._items: dict[Hashable, bytes] = {}
        self._some = asyncio.Event()
        self._closed = False

    def put(self, kind: Hashable, item: bytes) -> None:
        """Something new. Never waits."""
        self._items.pop(kind, None)
        self._items[kind] = item
        if len(self._items) > MOST_WAITING:
            del self._items[next(iter(self._items))]
        self._some.set()

    def close(self) -> None:
        """It is to go."""
        self._closed = True
        self._some.set()

    async def take(self, seconds: float) -> list[bytes] | None:
        """What is new; nothing when nothing comes in time; None once it is to go."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._some.wait()
        if self._closed:
            return None
        self._some.clear()
        items = list(self._items.values())
        self._items.clear()
        return items


class Viewers:
    """All of them."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._viewers)

    @contextlib.contextmanager
    def join(self, wants: Callable[[Hashable], bool]) -> Iterator[Viewer]:
        """Look on for as long as the context lasts.

        Raises:
            UnavailableError: there are as many as may be.
        """
        if self._closed or len(self._viewers) >= MOST:
            raise UnavailableError(f"{MOST} viewers are connected already; close a page, or wait")
        viewer = Viewer(wants)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def want(self, kind: Hashable) -> bool:
        """Whether anybody wants to hear of this kind of thing."""
        return any(viewer.wants(kind) for viewer in self._viewers)

    def tell(self, kind: Hashable, item: bytes) -> None:
        """Tell everybody who wants to hear of it."""
        for viewer in self._viewers:
            if viewer.wants(kind):
                viewer.put(kind, item)

    def dismiss(self) -> None:
        """Everybody is to go; who may come again comes again."""
        for viewer in self._viewers:
            viewer.close()

    def close(self) -> None:
        """Everybody is to go, and nobody comes any more."""
        self._closed = True
        self.dismiss()
