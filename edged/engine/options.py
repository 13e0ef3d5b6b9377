"""How inference runs, and what it gives: the engine's own types."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edged.engine.process import Launch
from edged.errors import WorkerError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edged.engine.worker import wire

Device = Literal["cpu", "edgetpu"]

MOST_THREADS = 3


@dataclass(frozen=True, slots=True)
class EdgeTpuOptions:
    """How the Edge TPU is reached.

    Attributes:
        library: what the TFLite runtime loads: a name for the dynamic loader, or a path.
        device: `usb:0`, `pci:0`, `usb`, `pci` (libedgetpu's own words); empty is the first one.
    """

    library: str = "libedgetpu.so.1"
    device: str = ""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How inference runs.

    Attributes:
        threads: threads of one inference on the CPU; None takes all cores but one, three at most.
        deadline: seconds for one inference; past it the worker is killed.
        load_deadline: seconds for the start of a worker, and for loading one model or the Edge TPU's library.
        launch: how a worker is started.
        device: `cpu`; `auto`: the Edge TPU where one is attached and the model is compiled for it; `edgetpu`: its
            library is tried whether or not one is seen.
        edgetpu: see `EdgeTpuOptions`.
        root: where /sys and /dev begin.
    """

    threads: int | None = None
    deadline: float = 5.0
    load_deadline: float = 30.0
    launch: Launch = field(default_factory=Launch)
    device: Literal["auto", "edgetpu", "cpu"] = "auto"
    edgetpu: EdgeTpuOptions = field(default_factory=EdgeTpuOptions)
    root: Path = Path("/")

    @property
    def thread_count(self) -> int:
        """The number of threads to ask the runtime for."""
        return self.threads or max(1, min(MOST_THREADS, (os.cpu_count() or 1) - 1))


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One model: its file for the CPU and its file compiled for the Edge TPU; one of the two may be missing."""

    cpu: Path | None
    edgetpu: Path | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """What one inference gave: the first output as a copy, its meaning, the time in the runtime, the device."""

    scores: NDArray[np.generic]
    spec: wire.TensorSpec
    seconds: float
    device: Device


@dataclass(frozen=True, slots=True)
class EngineState:
    """For `health`: what inference runs on, why it does not where it should, and how often it was started again.

    `device`, `pid` and `runtime` (name, version, Python) are the present worker's; None where there is none. `pids` are
    those of all workers: one for the CPU stands by while the Edge TPU infers. `last_failure`: how the last worker that
    was lost ended; None while none was.
    """

    device: Device | None
    reason: str | None
    restarts: int
    pid: int | None
    runtime: str | None
    pids: tuple[int, ...] = ()
    last_failure: str | None = None


class EngineDownError(WorkerError):
    """No worker runs now. `retry_in`: seconds until the next start is due."""

    def __init__(self, text: str, retry_in: float) -> None:
        super().__init__(text)
        self.retry_in = retry_in
