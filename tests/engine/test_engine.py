"""The engine with real workers, really killed."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from edged.engine.engine import Engine, EngineDownError, EngineOptions
from edged.engine.process import Launch
from edged.errors import ModelError, WorkerError
from edged.models.package import open_package
from edged.resources import data_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edged.engine.worker import wire

BACK_SECONDS = 1.0  # the stated bound: labels again within a second, besides the deadline that a hang runs into
DEADLINE = 1.0
ROGUE = Path(__file__).parent.parent / "support" / "rogue_worker.py"


@pytest.fixture(scope="module")
def model() -> Path:
    return open_package(data_path("models/base")).members[0].file


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(EngineOptions(threads=1, deadline=DEADLINE, load_deadline=5.0))
    yield made
    made.close()


def grey(tensor: NDArray[np.generic], _: wire.TensorSpec) -> None:
    tensor[...] = 127


def worker_pid(engine: Engine) -> int:
    pid = engine.state().pid
    assert pid is not None
    return pid


def infer_until_it_works(engine: Engine, slot: int, seconds: float) -> NDArray[np.generic]:
    """As the pipeline does. Fails when it takes longer."""
    start = time.monotonic()
    while True:
        try:
            scores = engine.infer(slot, grey).scores
        except EngineDownError as down:
            time.sleep(min(down.retry_in, 0.05))
        except WorkerError:
            pass
        else:
            assert time.monotonic() - start <= seconds
            return scores
        assert time.monotonic() - start <= seconds, "no result in time"


def test_an_inference_gives_the_scores_of_the_model(engine: Engine, model: Path) -> None:
    slot = engine.load(model)
    inference = engine.infer(slot, grey)
    assert inference.scores.shape == (1, 1000)
    assert inference.device == "cpu"
    assert 0 < inference.seconds < DEADLINE
    assert engine.state().restarts == 0


def test_the_kernel_ends_the_worker_first_when_memory_runs_out(engine: Engine, model: Path) -> None:
    engine.load(model)
    score = Path(f"/proc/{worker_pid(engine)}/oom_score_adj").read_text("ascii")
    assert int(score) == 500


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_killed_worker_is_replaced_within_a_second(engine: Engine, model: Path, number: signal.Signals) -> None:
    slot = engine.load(model)
    before = infer_until_it_works(engine, slot, BACK_SECONDS)
    dead = worker_pid(engine)
    os.kill(dead, number)
    after = infer_until_it_works(engine, slot, BACK_SECONDS)
    assert np.array_equal(before, after)
    assert worker_pid(engine) != dead
    assert not psutil.pid_exists(dead), "reaped"


def test_a_stopped_worker_is_killed_at_its_deadline_and_replaced(engine: Engine, model: Path) -> None:
    slot = engine.load(model)
    dead = worker_pid(engine)
    os.kill(dead, signal.SIGSTOP)
    infer_until_it_works(engine, slot, DEADLINE + BACK_SECONDS)
    assert not psutil.pid_exists(dead)
    state = engine.state()
    assert (state.reason, state.restarts) == (None, 1)


@pytest.mark.parametrize("how", ["kill", "segv", "abort", "exit", "stop", "hang", "garbage", "half", "close"])
@pytest.mark.parametrize("when", ["start", "load", "infer"])
def test_a_worker_that_fails_in_any_way_costs_frames_and_no_more(
    when: str, how: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGED_ROGUE", f"{when}:{how}:{tmp_path / 'done'}")
    deadline = DEADLINE if how in {"stop", "hang"} else 0.0
    engine = Engine(
        EngineOptions(
            threads=1, deadline=DEADLINE, load_deadline=DEADLINE, launch=Launch(python=_interpreter(tmp_path))
        )
    )
    try:
        start = time.monotonic()
        slot = None
        while slot is None:
            try:
                slot = engine.load(model)
            except WorkerError:
                assert time.monotonic() - start <= deadline + BACK_SECONDS
        infer_until_it_works(engine, slot, deadline + BACK_SECONDS)
        infer_until_it_works(engine, slot, BACK_SECONDS + deadline)
        assert (tmp_path / "done").exists(), "it did misbehave"
        assert engine.state().restarts == 1
    finally:
        engine.close()


def _interpreter(folder: Path) -> Path:
    """The rogue worker as an executable that this Python runs."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROGUE}" "$@"\n', "utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_the_reason_of_a_death_is_told_and_taken_back(engine: Engine, model: Path) -> None:
    slot = engine.load(model)
    told: list[str | None] = []
    engine.on_change = lambda: told.append(engine.state().reason)
    os.kill(worker_pid(engine), signal.SIGSEGV)
    infer_until_it_works(engine, slot, BACK_SECONDS)
    assert len(told) == 2
    assert told[0] is not None
    assert "SIGSEGV" in told[0]
    assert told[1] is None


