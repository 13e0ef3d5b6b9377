"""What a hot swap costs on this machine: frames, time between two results, labels of the wrong model, memory."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from edged.benchmark import MemoryCamera
from edged.camera.frame import Frame
from edged.camera.newest import Newest
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.errors import UnavailableError, UsageError
from edged.model_switch import ModelSwitch
from edged.models.package import find_model, open_package
from edged.models.write_package import NewMember, NewPackage, write_package
from edged.pipeline import Pipeline, View
from edged.swap_record import SwapRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.labeling.label import Result
    from edged.models.member import Package

CAMERA: Final = "memory"
FPS: Final = 30.0
QUIET_SECONDS: Final = 1.0
"""Before each swap: what is usual, and what this machine does to frames though nothing is swapped."""
EXCHANGE_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 0.2
EARLY: Final = 10
MARKS: Final = ("one", "two")
"""How the labels of the two packages begin: by them a result tells which model made it."""


@dataclass(frozen=True, slots=True)
class SwapFigures:
    """What was measured. Every other swap is at 30 frames per second, the rest with as many frames as are labelled.

    Attributes:
        swap_s: median seconds from the order to swap until the new model labels and the one before is gone.
        frames_lost: of those that a camera of 30 frames per second gave during swaps.
        frames_lost_between: as many as went lost in the quiet second before each of these swaps: not the swaps' doing.
        usual_interval_ms: between two results at 30 frames per second, median, when nothing is swapped.
        gap_ratio: the longest time between two results during a swap, over the usual interval.
        gap_ratio_median: the same of the median swap.
        gap_ratio_between: the longest in the quiet seconds, over the usual interval: not the swaps' doing.
        results: during all swaps, and between them.
        mismatched: of these, results whose digest is one model's, and their labels the other's.
        memory_mb: proportional set size of this process, which does the daemon's part, and its workers, at the end.
        memory_ratio: that over what it was after `memory_after` swaps.
    """

    model: str
    runtime: str
    threads: int
    swaps: int
    swap_s: float
    frames_lost: int
    frames_lost_between: int
    usual_interval_ms: float
    gap_ratio: float
    gap_ratio_median: float
    gap_ratio_between: float
    results: int
    mismatched: int
    memory_after: int
    memory_mb: float
    memory_ratio: float


def measure_swaps(model: str, *, swaps: int, threads: int, progress: Callable[[str], None]) -> SwapFigures:
    """Swap one model for another and back, so often, while frames come.

    Args:
        model: what to make both models of; its labels must be known.
        swaps: how many, 2 or more.
        threads: of one inference.
        progress: told what goes on.

    Raises:
        ModelError: there is no such model.
        UsageError: its labels are not known.
        UnavailableError: no labels came.
    """
    package = open_package(find_model(model))
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as temporary:
        folders = [Path(temporary, mark) for mark in MARKS]
        for folder, mark in zip(folders, MARKS, strict=True):
            write_package(folder, marked(package, mark))
        engine = Engine(EngineOptions(threads=threads))
        try:
            return _Run(engine, folders, package).go(swaps, threads, progress)
        finally:
            engine.close()


def marked(package: Package, mark: str) -> NewPackage:
    """The same models under labels that begin with a word of their own.

    Raises:
        UsageError: the labels are not known.
    """
    files: dict[str, bytes] = {}
    members = []
    for number, member in enumerate(package.members):
        if member.cpu is None or not member.labels:
            raise UsageError(f"{member.file}: swaps are measured with a model for the CPU whose labels are known")
        tflite, labels = f"{number}.tflite", f"{number}.txt"
        files[tflite] = member.cpu.read_bytes()
        files[labels] = "".join(f"{mark} {text}\n" for text in member.labels).encode()
        members.append(
            NewMember(
                tflite,
                name=member.name,
                labels=labels,
                normalisation=member.normalisation,
                activation=member.activation and str(member.activation),
                fit=str(member.fit),
                threshold=0.0,
            )
        )
    ref = package.ref
    return NewPackage(ref.name, ref.version, "", "none", "edged bench", tuple(members), files)


class _Run:
    """One measurement: a camera, a pipeline and an engine in this process, as in the daemon."""

    def __init__(self, engine: Engine, folders: list[Path], package: Package) -> None:
        self._engine = engine
        self._folders = folders
        self._package = package
        self._newest = Newest()
        self._marks = {open_package(folder).ref.digest: mark for folder, mark in zip(folders, MARKS, strict=True)}
        self._record = SwapRecord()
        self._mismatched = 0
        self._results = 0
        options = LabelOptions(threshold=0.0)
        views = {CAMERA: View(options=options)}
        self._pipeline = Pipeline(self._newest, self._load, views, self._offer)
        self._paced = True
        self._stop = threading.Event()

    def go(self, swaps: int, threads: int, progress: Callable[[str], None]) -> SwapFigures:
        """Measure."""
        switch = ModelSwitch(self._engine, self._pipeline, None, EXCHANGE_SECONDS, lambda _: None)
        tasks = [threading.Thread(target=task, daemon=True) for task in (self._pipeline.run, self._give)]
        for task in tasks:
            task.start()
        try:
            return self._measure(switch, swaps, threads, progress)
        finally:
            self._stop.set()
            self._pipeline.stop()
            for task in tasks:
                task.join(EXCHANGE_SECONDS)

    def _measure(self, switch: ModelSwitch, swaps: int, threads: int, progress: Callable[[str], None]) -> SwapFigures:
        seconds, record = [], self._record
        early, memory = min(EARLY, swaps // 2), 0.0
        self._wait_for_results()
        for number in range(swaps):
            if number % max(1, swaps // 10) == 0:
                progress(f"swap {number + 1} of {swaps}")
            self._paced = number % 2 == 0
            time.sleep(SETTLE_SECONDS)
            if self._paced:
                with record.between():
                    time.sleep(QUIET_SECONDS)
            began = time.monotonic()
            with record.swapping(paced=self._paced):
                switch.to(open_package(self._folders[(number + 1) % len(self._folders)]))
                seconds.append(time.monotonic() - began)
            if number + 1 == early:
                memory = memory_mb()
        time.sleep(SETTLE_SECONDS)
        late = memory_mb()
        ref, usual = self._package.ref, record.usual()
        return SwapFigures(
            model=f"{ref.name} {ref.version}",
            runtime=self._engine.state().runtime or "unknown",
            threads=threads,
            swaps=swaps,
            swap_s=round(statistics.median(seconds), 3),
            frames_lost=record.lost,
            frames_lost_between=record.lost_between,
            usual_interval_ms=round(usual * 1000, 1),
            gap_ratio=round(max(record.gaps) / usual, 2),
            gap_ratio_median=round(statistics.median(record.gaps) / usual, 2),
            gap_ratio_between=round(max(record.gaps_between) / usual, 2),
            results=self._results,
            mismatched=self._mismatched,
            memory_after=early,
            memory_mb=round(late, 1),
            memory_ratio=round(late / memory, 3),
        )

    def _wait_for_results(self) -> None:
        until = time.monotonic() + EXCHANGE_SECONDS
        while self._results == 0:
            if time.monotonic() > until:
                raise UnavailableError(f"no labels within {EXCHANGE_SECONDS:g} s")
            time.sleep(SETTLE_SECONDS)

    def _load(self) -> Classifier:
        return Classifier(self._engine, open_package(self._folders[0]))

    def _offer(self, result: Result, _: Frame) -> None:
        self._results += 1
        self._record.result(result.frame)
        mark = self._marks[result.model.digest]
        self._mismatched += not result.labels or any(not label.text.startswith(mark) for label in result.labels)

    def _give(self) -> None:
        """Frames: thirty a second, or each as soon as the one before is taken."""
        camera = MemoryCamera()
        number, due = 0, time.monotonic()
        while not self._stop.is_set():
            number += 1
            frame = Frame(camera.next(), number, time.monotonic(), datetime.now(UTC))
            self._record.given(number)
            self._newest.put(CAMERA, frame)
            if self._paced:
                due = max(due + 1 / FPS, time.monotonic() - 1 / FPS)
                self._stop.wait(max(0.0, due - time.monotonic()))
            else:
                self._newest.wait_taken(CAMERA, EXCHANGE_SECONDS)
                due = time.monotonic()


def memory_mb() -> float:
    """Of this process and its workers."""
    process = psutil.Process()
    return sum(member.memory_full_info().pss for member in (process, *process.children(recursive=True))) / 2**20
