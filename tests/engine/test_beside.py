"""Further models are loaded while frames go on: what hot swap stands on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import pytest
from support.edgetpu import StandIn
from support.models import tiny_model
from support.mosquitto import until

from edged.engine.engine import Engine, EngineOptions, ModelFiles
from edged.engine.options import EdgeTpuOptions
from edged.errors import ModelError, WorkerError
from edged.models.package import open_package
from edged.resources import data_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edged.engine.worker import wire

START_SECONDS = 15.0
LOAD_SECONDS = 2.0


@pytest.fixture(scope="module")
def model() -> Path:
    return open_package(data_path("models/base")).members[0].file


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.tflite"
    path.write_bytes(tiny_model())
    return path


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(EngineOptions(threads=1, deadline=1.0, load_deadline=LOAD_SECONDS, device="cpu"))
    yield made
    made.close()


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "edgetpu")


@pytest.fixture
def accelerated(stand_in: StandIn, tmp_path: Path) -> Iterator[Engine]:
    options = EngineOptions(threads=1, deadline=1.0, load_deadline=LOAD_SECONDS, device="edgetpu")
    edgetpu = EdgeTpuOptions(str(stand_in.library))
    made = Engine(replace(options, edgetpu=edgetpu, root=tmp_path / "root"))
    yield made
    made.close()


def grey(tensor: NDArray[np.generic], _: wire.TensorSpec) -> None:
    tensor[...] = 127


class Frames(threading.Thread):
    """Infers without a pause, as a busy pipeline does, and counts what comes of it."""

    def __init__(self, engine: Engine, slot: int) -> None:
        super().__init__(daemon=True)
        self._engine, self._slot = engine, slot
        self._end = threading.Event()
        self.devices: Counter[str] = Counter()
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        until(lambda: bool(self.devices), START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join(START_SECONDS)

    def run(self) -> None:
        while not self._end.is_set():
            try:
                self.devices[self._engine.infer(self._slot, grey).device] += 1
            except (WorkerError, ModelError) as error:
                self.errors.append(str(error))


def on_edgetpu(engine: Engine, slot: int) -> bool:
    return engine.infer(slot, grey).device == "edgetpu"


def test_no_frame_waits_for_a_model_that_is_loaded_beside(engine: Engine, model: Path, other: Path) -> None:
    first = engine.load(model)
    with Frames(engine, first) as frames:
        for _ in range(3):
            before = engine.state().pid
            (second,) = engine.load_beside([ModelFiles(other)])
            assert engine.infer(second, grey).device == "cpu"
            assert engine.state().pid != before
            engine.unload(second)
        assert not frames.errors
    assert engine.state().restarts == 0
    assert len(engine.state().pids) == 1, "the worker before is gone"


def test_several_members_come_together(engine: Engine, model: Path, other: Path) -> None:
    first = engine.load(model)
    slots = engine.load_beside([ModelFiles(other), ModelFiles(model)])
    assert len({first, *slots}) == 3
    assert [engine.infer(slot, grey).device for slot in slots] == ["cpu", "cpu"]


def test_a_file_that_is_refused_changes_nothing(engine: Engine, model: Path, tmp_path: Path) -> None:
    first = engine.load(model)
    before = engine.state().pid
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(model.read_bytes()[:100_000])
    with Frames(engine, first) as frames:
        with pytest.raises((ModelError, WorkerError)):
            engine.load_beside([ModelFiles(broken)])
        assert not frames.errors
    assert engine.state().pid == before
    (slot,) = engine.load_beside([ModelFiles(model)])
    assert engine.infer(slot, grey).device == "cpu"


def test_a_closed_engine_loads_nothing(engine: Engine, model: Path) -> None:
    engine.load(model)
    engine.close()
    with pytest.raises(WorkerError):
        engine.load_beside([ModelFiles(model)])
    assert engine.state().pids == ()


def test_closing_does_not_wait_for_what_is_loaded_beside(engine: Engine, model: Path) -> None:
    engine.load(model)
    ended: list[BaseException] = []

    def load() -> None:
        try:
            while True:
                engine.unload(*engine.load_beside([ModelFiles(model)]))
        except WorkerError as error:
            ended.append(error)

    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    time.sleep(0.4)
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < LOAD_SECONDS
    loading.join(LOAD_SECONDS)
    assert ended
    assert engine.state().pids == ()


def test_the_edge_tpu_loads_it_in_the_one_process_that_holds_it(
    accelerated: Engine, model: Path, stand_in: StandIn
) -> None:
    first = accelerated.load(model, model)
    until(lambda: on_edgetpu(accelerated, first), START_SECONDS)
    with Frames(accelerated, first) as frames:
        (second,) = accelerated.load_beside([ModelFiles(model, model)])
        assert on_edgetpu(accelerated, second)
        assert on_edgetpu(accelerated, first)
        assert not frames.errors
    assert len(stand_in.loads()) == 1, "the device stayed with its worker"
    assert len(accelerated.state().pids) == 2, "one stands by for the CPU"
    accelerated.unload(first)
    assert on_edgetpu(accelerated, second)


def test_an_edge_tpu_that_hangs_over_a_new_model_leaves_the_cpu_labelling_with_the_old(
    accelerated: Engine, model: Path, stand_in: StandIn
) -> None:
    first = accelerated.load(model, model)
    until(lambda: on_edgetpu(accelerated, first), START_SECONDS)
    pid = accelerated.state().pid
    assert pid is not None
    until(lambda: len(accelerated.state().pids) == 2, START_SECONDS)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerError):
        accelerated.load_beside([ModelFiles(model, model)])
    assert accelerated.infer(first, grey).device == "cpu"
    assert "the Edge TPU failed" in (accelerated.state().reason or "")
    until(lambda: on_edgetpu(accelerated, first), START_SECONDS)
    assert len(stand_in.loads()) == 2


def test_a_model_for_the_edge_tpu_alone_is_refused_where_there_is_none(engine: Engine, model: Path) -> None:
    engine.load(model)
    with pytest.raises(ModelError, match="Edge TPU"):
        engine.load_beside([ModelFiles(None, model)])
