"""The TFLite runtime: asked of a real worker, in the interpreter that is configured."""

from __future__ import annotations

import platform
import re
import sys
from typing import TYPE_CHECKING, Final

from edged.child import run_child
from edged.doctor.check import Check
from edged.engine.process import Launch, WorkerProcess
from edged.errors import WorkerError

if TYPE_CHECKING:
    from edged.doctor.machine import Machine

NAME: Final = "runtime"
SECONDS: Final = 30.0  # importing LiteRT from a Pi's memory card takes some
_VERSION: Final = "import sys, struct; print(*sys.version_info[:2], struct.calcsize('P') * 8)"

# The newest Python that there are builds for, and LiteRT's oldest (docs/dependencies.md)
NEWEST: Final = {"tflite-runtime": (3, 11), "pycoral": (3, 9)}
LITERT: Final = (3, 10)
LEAST: Final = (3, 9)


def launch(machine: Machine) -> Launch:
    """How the daemon would start its worker."""
    inference = machine.inference
    return Launch(inference.python, inference.runtime, inference.memory)


def look_at_runtime(machine: Machine) -> list[Check]:
    """Whether a worker starts, and with which runtime."""
    python = str(machine.inference.python or sys.executable)
    try:
        worker = WorkerProcess(launch(machine))
        try:
            ready = worker.wait_ready(seconds=SECONDS)
        finally:
            worker.kill()
    except WorkerError as error:
        return [_trouble(python, machine.inference.runtime, in_short(error))]
    return [Check(NAME, "ok", f"{ready.runtime} {ready.version} in Python {ready.python} ({platform.machine()})")]


def in_short(error: WorkerError) -> str:
    """What a worker died of, without what only a log needs: its number, and that it was ended afterwards."""
    text = re.sub(r"^the inference worker \(pid \d+\) (cannot run: )?", "", str(error))
    return text.replace("; killed by SIGKILL", "")


def _trouble(python: str, wanted: str, reason: str) -> Check:
    asked = run_child([python, "-c", _VERSION], SECONDS)
    try:
        major, minor, bits = map(int, asked.output.split())
    except ValueError:
        how = asked.fate or "is no Python"
        return Check(NAME, "problem", f"{python}: {how}", "name an interpreter that works in inference.python")
    text = f"no inference in {python} (Python {major}.{minor}): {reason}"
    return Check(NAME, "problem", text, _cure(python, wanted, (major, minor), bits))


def _cure(python: str, wanted: str, version: tuple[int, int], bits: int) -> str:
    """What to install, or to change where nothing can be installed."""
    other = "another interpreter in inference.python"
    newest = NEWEST.get(wanted)
    if bits != 64:  # noqa: PLR2004  bits
        return f"it is a 32-bit Python, which no current runtime is built for: take a 64-bit system, or name {other}"
    if version < LEAST:
        return f"it is too old: name {other}, of Python 3.10 or later"
    if newest is not None and version > newest:
        stops = f"{wanted} stops at Python {newest[0]}.{newest[1]}"
        return f"{stops}: set inference.runtime to ai-edge-litert, or name {other}"
    if wanted == "ai-edge-litert" and version < LITERT:
        return f"ai-edge-litert begins at Python 3.10: set inference.runtime to tflite-runtime, or name {other}"
    return _install(python, wanted, version)


def _install(python: str, wanted: str, version: tuple[int, int]) -> str:
    if wanted == "pycoral":
        return "install pycoral as Coral's own guide says (coral.ai/software): it is in no package index"
    if wanted == "tflite-runtime" or version < LITERT:
        return f"{python} -m pip install tflite-runtime 'numpy<2'"
    return f"{python} -m pip install ai-edge-litert numpy"
