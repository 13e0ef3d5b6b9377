"""Between the event loop and the threads that block."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from edged.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(target: Callable[[], T], name: str) -> T:
    """Run `target` in a daemon thread of its own and wait for its end; what it gives or raises comes out here.

    Raises:
        UnavailableError: no thread is to be had now.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(call: Callable[[], None]) -> None:
        if not done.done():
            call()

    def run() -> None:
        try:
            result = target()
        except BaseException as caught:  # noqa: BLE001  handed to the loop, which ends the daemon with it
            call = partial(done.set_exception, caught)
        else:
            call = partial(done.set_result, result)
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(finish, call)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as error:
        raise UnavailableError(f"{name}: {error}") from error
    return await done


def from_threads(call: Callable[[], None]) -> Callable[[], None]:
    """`call` on the event loop, from any thread, and nothing once the loop has ended."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    return wake