def test_several_models_live_in_one_worker_and_all_come_back(engine: Engine, model: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.tflite"
    twin.write_bytes(model.read_bytes())
    slots = [engine.load(model), engine.load(twin)]
    assert len(set(slots)) == 2
    os.kill(worker_pid(engine), signal.SIGKILL)
    first, second = (infer_until_it_works(engine, slot, BACK_SECONDS) for slot in slots)
    assert np.array_equal(first, second)
    engine.unload(slots[0])
    assert np.array_equal(infer_until_it_works(engine, slots[1], BACK_SECONDS), second)


@pytest.mark.parametrize("data", [b"", b"\0" * 8 + b"nonsense" * 99], ids=["empty", "nonsense"])
def test_a_file_that_is_no_model_is_refused_and_the_worker_lives(engine: Engine, tmp_path: Path, data: bytes) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(data)
    with pytest.raises(ModelError):
        engine.load(bad)
    assert engine.state().restarts == 0


def test_an_interpreter_that_is_not_there_is_a_worker_error_that_names_it(model: Path) -> None:
    engine = Engine(EngineOptions(launch=Launch(python=Path("/no/such/python"))))
    with pytest.raises(WorkerError, match="/no/such/python"):
        engine.load(model)
    engine.close()


def test_a_worker_without_a_runtime_says_which_to_install(model: Path, tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n', "utf-8")  # -S: no site-packages, so no numpy
    script.chmod(0o755)
    engine = Engine(EngineOptions(launch=Launch(python=script)))
    with pytest.raises(WorkerError, match="No module named 'numpy'"):
        engine.load(model)
    engine.close()


def test_a_worker_that_never_works_is_tried_ever_more_slowly(tmp_path: Path, model: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexit 3\n", "utf-8")
    script.chmod(0o755)
    engine = Engine(EngineOptions(launch=Launch(python=script)))
    starts = 0
    with pytest.raises(EngineDownError) as down:  # noqa: PT012  the attempt that is refused ends the loop
        while starts < 20:
            try:
                engine.load(model)
            except EngineDownError:
                raise
            except WorkerError:
                starts += 1
    assert starts == 6
    assert 4 < down.value.retry_in <= 5
    assert "exit code 3" in str(down.value)
    engine.close()


def test_close_ends_an_inference_that_hangs(engine: Engine, model: Path) -> None:
    engine.close()
    engine = Engine(EngineOptions(threads=1, deadline=60.0))
    slot = engine.load(model)
    os.kill(worker_pid(engine), signal.SIGSTOP)
    outcome: list[BaseException] = []

    def infer() -> None:
        try:
            engine.infer(slot, grey)
        except WorkerError as error:
            outcome.append(error)

    thread = threading.Thread(target=infer)
    thread.start()
    time.sleep(0.2)
    start = time.monotonic()
    engine.close()
    thread.join(5)
    assert time.monotonic() - start < 1
    assert len(outcome) == 1
    with pytest.raises(EngineDownError):
        engine.infer(slot, grey)


def test_a_worker_dies_with_its_daemon(model: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from edged.engine.engine import Engine\n"
        f"engine = Engine(); engine.load(Path({str(model)!r})); print(engine.state().pid, flush=True); time.sleep(60)"
    )
    read, write = os.pipe()
    daemon = psutil.Popen([sys.executable, "-c", code], stdout=write)
    os.close(write)
    worker = psutil.Process(int(os.read(read, 100)))
    os.close(read)
    worker.suspend()  # even one that hangs
    daemon.kill()
    daemon.wait()
    worker.wait(2)


def test_nothing_is_left_open_after_thirty_lives(engine: Engine, model: Path) -> None:
    slot = engine.load(model)
    infer_until_it_works(engine, slot, BACK_SECONDS)
    counts = []
    for life in range(30):
        os.kill(worker_pid(engine), signal.SIGKILL)
        infer_until_it_works(engine, slot, BACK_SECONDS)
        if life >= 5:
            counts.append((len(list(Path("/proc/self/fd").iterdir())), threading.active_count()))
    assert max(fds for fds, _ in counts) - min(fds for fds, _ in counts) <= 4
    assert max(threads for _, threads in counts) - min(threads for _, threads in counts) <= 1
