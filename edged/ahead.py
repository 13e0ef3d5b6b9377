"""A function over many items in a few threads: results in order, and never more items taken than are soon needed."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2  # items for each thread: one in hand, one that waits, so that a slow item or a busy caller idles nobody


def map_ahead(function: Callable[[T], R], items: Iterable[T], jobs: int) -> Generator[R, None, None]:
    """`function` of every item, in the items' order, in `jobs` threads.

    The items are taken in the caller's thread, at most `AHEAD * jobs` whose results have not been asked for. What the
    function or the items raise comes out here, and ends it. Closing the iterator waits for the items that are in hand.
    """
    waiting: deque[Future[R]] = deque()
    threads = ThreadPoolExecutor(jobs, thread_name_prefix="ahead")
    try:
        for item in items:
            waiting.append(threads.submit(function, item))
            if len(waiting) >= AHEAD * jobs or waiting[0].done():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
