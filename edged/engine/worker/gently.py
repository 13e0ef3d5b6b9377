"""What a worker does before its first frame, out of the way of the worker that infers meanwhile.

Priorities are a thread's own on Linux, and nobody but root may raise one again. So a thread of a low one does the work
and ends; the threads that infer later never had it.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

from . import runtime

NICENESS = 10  # a ninth of the processor's time beside one that is busy: late, not never
T = TypeVar("T")


def gently(do: Callable[[], T]) -> T:
    """Call `do` in a thread of low priority, and wait for it. Threads that `do` starts keep that priority."""
    with ThreadPoolExecutor(1, "gently", _step_back) as pool:
        return pool.submit(do).result()


def import_gently(wanted: str) -> None:
    """Import what a worker needs: numpy, and the runtime; whether there is one is for the worker to say."""

    def work() -> None:
        from . import main  # noqa: F401, PLC0415  numpy with it, and here is the thread that is to import it

        with contextlib.suppress(ImportError):
            runtime.Runtime(wanted)

    gently(work)


def _step_back() -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
