"""Brings up the worker that stands by for the CPU while the Edge TPU infers."""

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


class StandbyStarter:
    """Starts one worker at a time, less and less often while that fails. For one thread, but for `close`."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._patience = Patience()
        self._closing = threading.Event()
        self._arriving: LoadedWorker | None = None

    def bring_up(self, wanted: Mapping[int, ModelFiles]) -> LoadedWorker | None:
        """A fresh worker with those of the models that the CPU can run; None where there is none to be had now."""
        if all(files.cpu is None for files in wanted.values()) or not self._patience.is_over(time.monotonic()):
            return None
        try:
            fresh = self._start(wanted)
        except (EdgedError, OSError) as error:
            if not self._closing.is_set():
                level = logging.DEBUG if self._patience.failures else logging.WARNING
                log.log(level, "inference: no worker stands by for the CPU: %s", error)
            self._patience.failed(time.monotonic(), 0.0)
            return None
        self._patience.forget()
        return fresh

    def close(self) -> None:
        """Kill a worker that is being brought up; does not wait."""
        self._closing.set()
        arriving = self._arriving
        if arriving is not None:
            arriving.process.interrupt()

    def _start(self, wanted: Mapping[int, ModelFiles]) -> LoadedWorker:
        fresh = self._arriving = LoadedWorker(self._options, "cpu")
        try:
            if self._closing.is_set():  # after the line above: either `close` sees the worker, or this sees `close`
                fresh.process.interrupt()
            fresh.wait_ready()
            fresh.fit(wanted)
        except BaseException:
            fresh.process.kill()
            raise
        finally:
            self._arriving = None
        return fresh
