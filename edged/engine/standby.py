"""Brings up workers for the CPU beside those that infer: to stand by, or to hold further models."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from edged.engine.loaded_worker import LoadedWorker
from edged.engine.patience import Patience
from edged.errors import EdgedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.engine.options import EngineOptions, ModelFiles

log = logging.getLogger(__name__)


class Arrivals:
    """Workers that are on their way. Thread-safe."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._arriving: set[LoadedWorker] = set()

    def start(self, wanted: Mapping[int, ModelFiles]) -> LoadedWorker:
        """A fresh worker for the CPU with those of the models that it can run, started at a low priority.

        Takes three times `load_deadline` a model at most.

        Raises:
            ModelError: the runtime refuses a file.
            WorkerError: the worker died or hung, or cannot be started.
            Nothing is left of it after either.
        """
        fresh = LoadedWorker(self._options, "cpu", gently=True)
        with self._lock:
            self._arriving.add(fresh)
        try:
            if self._closing.is_set():  # after the lines above: either `close` sees the worker, or this sees `close`
                fresh.process.interrupt()
            fresh.wait_ready()
            fresh.fit(wanted)
        except BaseException:
            fresh.process.kill()
            raise
        finally:
            with self._lock:
                self._arriving.discard(fresh)
        return fresh

    def close(self) -> None:
        """Kill what is being brought up, now and from now on; does not wait."""
        self._closing.set()
        with self._lock:
            for worker in self._arriving:
                worker.process.interrupt()

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closing.is_set()


class StandbyStarter:
    """Brings up the worker that stands by, less and less often while that fails. For one thread."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._patience = Patience()

    def bring_up(self, wanted: Mapping[int, ModelFiles]) -> LoadedWorker | None:
        """A fresh worker with those of the models that the CPU can run; None where there is none to be had now."""
        if all(files.cpu is None for files in wanted.values()) or not self._patience.is_over(time.monotonic()):
            return None
        try:
            fresh = self._arrivals.start(wanted)
        except (EdgedError, OSError) as error:
            if not self._arrivals.closed:
                level = logging.DEBUG if self._patience.failures else logging.WARNING
                log.log(level, "inference: no worker stands by for the CPU: %s", error)
            self._patience.failed(time.monotonic(), 0.0)
            return None
        self._patience.forget()
        return fresh
