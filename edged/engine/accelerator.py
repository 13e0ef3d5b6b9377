"""Keeps trying to have the Edge TPU infer, in the background: the CPU labels until it does, and again when it fails."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from edged.engine.edgetpu import EdgeTpu, find_edge_tpus
from edged.engine.loaded_worker import LoadedWorker
from edged.engine.patience import Patience
from edged.engine.trouble import without_pid
from edged.errors import EdgedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.engine.options import EngineOptions, ModelFiles
    from edged.engine.process import WorkerProcess

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0  # how often sysfs is looked at, and the worker that stands by
BEST_TWIN: Final = "coral-mobilenet-v1-0.75-192"
NO_TWIN: Final = (
    f"the model has no file for the Edge TPU: edged models install {BEST_TWIN} --use, or give a package with a"
    " *_edgetpu.tflite"
)
UNPLUGGED: Final = "no Edge TPU is attached any more: check the plug, the cable and the power supply"


class Host(Protocol):
    """The engine, as the accelerator sees it."""

    def wanted(self) -> Mapping[int, ModelFiles]:
        """What is to be loaded now."""

    def take_over(self, worker: LoadedWorker, wanted: Mapping[int, ModelFiles]) -> bool:
        """Infer with this worker from the next frame on. False when `wanted` has changed meanwhile."""

    def look_after_standby(self) -> None:
        """See that a worker stands by for the CPU."""


class Accelerator:
    """A thread that brings up workers with the Edge TPU, one at a time, and gives them to the engine."""

    def __init__(self, options: EngineOptions, host: Host, on_change: Callable[[], None]) -> None:
        self._options = options
        self._host = host
        self._on_change = on_change
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._serving = False
        self._candidate: LoadedWorker | None = None
        self._last: WorkerProcess | None = None  # held the device, and must have left the kernel before the next one
        self._patience = Patience()
        self._tried = 0
        self._settled = threading.Condition()
        self._seen = False  # an Edge TPU, since the start
        self._said: set[str] = set()
        self.reason: str | None = None
        """Why the Edge TPU does not infer although it should; None where it does, or need not."""
        self._thread = threading.Thread(target=self._run, name="edgetpu", daemon=True)

    def start(self) -> None:
        """Begin, unless the CPU is all that is wanted or it has begun."""
        if self._options.device != "cpu" and self._thread.ident is None:
            self._thread.start()

    def consider(self) -> None:
        """The models have changed."""
        self._wake.set()

    def lost(self, process: WorkerProcess, reason: str, served: float) -> None:
        """The worker that the engine inferred with is dead, after `served` seconds of results."""
        with self._lock:
            self._serving = False
            self._last = process
            if self._patience.failed(time.monotonic(), served):
                self._said.clear()
            self._say(f"the Edge TPU failed: {reason}")
        self._wake.set()

    def wait_settled(self, seconds: float) -> None:
        """Wait until the Edge TPU infers, or the next try has failed; so long at most."""
        with self._settled:
            tried = self._tried
            self._wake.set()
            if self._serving:
                return
            self._settled.wait_for(lambda: self._tried > tried or self._closing.is_set(), seconds)

    def close(self) -> None:
        """End; a worker that is being brought up is killed."""
        self._closing.set()
        self._wake.set()
        candidate = self._candidate
        if candidate is not None:
            candidate.process.interrupt()
        with self._settled:
            self._settled.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        before: tuple[EdgeTpu, ...] = ()
        while not self._closing.is_set():
            try:
                before = self._look(before)
            except Exception:  # whatever it is: the CPU labels, and the next look may do better
                log.exception("inference: looking after the Edge TPU")
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()

    def _look(self, before: tuple[EdgeTpu, ...]) -> tuple[EdgeTpu, ...]:
        """Do what is to be done now. Takes and returns the devices that were there at the last look."""
        if self._serving:
            self._host.look_after_standby()
            return before
        present = find_edge_tpus(self._options.root)
        if present and not before:
            self._patience.forget()  # it has come, or come back: another cable, another port, another chance
        elif present != before:
            self._patience.shorten(time.monotonic())
        if not self._is_due(present):
            return present
        self._try(present)
        return find_edge_tpus(self._options.root)

    def _is_due(self, present: tuple[EdgeTpu, ...]) -> bool:
        """Whether to bring up a worker now. Says why not, where that is not how it should be."""
        wanted = self._host.wanted()
        if not wanted:
            return False
        self._seen = self._seen or bool(present)
        forced = self._options.device == "edgetpu"
        if not any(files.edgetpu is not None for files in wanted.values()):
            self._set(NO_TWIN if present or forced else None)
        elif not present and not forced:
            self._set(UNPLUGGED if self._seen else None)
        elif self._last is not None and not self._last.gone:
            self._set("the worker that held the Edge TPU sits in the kernel and cannot be ended; restart the machine")
        elif self._patience.is_over(time.monotonic()):
            return True
        self._settle()
        return False

    def _try(self, present: tuple[EdgeTpu, ...]) -> None:
        try:
            self._bring_up()
        except (EdgedError, OSError, RuntimeError) as error:
            if not self._closing.is_set():
                self._patience.failed(time.monotonic(), 0.0)
                self._set(f"the Edge TPU cannot be used: {error}")
        else:
            if self._serving:
                log.info(
                    "inference: the Edge TPU labels (%s)", ", ".join(tpu.name for tpu in present) or "not in sysfs"
                )
        self._settle()

    def _bring_up(self) -> None:
        candidate = self._candidate = LoadedWorker(self._options, "edgetpu")
        self._last = candidate.process
        try:
            if not self._closing.is_set():  # after the lines above: `close` sees the candidate, or this sees `close`
                candidate.wait_ready()
                while not self._offer(candidate):
                    pass
        finally:
            self._candidate = None
            if not self._serving:
                candidate.process.kill()

    def _offer(self, candidate: LoadedWorker) -> bool:
        """Load what is wanted now and give the worker to the engine. False when something else is wanted meanwhile."""
        wanted = self._host.wanted()
        candidate.fit(wanted)
        taken = False
        self._serving = True  # before it serves: it may be lost at once
        try:
            taken = self._host.take_over(candidate, wanted)
        finally:
            if not taken:
                self._serving = False
        with self._lock:
            if self._serving:
                self._say(None)
        return taken or self._closing.is_set()

    def _settle(self) -> None:
        with self._settled:
            self._tried += 1
            self._settled.notify_all()

    def _set(self, reason: str | None) -> None:
        with self._lock:
            self._say(reason)

    def _say(self, reason: str | None) -> None:
        """Make it the reason, and log it unless it has been said since the Edge TPU last did well."""
        reason = None if reason is None else without_pid(reason)
        if reason == self.reason:
            return
        self.reason = reason
        if reason is not None:
            log.log(logging.DEBUG if reason in self._said else logging.WARNING, "inference: %s; the CPU labels", reason)
            self._said.add(reason)
        self._on_change()
