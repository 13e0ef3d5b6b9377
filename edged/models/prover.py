"""The throw-away process that a package proves itself in (see `edged/models/prove.py`). It reports one JSON object."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edged.camera.picture import PackedPicture
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.engine.process import Launch
from edged.errors import BadImageError, EdgedError, ModelError, WorkerError
from edged.labeling.activation import Activation
from edged.models.golden import check_golden
from edged.models.package import open_package
from edged.models.prove import BEGUN, Report, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.labeling.label import Label
    from edged.labeling.vocabulary import Detail
    from edged.models.package import Package

LOAD_SECONDS: Final = 60.0
ALL: Final = 1_000_000
LOOKS: Final = 5
NICENESS: Final = 10
MOST_WORDS: Final = 4000
PR_SET_PDEATHSIG: Final = 1


def main(given: str) -> None:
    """Do the task, and end."""
    task = Task(**json.loads(given))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # whoever asked has ended: nobody waits for the answer
    os.nice(NICENESS)  # a daemon labels meanwhile
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(task.own_memory * 2**20)
    sys.stdout.write(BEGUN.decode())
    sys.stdout.flush()
    try:
        report = _prove(task)
    except MemoryError:
        report = _failure("model", f"{task.path}: damaged, or it needs more than {task.own_memory} MB of memory")
    except WorkerError as error:
        report = _failure("worker", str(error))
    except EdgedError as error:
        report = _failure("model", str(error))
    sys.stdout.write(report.model_dump_json())
    sys.stdout.flush()
    os._exit(0)  # destructors may hang; the kernel cleans up faster


def _failure(kind: str, text: str) -> Report:
    words = text.encode(errors="replace").decode()[:MOST_WORDS]
    return Report.model_validate({"kind": kind, "error": words})


def _limit_memory(most: int) -> None:
    """RLIMIT_DATA, as for the worker: RLIMIT_AS would count every mapped library and file too."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _prove(task: Task) -> Report:
    launch = Launch(None if task.python is None else Path(task.python), task.runtime, task.memory)
    engine = Engine(EngineOptions(threads=1, load_deadline=LOAD_SECONDS, launch=launch, device="cpu"))
    engine.start()  # it imports its runtime while the package is read
    try:
        package = open_package(Path(task.path))
        if task.activation is not None:
            package = package.with_activation(Activation(task.activation))
        golden, inference = run_package(engine, package, task.path)
    finally:
        engine.close()
    ref = package.ref
    names = tuple(member.name for member in package.members)
    return Report(
        name=ref.name, version=ref.version, digest=ref.digest, members=names, golden=golden, inference=inference
    )


def run_package(engine: Engine, package: Package, path: str) -> tuple[int, float]:
    """Run what runs on the CPU.

    Returns how many golden photos gave what they must (they are for all members alone), and the seconds of one look.

    Raises:
        ModelError: a member cannot be loaded or run, or a golden photo gives something else.
    """
    members = tuple(replace(member, edgetpu=None) for member in package.members if member.cpu is not None)
    whole = len(members) == len(package.members)
    inference = 0.0
    try:
        if members:
            inference = _run(engine, replace(package, members=members, golden=package.golden if whole else ()))
    except WorkerError as error:
        if isinstance(error.__cause__, EdgedError):  # the worker did not even start: that is not the model's fault
            raise
        raise ModelError(f"{path}: damaged, or more than this machine can load ({error})") from error
    return len(package.golden) if whole else 0, inference


def _run(engine: Engine, package: Package) -> float:
    """Load every member and look at noise with all of them; then at the golden photos, where there are any.

    Returns the seconds of the quickest look at noise.
    """
    classifier = Classifier(engine, package)
    size = classifier.size
    noise = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    quickest = min(classifier.classify(PackedPicture(noise), LabelOptions()).inference for _ in range(LOOKS))

    def look(photo: Path, detail: Detail) -> Sequence[Label]:
        from edged.camera.image_file import read_picture  # noqa: PLC0415  Pillow: most packages have no golden photo

        options = LabelOptions(threshold=0.0, max_results=ALL, detail=detail)
        return classifier.classify(read_picture(photo), options).labels

    try:
        check_golden(package, look)
    except BadImageError as error:
        raise ModelError(f"a golden photo cannot be read: {error}") from error
    return quickest
