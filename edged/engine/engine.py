"""The daemon's half of inference: models that stay loaded whatever becomes of the worker that holds them."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edged.engine.budget import RestartBudget
from edged.engine.process import WorkerProcess
from edged.engine.worker import wire
from edged.errors import EdgedError, ModelError, WorkerError

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.tensors import SharedTensors

log = logging.getLogger(__name__)

MOST_SAID = 20
_PID = re.compile(r"\(pid \d+\)")

Fill = Callable[[NDArray[np.generic], wire.TensorSpec], None]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How inference runs.

    Attributes:
        threads: threads of one inference; None takes all cores but one, three at most.
        deadline: seconds for one inference; past it the worker is killed.
        load_deadline: seconds for the start of a worker, and for loading one model.
        python: another interpreter to run inference in; None is the daemon's own.
    """

    threads: int | None = None
    deadline: float = 5.0
    load_deadline: float = 30.0
    python: Path | None = None

    @property
    def thread_count(self) -> int:
        """The number of threads to ask the runtime for."""
        return self.threads or max(1, min(3, (os.cpu_count() or 1) - 1))


@dataclass(frozen=True, slots=True)
class Inference:
    """What one inference gave: the first output as a copy, its meaning, the time in the runtime, the device."""

    scores: NDArray[np.generic]
    spec: wire.TensorSpec
    seconds: float
    device: str


@dataclass(frozen=True, slots=True)
class EngineState:
    """For `health`: what inference runs on, why it does not where it does not, and how often it was started again.

    `device`, `pid` and `runtime` (name, version, Python) are the present worker's; None where there is none.
    """

    device: str | None
    reason: str | None
    restarts: int
    pid: int | None
    runtime: str | None


class EngineDownError(WorkerError):
    """No worker runs now. `retry_in`: seconds until the next start is due."""

    def __init__(self, text: str, retry_in: float) -> None:
        super().__init__(text)
        self.retry_in = retry_in


