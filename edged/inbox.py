"""What other threads have for one thread: results, bounded, the newest win; and everything else, which is not lost."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_DROPPABLE: Final = 1000


class Inbox(Generic[T]):
    """In the order of its coming. Putting something in never waits."""

    def __init__(self, most: int = MAX_DROPPABLE) -> None:
        self._most = most
        self._condition = threading.Condition()
        self._items: deque[tuple[T, bool]] = deque()
        self._droppable = 0
        self._closed = False

    def put(self, item: T, *, droppable: bool = False) -> None:
        """Put something in; of what is droppable the oldest makes room."""
        with self._condition:
            if droppable and self._droppable == self._most:
                del self._items[next(at for at, (_, may_go) in enumerate(self._items) if may_go)]
                self._droppable -= 1
            self._items.append((item, droppable))
            self._droppable += droppable
            self._condition.notify()

    def close(self) -> None:
        """Nobody waits any more."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def take(self, seconds: float) -> list[T]:
        """All that is there; waits so long for something to come."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._closed, seconds)
            items = [item for item, _ in self._items]
            self._items.clear()
            self._droppable = 0
            return items
