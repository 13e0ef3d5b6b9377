"""The Edge TPU in all its moods, through a library that a real runtime really loads: the CPU goes on meanwhile."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
from support.edgetpu import StandIn, plug_in_usb, unplug_usb
from support.models import TinyModel, tiny_model
from support.mosquitto import until

from edged.engine.engine import Engine, EngineDownError, EngineOptions
from edged.engine.options import EdgeTpuOptions
from edged.engine.process import Launch
from edged.errors import ModelError, WorkerError
from edged.models.package import open_package
from edged.resources import data_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edged.engine.worker import wire

DEADLINE = 1.0
CPU_SECONDS = 1.0  # the stated bound: labels from the CPU within a second of the fault being noticed
START_SECONDS = 15.0


@pytest.fixture(scope="module")
def model() -> Path:
    return open_package(data_path("models/base")).members[0].file


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "edgetpu")


@pytest.fixture
def options(stand_in: StandIn, tmp_path: Path) -> EngineOptions:
    return EngineOptions(
        threads=1,
        deadline=DEADLINE,
        load_deadline=5.0,
        device="edgetpu",
        edgetpu=EdgeTpuOptions(str(stand_in.library)),
        root=tmp_path / "root",
    )


@pytest.fixture
def engine(options: EngineOptions) -> Iterator[Engine]:
    made = Engine(options)
    yield made
    made.close()


def grey(tensor: NDArray[np.generic], _: wire.TensorSpec) -> None:
    tensor[...] = 127


def label(engine: Engine, slot: int, seconds: float = CPU_SECONDS) -> str:
    """As the pipeline does: again until there is a result. Returns the device that gave it."""
    end = time.monotonic() + seconds
    while True:
        try:
            return engine.infer(slot, grey).device
        except EngineDownError as down:
            time.sleep(min(down.retry_in, 0.02))
        except WorkerError:
            pass
        assert time.monotonic() <= end, "no result in time"


def on_edgetpu(engine: Engine, slot: int) -> bool:
    return label(engine, slot) == "edgetpu" and engine.state().reason is None


def test_the_cpu_labels_at_once_and_the_edge_tpu_takes_over(engine: Engine, model: Path, stand_in: StandIn) -> None:
    slot = engine.load(model, model)
    assert engine.infer(slot, grey).device == "cpu"
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    state = engine.state()
    assert (state.device, state.reason, state.restarts) == ("edgetpu", None, 0)
    assert stand_in.loads() == [str(state.pid)]
    assert len(state.pids) == 2, "one stands by for the CPU"


def test_the_configured_device_reaches_the_library(options: EngineOptions, model: Path, stand_in: StandIn) -> None:
    engine = Engine(replace(options, edgetpu=replace(options.edgetpu, device="usb:0")))
    try:
        slot = engine.load(model, model)
        until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    finally:
        engine.close()
    assert [entry.partition(" ")[2] for entry in stand_in.loads()] == ["device=usb:0"]


@pytest.mark.parametrize(
    "mood",
    [
        ("refuse", "Failed to load delegate"),
        ("segfault", "does not fit"),
        ("abort 0", "SIGABRT"),
        ("hang", "in time"),
    ],
)
def test_what_fails_at_the_start_leaves_the_cpu_labelling_and_is_said(
    options: EngineOptions,
    model: Path,
    stand_in: StandIn,
    mood: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    behaviour, why = mood
    caplog.set_level(logging.WARNING)
    stand_in.behave(behaviour)
    engine = Engine(replace(options, load_deadline=2.0))
    try:
        slot = engine.load(model, model)
        end = time.monotonic() + START_SECONDS
        while why not in (engine.state().reason or ""):
            assert label(engine, slot) in {"cpu", "edgetpu"}
            assert time.monotonic() < end, engine.state().reason
        until(lambda: len(stand_in.loads()) > 1, START_SECONDS)
        stand_in.behave()
        until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    finally:
        engine.close()
    assert sum("the CPU labels" in record.getMessage() for record in caplog.records) <= 2


def test_a_library_that_is_not_there_is_named(options: EngineOptions, model: Path) -> None:
    engine = Engine(replace(options, edgetpu=EdgeTpuOptions("libnosuchtpu.so.7")))
    try:
        slot = engine.load(model, model)
        until(lambda: "libnosuchtpu.so.7" in (engine.state().reason or ""), START_SECONDS)
        assert label(engine, slot) == "cpu"
        assert engine.state().device == "cpu"
    finally:
        engine.close()


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_with_the_device_costs_the_cpu_no_start(
    engine: Engine, model: Path, stand_in: StandIn, number: signal.Signals
) -> None:
    slot = engine.load(model, model)
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    held, standby = engine.state().pids
    os.kill(held, number)
    until(lambda: psutil.Process(held).status() == psutil.STATUS_ZOMBIE)
    assert label(engine, slot) == "cpu"
    state = engine.state()
    assert (state.pid, state.device, state.restarts) == (standby, "cpu", 1)
    assert number.name in (state.reason or "")
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    assert len(set(stand_in.loads())) == 2


def test_an_abort_from_a_thread_of_the_driver_is_survived_again_and_again(
    engine: Engine, model: Path, stand_in: StandIn
) -> None:
    stand_in.behave("abort 300")
    slot = engine.load(model, model)
    end = time.monotonic() + 2 * START_SECONDS
    while engine.state().restarts < 2:
        label(engine, slot)
        assert time.monotonic() < end
    stand_in.behave()
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)


def test_a_device_that_hangs_is_given_up_at_the_deadline(engine: Engine, model: Path, stand_in: StandIn) -> None:
    slot = engine.load(model, model)
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    held = engine.state().pids[0]
    stand_in.behave("refuse")
    os.kill(held, signal.SIGSTOP)
    assert label(engine, slot, DEADLINE + CPU_SECONDS) == "cpu"
    assert not psutil.pid_exists(held), "reaped before anything else may open the device"
    stand_in.behave()
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)


def test_one_process_at_a_time_has_the_device(engine: Engine, model: Path, stand_in: StandIn) -> None:
    slot = engine.load(model, model)
    for _ in range(3):
        until(lambda: on_edgetpu(engine, slot), START_SECONDS)
        loaders = [int(entry) for entry in stand_in.loads()]
        assert [pid for pid in loaders if psutil.pid_exists(pid)] == [engine.state().pid]
        os.kill(engine.state().pids[0], signal.SIGKILL)
        label(engine, slot)


def test_the_worker_that_stands_by_is_replaced_when_it_dies(engine: Engine, model: Path) -> None:
    slot = engine.load(model, model)
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    held, standby = engine.state().pids
    os.kill(standby, signal.SIGKILL)
    until(lambda: len(engine.state().pids) == 2 and engine.state().pids[1] != standby, START_SECONDS)
    assert engine.state().pids[0] == held
    assert label(engine, slot) == "edgetpu"


def test_auto_leaves_the_device_alone_until_one_is_plugged_in(
    options: EngineOptions, model: Path, stand_in: StandIn
) -> None:
    engine = Engine(replace(options, device="auto"))
    try:
        slot = engine.load(model, model)
        time.sleep(1.5)
        assert label(engine, slot) == "cpu"
        assert (engine.state().reason, stand_in.loads()) == (None, [])
        plug_in_usb(options.root, usb_id="1a6e:089a")
        until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    finally:
        engine.close()


def test_a_device_that_is_unplugged_and_comes_back_is_taken_at_once(
    options: EngineOptions, model: Path, stand_in: StandIn
) -> None:
    plug_in_usb(options.root)
    engine = Engine(replace(options, device="auto"))
    try:
        slot = engine.load(model, model)
        until(lambda: on_edgetpu(engine, slot), START_SECONDS)
        unplug_usb(options.root)
        stand_in.behave("refuse")
        os.kill(engine.state().pids[0], signal.SIGABRT)
        assert label(engine, slot) == "cpu"
        until(lambda: "no Edge TPU is attached" in (engine.state().reason or ""), START_SECONDS)
        stand_in.behave()
        plug_in_usb(options.root, number=9)
        until(lambda: on_edgetpu(engine, slot), 5.0)
    finally:
        engine.close()


def test_a_model_without_a_twin_is_said_where_there_is_an_edge_tpu(options: EngineOptions, model: Path) -> None:
    plug_in_usb(options.root)
    engine = Engine(replace(options, device="auto"))
    try:
        slot = engine.load(model)
        until(lambda: "edged models install" in (engine.state().reason or ""), START_SECONDS)
        assert label(engine, slot) == "cpu"
    finally:
        engine.close()


def test_a_twin_of_another_model_is_refused_and_the_cpu_labels_on(engine: Engine, model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other_edgetpu.tflite"
    other.write_bytes(tiny_model(TinyModel()))
    slot = engine.load(model, other)
    until(lambda: "its tensors are" in (engine.state().reason or ""), START_SECONDS)
    state = engine.state()
    assert (label(engine, slot), state.device, state.restarts, len(state.pids)) == ("cpu", "cpu", 0, 1)
    until(lambda: len(psutil.Process().children()) <= 2, START_SECONDS)


def test_a_model_for_the_edge_tpu_alone_waits_for_it_and_names_it_where_there_is_none(
    options: EngineOptions, engine: Engine, model: Path, stand_in: StandIn
) -> None:
    slot = engine.load(None, model)
    assert engine.infer(slot, grey).device == "edgetpu"
    stand_in.behave("refuse")
    without = Engine(options)
    try:
        with pytest.raises(ModelError, match=r"compiled for the Edge TPU.*Failed to load delegate"):
            without.load(None, model)
    finally:
        without.close()


def test_closing_ends_every_worker_while_one_is_being_brought_up(
    options: EngineOptions, model: Path, stand_in: StandIn
) -> None:
    stand_in.behave("hang")
    engine = Engine(options)
    engine.load(model, model)
    until(lambda: bool(stand_in.loads()), START_SECONDS)
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 1.5
    until(lambda: not psutil.Process().children(), 2.0)


def test_closing_ends_a_worker_that_hangs_on_its_way_to_stand_by(
    options: EngineOptions, model: Path, tmp_path: Path
) -> None:
    hangs = tmp_path / "hangs"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ -e {hangs} ] && exec sleep 600\nexec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)
    engine = Engine(replace(options, load_deadline=30.0, launch=Launch(python=python)))
    slot = engine.load(model, model)
    until(lambda: on_edgetpu(engine, slot), START_SECONDS)
    hangs.touch()
    os.kill(engine.state().pids[1], signal.SIGKILL)
    until(lambda: any(child.name() == "sleep" for child in psutil.Process().children()), START_SECONDS)
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 0.8
    until(lambda: not psutil.Process().children(), 2.0)
