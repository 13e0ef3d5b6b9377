"""A worker that starts beside another is out of its way until it infers, and not a moment longer."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import psutil
import pytest
from support.models import tiny_model

from edged.engine.engine import Engine, EngineOptions, ModelFiles
from edged.engine.loaded_worker import LoadedWorker
from edged.engine.worker.gently import NICENESS, gently

if TYPE_CHECKING:
    from pathlib import Path


def priority(thread: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def test_work_is_done_at_a_low_priority_and_the_caller_keeps_its_own() -> None:
    before = priority()
    assert gently(priority) == max(NICENESS, before)
    assert priority() == before
    with pytest.raises(ZeroDivisionError):
        gently(lambda: 1 // 0)


def test_priority_that_is_lower_still_stays() -> None:
    found = []

    def run() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, 15)
        found.append(gently(priority))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [15]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_model())
    return path


@pytest.mark.parametrize("threads", [1, 2])
def test_worker_that_has_taken_over_infers_at_the_usual_priority(model: Path, threads: int) -> None:
    engine = Engine(EngineOptions(threads=threads, device="cpu"))
    try:
        engine.load(model)
        first = engine.state().pid
        (slot,) = engine.load_beside([ModelFiles(model)])
        second = engine.state().pid
        assert first != second
        assert second is not None
        engine.infer(slot, lambda tensor, _: tensor.fill(1))
        assert priority(second) == priority()
        usual = [thread for thread in threads_of(second) if priority(thread) == priority()]
        assert len(usual) >= 1 + threads, "the one for control, the one that infers, and those that help it"
    finally:
        engine.close()


def threads_of(pid: int) -> list[int]:
    return [thread.id for thread in psutil.Process(pid).threads()]


def test_worker_has_more_time_to_start_beside_another_than_when_it_is_waited_for(model: Path) -> None:
    options = EngineOptions(threads=1, load_deadline=10.0)
    worker = LoadedWorker(options, "cpu", gently=True)
    try:
        worker.wait_ready()
        worker.load(0, ModelFiles(model))
        worker.hurry()
        worker.load(1, ModelFiles(model))
        assert set(worker.models) == {0, 1}
        assert priority(worker.process.pid) == priority()
    finally:
        worker.process.kill()
