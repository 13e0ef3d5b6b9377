"""A model file is hostile until it has proved itself, in a process that may crash, hang or run out of memory over it.

What has proved itself is remembered by its sha256, in a file of the user's too, so that it does so once.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edged import __version__
from edged.camera.regular_file import read_regular_file
from edged.engine.process import Launch
from edged.errors import ModelError, WorkerError
from edged.labeling.label import ModelRef
from edged.models.metadata import DEFAULT_LOCALE
from edged.models.package import BASE, Package, find_model, fingerprint, open_package
from edged.text import signal_name

if TYPE_CHECKING:
    from edged.labeling.activation import Activation

SECONDS: Final = 120.0  # two interpreters, a runtime and a large model from a worn card
MEMORY: Final = 1024  # megabytes for what is not the runtime's
MAX_REPORT_BYTES: Final = 64 * 1024
MAX_REMEMBERED: Final = 1000
REAP_SECONDS: Final = 1.0  # a killed process that is not gone by then sits in the kernel
# The child finds this edged, wherever it is imported from; -P: nothing from the folder that it happens to run in.
BOOTSTRAP: Final = "import sys; sys.path.append(sys.argv[1]); from edged.models.prover import main; main(sys.argv[2])"

BEGUN: Final = b"\n"  # the child's first word, once it is ready to look at the model; JSON does not mind it

_Text = Annotated[str, Field(max_length=4096)]
_proved: set[str] = set()


@dataclass(frozen=True, slots=True)
class Task:
    """What the throw-away process is to do, and the megabytes that it may take; the others are as in `Launch`."""

    path: str
    activation: str | None
    own_memory: int
    python: str | None
    runtime: str
    memory: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A package that a throw-away process has opened, loaded and run.

    Attributes:
        ref: name, version and digest.
        members: the names of its models.
        golden: how many golden photos gave what they must.
        inference: seconds that one look took, of all members together, at its best; to compare with another model's.
        seconds: how long it took.
    """

    ref: ModelRef
    members: tuple[str, ...]
    golden: int
    inference: float = field(compare=False)
    seconds: float = field(compare=False)


class Report(BaseModel):
    """What the throw-away process says: a package, or an error. Not to be believed beyond that it is text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Text = ""
    version: _Text = ""
    digest: _Text = ""
    members: tuple[_Text, ...] = ()
    golden: int = 0
    inference: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    kind: Literal["", "model", "worker"] = ""
    error: _Text = ""


def prove(
    path: Path, *, activation: Activation | None = None, launch: Launch | None = None, seconds: float = SECONDS
) -> Proof:
    """Open a package in a throw-away process, load every member there, run it, and compare its golden photos.

    The files for the CPU are run; one compiled for the Edge TPU is looked into, no more.

    Args:
        path: a package's folder or a `.tflite` file.
        activation: for members that do not name one.
        launch: how the worker is started that runs it.
        seconds: after so long, it has failed.

    Raises:
        ModelError: the package is not what it should be, or the process crashed, hung or ran out of memory over it.
        WorkerError: no process or no runtime can be started: nothing is known of the package.
    """
    began = time.monotonic()
    launch = launch or Launch()
    python = None if launch.python is None else str(launch.python)
    own = max(MEMORY, launch.memory)  # the worker is its child and cannot have more
    task = Task(str(path), activation and str(activation), own, python, launch.runtime, launch.memory)
    report = _run(path, json.dumps(asdict(task)), began + seconds, seconds)
    if report.kind == "worker":
        raise WorkerError(report.error)
    if report.kind == "model":
        raise ModelError(report.error)
    ref = ModelRef(report.name, report.version, report.digest)
    return Proof(ref, report.members, report.golden, report.inference, time.monotonic() - began)


def open_proved(
    path: Path,
    *,
    locale: str = DEFAULT_LOCALE,
    activation: Activation | None = None,
    launch: Launch | None = None,
) -> Package:
    """As `open_package`; a package that has not proved itself yet does so before. edged's own needs no proof.

    Raises:
        ModelError, WorkerError: see `prove`.
    """
    if path != find_model(BASE):
        key = f"{__version__}-{fingerprint(path)}"
        if key not in _proved and key not in _remembered():
            prove(path, activation=activation, launch=launch)
            _remember(key)
        _proved.add(key)
    package = open_package(path, locale=locale)
    return package if activation is None else package.with_activation(activation)


def _run(path: Path, task: str, deadline: float, seconds: float) -> Report:
    root = str(Path(__file__).parents[2])
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", BOOTSTRAP, root, task],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except (OSError, ValueError) as error:  # ValueError: a path that no program can be given
        raise WorkerError(f"{path}: no process can be started to prove the model in: {error}") from error
    assert child.stdout is not None  # noqa: S101  PIPE, above
    with child.stdout as said:
        try:
            output, ended = _read(said.fileno(), deadline)
            if ended:
                child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            ended = False
        finally:
            if child.returncode is None:  # else its number may be another's by now; its worker dies with it
                with contextlib.suppress(OSError):
                    os.killpg(child.pid, signal.SIGKILL)  # it, and what it has started
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(REAP_SECONDS)
    code = child.returncode or 0
    how = f"crashed ({signal_name(-code)})" if code < 0 else f"ended with exit code {code}"
    fate = how if ended else f"did not end within {seconds:g} s"
    if not output.startswith(BEGUN):
        raise WorkerError(f"{path}: a process to prove the model in {fate} before it had begun")
    if not ended or code < 0:
        raise ModelError(f"{path}: damaged: trying it out {fate}")
    try:
        return Report.model_validate_json(output)
    except ValidationError as error:
        raise ModelError(f"{path}: damaged: trying it out {fate}") from error


def _read(fd: int, deadline: float) -> tuple[bytes, bool]:
    """What comes out of a pipe, and whether that is all: not where there is no end in time, or too much comes."""
    data = b""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while len(data) <= MAX_REPORT_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return data, False
        part = os.read(fd, MAX_REPORT_BYTES)
        if not part:
            return data, True
        data += part
    return data, False


def _memory_file() -> Path | None:
    """Where it is remembered: below systemd's folder for a service, or the user's; None where there is no such."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given) / "proved"
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    except RuntimeError:  # no home
        return None
    return Path(state) / "edged/proved"


def _remembered() -> list[str]:
    file = _memory_file()
    try:
        return [] if file is None else read_regular_file(file, MAX_REPORT_BYTES * 4).decode("ascii").split()
    except (OSError, ValueError):
        return []


def _remember(key: str) -> None:
    """Add to the file as well as can be: without it, the next process proves it again."""
    file = _memory_file()
    if file is None:
        return
    lines = [*_remembered(), key][-MAX_REMEMBERED:]
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.write_text("\n".join(lines) + "\n", "ascii")
        fresh.replace(file)
