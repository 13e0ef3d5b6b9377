"""Do the runtime and libedgetpu go together? Tried with a worker and the real device, as the daemon does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edged.doctor.check import Check
from edged.doctor.holders import holder
from edged.doctor.library import INSTALL
from edged.doctor.runtime import SECONDS, in_short, launch
from edged.engine.edgetpu import find_edge_tpus
from edged.engine.process import WorkerProcess
from edged.errors import DelegateError, WorkerError

if TYPE_CHECKING:
    from edged.doctor.machine import Machine

NAME: Final = "edge tpu use"
OPEN_SECONDS: Final = 20.0  # a USB device that was just plugged in gets its firmware first, and comes back
MISMATCH: Final = (
    "runtime and libedgetpu are made for different TensorFlow versions: take a pair that fits\n" + INSTALL + "\n"
    "or Coral's own pair of tflite-runtime 2.5 and libedgetpu with Python 3.9, named in inference.python"
)
REFUSED: Final = (
    "is another program using it? (sudo fuser -v /dev/bus/usb/*/* /dev/apex_*)\n"
    "else unplug it and plug it in again; a weak power supply or a hub without one is the usual cause"
)


def look_at_use(machine: Machine) -> list[Check]:
    """Whether the library opens the device within the configured runtime."""
    attached = find_edge_tpus(machine.root)
    if not attached or machine.inference.device == "cpu":
        return []
    if not all(machine.may_open(tpu.node) for tpu in attached):
        return [Check(NAME, "absent", "not tried: this user may not open the device")]
    busy = holder(machine.root, [tpu.node for tpu in attached])
    if busy is not None:
        return [Check(NAME, "absent", f"not tried, as {busy} may be using it: `health` tells how that gets on")]
    edgetpu = machine.inference.edgetpu
    try:
        worker = WorkerProcess(launch(machine))
    except WorkerError:
        return [_no_runtime()]
    try:
        return [_try(worker, edgetpu.library, edgetpu.device)]
    finally:
        worker.kill()


def _try(worker: WorkerProcess, library: str, device: str) -> Check:
    try:
        runtime = worker.wait_ready(seconds=SECONDS)
    except WorkerError:
        return _no_runtime()
    try:
        worker.use_delegate(library, device, seconds=OPEN_SECONDS)
    except DelegateError as error:
        if "cannot open shared object file" in str(error):
            return Check(NAME, "absent", "not tried: libedgetpu cannot be loaded, see there")
        return Check(NAME, "problem", f"{library} does not open the device: {error}", REFUSED)
    except WorkerError as error:
        reason = in_short(error)
        if "in time" in reason:
            return Check(NAME, "problem", f"{library} does not open the device within {OPEN_SECONDS:g} s", REFUSED)
        died = re.search(r"killed by (SIG\w+)", reason)
        text = f"{runtime.runtime} {runtime.version} with {library}: the process {reason}"
        return Check(NAME, "problem", text, REFUSED if died and died[1] == "SIGABRT" else MISMATCH)
    return Check(NAME, "ok", f"{runtime.runtime} {runtime.version} opens the device with {library}")


def _no_runtime() -> Check:
    return Check(NAME, "absent", "not tried: there is no runtime, see there")
