"""The daemon's half of inference: models that stay loaded whatever becomes of the worker that holds them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edged.engine.accelerator import Accelerator
from edged.engine.budget import RestartBudget
from edged.engine.loaded_worker import LoadedWorker
from edged.engine.options import EngineDownError, EngineOptions, EngineState, Inference, ModelFiles
from edged.engine.standby import Arrivals, StandbyStarter
from edged.engine.trouble import Trouble, without_pid
from edged.engine.worker import wire
from edged.errors import EdgedError, ModelError, WorkerError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Engine", "EngineDownError", "EngineOptions", "EngineState", "Inference", "ModelFiles"]

log = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 1.0
LOAD_PAUSE_SECONDS: Final = 0.5
NOT_READY: Final = "the Edge TPU is not ready"

Fill = Callable[[NDArray[np.generic], wire.TensorSpec], None]


class Engine:
    """Models in a worker; one that dies is replaced with the same models in it.

    While the Edge TPU infers, a second worker with the same models stands by for the CPU: when the device fails, the
    next frame goes there. Thread-safe: one inference at a time, in the order of the calls.
    """

    def __init__(self, options: EngineOptions | None = None, on_change: Callable[[], None] = lambda: None) -> None:
        self._options = options or EngineOptions()
        self.on_change = on_change  # called when the state's reason or device changes
        self._lock = threading.RLock()
        self._files: dict[int, ModelFiles] = {}
        self._serving: LoadedWorker | None = None
        self._ready = False  # the serving worker holds every model that can run there
        self._standby: LoadedWorker | None = None
        self._served_since: float | None = None  # when the serving worker gave its first result
        self._aside: LoadedWorker | None = None  # the Edge TPU's, while it loads further models
        self._loading = threading.RLock()  # held while models are loaded or unloaded; taken before the other lock
        self._arrivals = Arrivals(self._options)
        self._standby_starter = StandbyStarter(self._arrivals)
        self._budget = RestartBudget()
        self._restarts = 0
        self._last_failure: str | None = None
        self._trouble = Trouble(lambda: self.on_change())  # noqa: PLW0108  it may be set later
        self._closing = threading.Event()
        self._accelerator = Accelerator(self._options, self, lambda: self.on_change())  # noqa: PLW0108  it may be set later

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closing.is_set()

    def start(self) -> None:
        """Start the worker without waiting for it: it imports its runtime while the caller does other things."""
        with self._lock:
            if self._serving is None:
                try:
                    self._serving = LoadedWorker(self._options, "cpu")
                except WorkerError as error:  # what waiting may mend: the first inference tries again
                    self._lost(error)

    def load(self, cpu: Path | None, edgetpu: Path | None = None) -> int:
        """Load a model: its `.tflite` file for the CPU, the one compiled for the Edge TPU, or both.

        With both, this waits for the CPU alone; the Edge TPU takes over in the background. Returns the slot to infer
        with.

        Raises:
            ModelError: the runtime refuses the file, or it needs an Edge TPU and there is none that works.
            WorkerError: the worker died over it or did not finish in time.
        """
        files = ModelFiles(cpu, edgetpu)
        with self._loading, self._lock:
            (slot,) = self._free_slots([files])
            if cpu is not None or self._on_edgetpu():
                self._load(slot, files)
            self._files[slot] = files
            self._accelerator.start()
            self._accelerator.consider()
        if cpu is None:
            self._wait_for_edgetpu(slot)
        return slot

    def load_beside(self, models: Sequence[ModelFiles]) -> list[int]:
        """Load further models while frames go on: no inference waits for it. Returns their slots.

        A fresh worker loads what is there and these, and takes the place of the CPU's between two frames. Where the
        Edge TPU infers, its own worker loads their compiled files, as one process holds the device; the CPU's infers
        meanwhile.

        Raises:
            ModelError: the runtime refuses a file, or a compiled file has other tensors than the CPU's.
            WorkerError: a worker died or hung over them.
            After either everything is as it was before; the Edge TPU's worker may be on its way back.
        """
        with self._loading:
            with self._lock:
                added = self._free_slots(models)
            fresh = self._arrivals.start(added)
            try:
                while not self._join(fresh, added):
                    pass
                self._load_twins(added)
            except BaseException:
                self._forget(added)
                if fresh not in (self._serving, self._standby):
                    fresh.process.kill()
                raise
        return list(added)

    def _load(self, slot: int, files: ModelFiles) -> None:
        """Load a model into the serving worker, and into the one that stands by."""
        worker = self._live()
        try:
            try:
                worker.load(slot, files)
            except ModelError as error:
                if worker.device == "cpu" or files.edgetpu is None or files.cpu is None:
                    raise
                log.warning("inference: %s; the CPU runs it", error)
                worker.load(slot, ModelFiles(files.cpu))
                worker.files[slot] = files
        except WorkerError as error:
            self._lost(error)
            raise

    def settle(self) -> None:
        """Wait until the Edge TPU infers, or its next try has failed; at most as long as loading may take."""
        if self._options.device != "cpu":
            self._accelerator.wait_settled(2 * self._options.load_deadline)

    def unload(self, slot: int) -> None:
        """Forget a model."""
        with self._loading:
            self._forget([slot])

    def spec(self, slot: int) -> tuple[tuple[wire.TensorSpec, ...], tuple[wire.TensorSpec, ...]]:
        """Inputs and outputs of a loaded model."""
        with self._lock:
            tensors = self._with(slot).models[slot].tensors
            return tensors.inputs, tensors.outputs

    def infer(self, slot: int, fill: Fill) -> Inference:
        """Have `fill` write the input tensor, in place, then run the model.

        The quantisation of the tensor may change from one call to the next, when another device takes over.

        Raises:
            EngineDownError: no worker runs and none may be started yet.
            WorkerError: the worker died or hung over this frame; the next call starts another, or has one already.
            ModelError: the runtime refuses to run the model.
        """
        with self._lock:
            worker = self._with(slot)
            model = worker.models[slot]
            tensors = model.tensors
            fill(tensors.arrays_in[0], tensors.inputs[0])
            try:
                seconds = worker.process.infer(slot, seconds=self._options.deadline)
            except WorkerError as error:
                self._lost(error)
                raise
            except ModelError as error:
                if model.device == "edgetpu":  # the CPU can, and the device may after a fresh start
                    failure = WorkerError(f"it does not run the model: {error}")
                    self._lost(failure)
                    raise failure from error
                # the worker lives, and every frame will fail alike
                self._trouble.is_that(error, 0.0)
                raise
            self._gave_result()
            return Inference(tensors.arrays_out[0].copy(), tensors.outputs[0], seconds, model.device)

    def measure(self, slot: int, count: int) -> float:
        """Median seconds of bare `invoke()` in the worker, for benchmarks."""
        with self._lock:
            seconds = max(60.0, count * self._options.deadline)
            return self._with(slot).process.measure(slot, count, seconds=seconds)

    def state(self) -> EngineState:
        """Never blocks for long: reads what is known."""
        serving, standby = self._serving, self._standby
        ready = serving.process.runtime if serving else None
        runtime = f"{ready.runtime} {ready.version} on Python {ready.python}" if ready else None
        return EngineState(
            device=serving.slots_device if serving and ready else None,
            reason=self._trouble.reason or self._accelerator.reason,
            restarts=self._restarts,
            pid=serving.process.pid if serving else None,
            runtime=runtime,
            pids=tuple(worker.process.pid for worker in (serving, standby) if worker is not None),
            last_failure=self._last_failure,
        )

    def restart(self) -> None:
        """Start inference anew: the worker is killed, as if it had hung."""
        worker = self._serving
        if worker is not None:
            worker.process.interrupt()

    def close(self) -> None:
        """End the workers; infer no more."""
        self._closing.set()  # before the lock: a thread inside `_live` must not start another
        self._accelerator.close()
        self._arrivals.close()
        for worker in (self._serving, self._standby, self._aside):
            if worker is not None:
                worker.process.interrupt()  # an inference that another thread waits for ends now
        with self._lock:
            for worker in (self._serving, self._standby):
                if worker is not None:
                    worker.process.kill()
            self._serving = self._standby = None
        self._accelerator.join(CLOSE_SECONDS)

    # What the accelerator asks of its host, in its thread.

    def wanted(self) -> Mapping[int, ModelFiles]:
        """See `Host.wanted`."""
        with self._lock:
            return dict(self._files)

    def take_over(self, worker: LoadedWorker, wanted: Mapping[int, ModelFiles]) -> bool:
        """See `Host.take_over`."""
        with self._lock:
            if self.closed or wanted != self._files:
                return False
            serving = self._serving
            if serving is not None and self._ready:
                worker.check_like(serving)
            elif serving is not None:
                serving.process.kill()
                serving = None
            self._serving, self._standby, self._ready, self._served_since = worker, serving, True, None
        self.on_change()
        return True

    def look_after_standby(self) -> None:
        """See `Host.look_after_standby`."""
        standby, wanted = self._standby, self.wanted()
        if standby is not None and standby.process.alive and standby.holds(wanted):
            return
        fresh = self._standby_starter.bring_up(wanted)
        if fresh is None:
            return
        with self._lock:
            if self.closed or self._standby is not standby or wanted != self._files or not self._on_edgetpu():
                fresh.process.kill()
                return
            fresh.hurry()
            self._standby = fresh
        if standby is not None:
            standby.process.kill()

    # With `_loading` held, and not the other lock.

    def _join(self, fresh: LoadedWorker, added: Mapping[int, ModelFiles]) -> bool:
        """Take a worker that holds further models in the place of the CPU's; False when more is wanted meanwhile."""
        wanted = {**self.wanted(), **added}
        fresh.fit(wanted)
        with self._lock:
            if self.closed:
                raise EngineDownError("the engine is closed", 0.0)
            if {**self._files, **added} != wanted:
                return False
            fresh.hurry()
            self._files = wanted
            if self._on_edgetpu():
                before, self._standby = self._standby, fresh
            else:
                before, self._serving = self._serving, fresh
                self._ready, self._served_since = True, None
        if before is not None:
            before.process.kill()
        return True

    def _load_twins(self, added: Mapping[int, ModelFiles]) -> None:
        """Load further models into the Edge TPU's worker, if that infers; the CPU's infers meanwhile."""
        with self._lock:
            worker = self._serving
            if worker is None or worker.device != "edgetpu":
                if any(files.cpu is None for files in added.values()):
                    raise ModelError(f"compiled for the Edge TPU alone, and {self._accelerator.reason or NOT_READY}")
                self._accelerator.consider()
                return
            served = 0.0 if self._served_since is None else time.monotonic() - self._served_since
            self._aside, self._serving, self._standby, self._served_since = worker, self._standby, None, None
            self._ready = self._serving is not None and self._serving.holds(self._files)
        try:
            for slot, files in added.items():
                worker.load(slot, files)
            with self._lock:
                if self._serving is not None and self._ready:
                    worker.check_like(self._serving)
        except EdgedError as error:
            worker.process.kill()
            if not self.closed:
                self._accelerator.lost(worker.process, str(error), served)
            raise
        else:
            with self._lock:
                if self.closed:
                    worker.process.kill()
                    return
                self._serving, self._standby = worker, self._serving if self._ready else None
                self._ready = True
        finally:
            self._aside = None

    def _forget(self, slots: Iterable[int]) -> None:
        with self._lock:
            for slot in slots:
                self._files.pop(slot, None)
                for worker in (self._serving, self._standby):
                    try:
                        if worker is not None and worker.process.alive:
                            worker.unload(slot)
                    except WorkerError as error:
                        self._lost(error, worker)

    # With the lock held.

    def _free_slots(self, models: Sequence[ModelFiles]) -> dict[int, ModelFiles]:
        free = [number for number in range(wire.MAX_SLOTS) if number not in self._files][: len(models)]
        if len(free) < len(models):
            raise ModelError(f"{wire.MAX_SLOTS} models are loaded already")
        return dict(zip(free, models, strict=True))

    def _on_edgetpu(self) -> bool:
        return self._serving is not None and self._serving.device == "edgetpu"

    def _with(self, slot: int) -> LoadedWorker:
        """The serving worker, which holds that model."""
        worker = self._live()
        if slot not in worker.models:
            reason = self._accelerator.reason or NOT_READY
            raise EngineDownError(f"the model is compiled for the Edge TPU alone, and {reason}", LOAD_PAUSE_SECONDS)
        return worker

    def _live(self) -> LoadedWorker:
        """The serving worker, with every model in it; a new one when there is none and the budget allows."""
        if self.closed:
            raise EngineDownError("the engine is closed", 0.0)
        if self._serving is not None and self._ready:
            return self._serving
        wait = self._budget.wait(time.monotonic())
        if wait > 0:
            raise EngineDownError(
                f"the worker died too often; next start in {wait:.0f} s ({self._trouble.reason})", wait
            )
        try:
            worker = self._serving = self._serving or LoadedWorker(self._options, "cpu")
            if self._closing.is_set():  # after the line above: either `close` sees the worker, or this sees `close`
                worker.process.interrupt()
            if worker.process.runtime is None:  # else it stood by, and lacks a model that came since
                worker.wait_ready()
            worker.fit(self._files)
        except EdgedError as error:
            self._lost(error)
            raise WorkerError(str(error)) from error
        self._ready = True
        log.debug("worker %s: %s", worker.process.pid, worker.process.runtime)
        return worker

    def _lost(self, error: EdgedError, worker: LoadedWorker | None = None) -> None:
        """Reap a worker, and note how it ended. From the Edge TPU's, the one that stands by takes over."""
        worker = worker or self._serving
        if worker is not None:
            worker.process.kill()
        if worker is not None and worker is self._standby:
            self._standby = None
            return
        now = time.monotonic()
        served = 0.0 if self._served_since is None else now - self._served_since
        self._serving, self._standby, self._served_since = self._standby, None, None
        self._ready = self._serving is not None and self._serving.holds(self._files)
        if self.closed:
            return
        self._restarts += 1
        self._last_failure = without_pid(str(error))
        if worker is not None and worker.device == "edgetpu":
            self._accelerator.lost(worker.process, str(error), served)
            return
        self._budget.died(now)
        self._trouble.is_that(error, self._budget.wait(now))

    def _gave_result(self) -> None:
        now = time.monotonic()
        if self._served_since is None:
            self._served_since = now
        self._budget.gave_result(now)
        self._trouble.is_over(self._restarts)

    def _wait_for_edgetpu(self, slot: int) -> None:
        """For a model that nothing else can run. Without the lock: the accelerator needs it."""
        self.settle()
        with self._lock:
            if self._serving is not None and slot in self._serving.models:
                return
            self._files.pop(slot, None)
        reason = self._accelerator.reason or "there is none, or it is not to be used"
        raise ModelError(f"compiled for the Edge TPU (edgetpu-custom-op), and {reason}")