class Engine:
    """Models in one worker at a time; a worker that dies is replaced with the same models in it.

    Thread-safe: one inference at a time, in the order of the calls.
    """

    def __init__(self, options: EngineOptions | None = None, on_change: Callable[[], None] = lambda: None) -> None:
        self._options = options or EngineOptions()
        self.on_change = on_change  # called when `state().reason` comes or goes
        self._lock = threading.RLock()
        self._files: dict[int, Path] = {}
        self._worker: WorkerProcess | None = None
        self._mapped: dict[int, SharedTensors] = {}
        self._budget = RestartBudget()
        self._restarts = 0
        self._reason: str | None = None
        self._said: set[str] = set()  # troubles that are in the log since the last result
        self._closing = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closing.is_set()

    def start(self) -> None:
        """Start the worker without waiting for it: it imports its runtime while the caller does other things."""
        with self._lock:
            if self._worker is None:
                try:
                    self._worker = WorkerProcess(self._options.python)
                except WorkerError as error:  # what waiting may mend: the first inference tries again
                    self._lost(error)

    def load(self, path: Path) -> int:
        """Load a `.tflite` file. Returns the slot to infer with.

        Raises:
            ModelError: the runtime refuses the file.
            WorkerError: the worker died over it or did not finish in time.
        """
        with self._lock:
            slot = next((number for number in range(wire.MAX_SLOTS) if number not in self._files), None)
            if slot is None:
                raise ModelError(f"{wire.MAX_SLOTS} models are loaded already")
            worker = self._live()
            try:
                self._mapped[slot] = self._load(worker, slot, path)
            except WorkerError as error:
                self._lost(error)
                raise
            self._files[slot] = path
            return slot

    def unload(self, slot: int) -> None:
        """Forget a model."""
        with self._lock:
            self._files.pop(slot)
            self._mapped.pop(slot, None)
            if self._worker is not None:
                try:
                    self._worker.unload(slot, seconds=self._options.deadline)
                except WorkerError as error:
                    self._lost(error)

    def spec(self, slot: int) -> tuple[tuple[wire.TensorSpec, ...], tuple[wire.TensorSpec, ...]]:
        """Inputs and outputs of a loaded model."""
        with self._lock:
            self._live()
            return self._mapped[slot].inputs, self._mapped[slot].outputs

    def infer(self, slot: int, fill: Fill) -> Inference:
        """Have `fill` write the input tensor, in place, then run the model.

        Raises:
            EngineDownError: no worker runs and none may be started yet.
            WorkerError: the worker died or hung over this frame; the next call starts another.
            ModelError: the runtime refuses to run the model.
        """
        with self._lock:
            worker = self._live()
            mapped = self._mapped[slot]
            fill(mapped.arrays_in[0], mapped.inputs[0])
            try:
                seconds = worker.infer(slot, seconds=self._options.deadline)
            except WorkerError as error:
                self._lost(error)
                raise
            except ModelError as error:  # the worker lives, and every frame will fail alike
                self._say(error)
                raise
            self._gave_result()
            return Inference(mapped.arrays_out[0].copy(), mapped.outputs[0], seconds, "cpu")

    def measure(self, slot: int, count: int) -> float:
        """Median seconds of bare `invoke()` in the worker, for benchmarks."""
        with self._lock:
            return self._live().measure(slot, count, seconds=max(60.0, count * self._options.deadline))

    def state(self) -> EngineState:
        """Never blocks for long: reads what is known."""
        worker = self._worker
        ready = worker.runtime if worker else None
        runtime = f"{ready.runtime} {ready.version} on Python {ready.python}" if ready else None
        return EngineState(
            "cpu" if ready else None, self._reason, self._restarts, worker.pid if worker else None, runtime
        )

    def close(self) -> None:
        """End the worker; infer no more."""
        self._closing.set()  # before the lock: a thread inside `_live` must not start another
        worker = self._worker
        if worker is not None:
            worker.interrupt()  # an inference that another thread waits for ends now
        with self._lock:
            if self._worker is not None:
                self._worker.kill()
            self._worker = None

    def _live(self) -> WorkerProcess:
        """The worker, with every model in it; a new one when there is none and the budget allows."""
        if self.closed:
            raise EngineDownError("the engine is closed", 0.0)
        if self._worker is not None and self._worker.runtime is not None:
            return self._worker
        wait = self._budget.wait(time.monotonic())
        if wait > 0:
            raise EngineDownError(f"the worker died too often; next start in {wait:.0f} s ({self._reason})", wait)
        try:
            worker = self._worker or WorkerProcess(self._options.python)
            self._worker = worker
            if self._closing.is_set():  # after the line above: either `close` sees the worker, or this sees `close`
                worker.interrupt()
            ready = worker.wait_ready(seconds=self._options.load_deadline)
            self._mapped = {slot: self._load(worker, slot, path) for slot, path in self._files.items()}
        except EdgedError as error:
            self._lost(error)
            raise WorkerError(str(error)) from error
        log.debug("worker %s: %s %s on Python %s", worker.pid, ready.runtime, ready.version, ready.python)
        return worker

    def _load(self, worker: WorkerProcess, slot: int, path: Path) -> SharedTensors:
        return worker.load(slot, path, threads=self._options.thread_count, seconds=self._options.load_deadline)

    def _lost(self, error: EdgedError) -> None:
        """Reap the worker, and note how it ended."""
        if self._worker is not None:
            self._worker.kill()
        self._worker = None
        if self.closed:
            return
        self._restarts += 1
        self._budget.died(time.monotonic())
        self._say(error)

    def _say(self, error: EdgedError) -> None:
        """Make it the state's reason, and log it unless it is the same trouble again."""
        reason = str(error)  # text: an error kept, here or in a log record, keeps its frames and their memory
        wait = self._budget.wait(time.monotonic())
        pause = f"; next start in {wait:.0f} s" if wait else ""
        trouble = _PID.sub("", reason) + ("; too often" if wait else "")
        log.log(logging.DEBUG if trouble in self._said else logging.WARNING, "inference: %s%s", reason, pause)
        if len(self._said) < MOST_SAID:
            self._said.add(trouble)
        if reason != self._reason:
            self._reason = reason
            self.on_change()

    def _gave_result(self) -> None:
        self._budget.gave_result(time.monotonic())
        if self._reason is not None:
            log.info("inference runs again after %d restarts in all", self._restarts)
            self._reason = None
            self._said.clear()
            self.on_change()
