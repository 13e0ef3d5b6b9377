"""Another model takes over while the Edge TPU (its stand-in) labels: the device stays with its process, or it does not.

Everything is real but the device: workers, pipeline, store, golden photos, probation.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pytest
from support.edgetpu import StandIn
from support.models import TinyModel, tiny_model, write_package
from support.mosquitto import until
from support.pictures import encoded

from edged.camera.frame import Frame
from edged.camera.newest import Newest
from edged.camera.picture import PackedPicture
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.engine.options import EdgeTpuOptions
from edged.engine.process import Launch
from edged.errors import ModelError, WorkerError
from edged.model_switch import ModelSwitch
from edged.models.package import open_package
from edged.models.store_change import changing
from edged.models.write_package import write_files
from edged.pipeline import Pipeline, View
from edged.updates.changeover import Changeover
from edged.updates.probation import Standing, Terms
from edged.updates.shelf import open_shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.labeling.label import Result
    from edged.models.record import State
    from edged.models.store import Entry

WORKER = Path(__file__).parent / "support" / "named_worker.py"
SECONDS = 15.0
RESULTS = 60
RED = np.full((8, 8, 3), (250, 10, 10), np.uint8)
MIXED_UP = tiny_model(TinyModel(weights=np.eye(3, dtype=np.float32)[::-1].copy() / np.float32(255)))
"""Takes red for blue."""


class Bench:
    """A camera that shows red, the pipeline, and what changes its model; for a test that plays the updater."""

    def __init__(self, folder: Path, stand_in: StandIn) -> None:
        self._folder = folder
        python = folder / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{WORKER}" "$@"\n')
        python.chmod(0o755)
        options = EngineOptions(
            threads=1,
            deadline=1.0,
            load_deadline=5.0,
            launch=Launch(python),
            device="edgetpu",
            edgetpu=EdgeTpuOptions(str(stand_in.library)),
            root=folder / "root",
        )
        self.engine = Engine(options)
        self.results: list[Result] = []
        self.shelf = open_shelf(folder / "state")
        self.first = self.put("1.0.0", state="good")
        self.shelf.use(self.first)
        self._newest = Newest()
        self._pipeline = Pipeline(
            self._newest,
            lambda: Classifier(self.engine, open_package(self.first.folder)),
            {"a": View(options=LabelOptions(threshold=0.0))},
            lambda result, _: self.results.append(result),
        )
        switch = ModelSwitch(self.engine, self._pipeline, None, 3.0, lambda _: None)
        self.change = Changeover(self.shelf, switch, self.engine, self._pipeline, Terms(RESULTS, 0.1, 1000.0))
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._pipeline.run, self._show)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        until(lambda: self.device == "edgetpu", SECONDS)
        classifier = self._pipeline.classifier
        assert classifier is not None
        self.change.begin(classifier.ref)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._pipeline.stop()
        self.engine.close()
        for thread in self._threads:
            thread.join(SECONDS)

    @property
    def device(self) -> str | None:
        """What the last label came from."""
        return self.results[-1].device if self.results else None

    @property
    def version(self) -> str:
        return self.results[-1].model.version

    def put(
        self, version: str, twin: str = "twin.tflite", data: bytes | None = None, state: State = "probation"
    ) -> Entry:
        """A package in the store whose compiled file has this name and these bytes; its golden photo is red."""
        photo = encoded(RED)
        golden = [{"photo": "red.png", "labels": [{"text": "red", "confidence": 0.98}]}]
        files = {
            "tiny.tflite": tiny_model(),
            twin: data or tiny_model(),
            "red.png": photo,
            "labels.txt": b"red\ngreen\nblue\n",
        }
        stated = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in files.items()}
        path = write_package(
            self._folder / version,
            member={"edgetpu": twin, "threshold": 0.0},
            manifest={"version": version, "golden": golden, "files": stated},
            more={name: data for name, data in files.items() if name != "labels.txt"},
        )
        with changing(self.shelf.store) as change:
            staged = change.stage()
            write_files(staged, {file.name: file.read_bytes() for file in path.iterdir()})
            return change.put_in(staged, "registry: a test", state)

    def to(self, entry: Entry) -> None:
        asyncio.run(self.change.to(entry, chosen=False))

    def judged(self) -> Standing:
        """The end of the probation."""

        async def look() -> Standing:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                verdict = await self.change.look()
                if verdict is not None:
                    return verdict.standing
                await asyncio.sleep(0.02)
            raise AssertionError("no verdict")

        return asyncio.run(look())

    def more(self, count: int = 20) -> list[Result]:
        """The next results."""
        have = len(self.results)
        until(lambda: len(self.results) >= have + count, SECONDS)
        return self.results[have:]

    def _show(self) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            self._newest.put("a", Frame(PackedPicture(RED), number, time.monotonic(), datetime.now(UTC)))
            self._newest.wait_taken("a", 1.0)
            time.sleep(0.002)


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "edgetpu")


@pytest.fixture
def bench(tmp_path: Path, stand_in: StandIn) -> Iterator[Bench]:
    with Bench(tmp_path, stand_in) as running:
        yield running


def is_red(results: list[Result]) -> bool:
    return all(result.labels[0].text == "red" for result in results)


def test_a_new_model_takes_over_in_the_process_that_holds_the_device(bench: Bench, stand_in: StandIn) -> None:
    pid = bench.engine.state().pid
    bench.to(bench.put("1.1.0"))
    after = bench.more()
    assert {(result.model.version, result.device) for result in after} == {("1.1.0", "edgetpu")}
    assert bench.judged() is Standing.GOOD
    assert bench.engine.state().pid == pid
    assert len(stand_in.loads()) == 1, "no other process has opened the device"
    assert bench.engine.state().restarts == 0
    assert [result.frame for result in bench.results] == sorted({result.frame for result in bench.results})
    active = bench.shelf.store.active()
    assert active is not None
    assert (active.record.version, active.record.state) == ("1.1.0", "good")


def test_a_twin_that_gives_other_labels_never_labels(bench: Bench, stand_in: StandIn) -> None:
    wrong = bench.put("1.1.0", data=MIXED_UP)
    with pytest.raises(ModelError, match=r"red\.png: must give red"):
        bench.to(wrong)
    assert {(result.model.version, result.device) for result in bench.more()} == {("1.0.0", "edgetpu")}
    assert is_red(bench.results)
    assert len(stand_in.loads()) == 1
    assert bench.change.trial is None


def test_a_device_that_dies_over_a_twin_leaves_the_cpu_labelling_with_the_old_model(
    bench: Bench, stand_in: StandIn
) -> None:
    with pytest.raises(WorkerError):
        bench.to(bench.put("1.1.0", "crash-1.tflite"))
    until(lambda: "cpu" in {result.device for result in bench.results}, SECONDS)
    until(lambda: bench.device == "edgetpu", SECONDS)
    assert {result.model.version for result in bench.results} == {"1.0.0"}
    assert is_red(bench.results)
    assert len(stand_in.loads()) == 2, "opened once more, when the first process was gone"


@pytest.mark.parametrize("twin", ["crash-30.tflite", "hang-30.tflite"])
def test_a_device_that_dies_on_probation_leads_to_the_cpu_and_then_to_the_last_good_model(
    bench: Bench, twin: str
) -> None:
    bad = bench.put("1.1.0", twin)
    bench.to(bad)
    assert bench.judged() is Standing.FAILED
    until(lambda: (bench.version, bench.device) == ("1.0.0", "edgetpu"), SECONDS)
    on = {(result.model.version, result.device) for result in bench.results}
    assert ("1.1.0", "edgetpu") in on
    assert on & {("1.1.0", "cpu"), ("1.0.0", "cpu")}, "the CPU labelled meanwhile"
    assert is_red(bench.results)
    assert bench.shelf.refusals.of(f"sha256:{bad.digest}") is not None
    active = bench.shelf.store.active()
    assert active is not None
    assert active.record.version == "1.0.0"
