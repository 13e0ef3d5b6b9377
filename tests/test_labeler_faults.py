"""`ImageLabeler` with many threads, a worker that is killed, and models that cannot be used."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from support.models import TinyModel, tiny_model, write_package
from support.pictures import encoded

from edged import ImageLabeler
from edged import labeler as labeler_module
from edged.errors import ModelError, WorkerError

PIXELS = np.full((20, 30, 3), (255, 102, 51), np.uint8)
LABELS = {"red": 1.0, "green": 0.4, "blue": 0.2}
ROGUE = Path(__file__).parent / "support" / "rogue_worker.py"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("tiny"))


def scores(labeler: ImageLabeler) -> dict[str, float]:
    return {label.text: round(label.confidence, 2) for label in labeler.process(PIXELS)}


def test_eight_threads_get_the_labels_of_their_own_pictures(tiny: Path) -> None:
    with ImageLabeler(tiny, threads=1) as labeler, ThreadPoolExecutor(8) as threads:

        def red(value: int) -> int:
            picture = np.full((20, 20, 3), value, np.uint8)
            (first, *_) = labeler.process(picture if value % 2 else encoded(picture))
            return round(first.confidence * 255)

        assert list(threads.map(red, list(range(256)) * 2)) == list(range(256)) * 2


def pid_of(labeler: ImageLabeler) -> int:
    pid = labeler._engine.state().pid  # noqa: SLF001  whom to kill
    assert pid is not None
    return pid


def test_worker_killed_between_calls_costs_nothing(tiny: Path) -> None:
    with ImageLabeler(tiny, threads=1) as labeler:
        for _ in range(3):
            before = pid_of(labeler)
            os.kill(before, signal.SIGKILL)
            assert scores(labeler) == LABELS
            assert pid_of(labeler) != before


def test_worker_killed_while_threads_label_costs_nobody_a_label(tiny: Path) -> None:
    with ImageLabeler(tiny, threads=1) as labeler, ThreadPoolExecutor(4) as threads:
        stop = threading.Timer(0.05, lambda: os.kill(pid_of(labeler), signal.SIGKILL))
        stop.start()
        assert all(found == LABELS for found in threads.map(lambda _: scores(labeler), range(1500)))
        stop.join()


def test_closed_labeler_says_so_and_leaves_no_process(tiny: Path) -> None:
    labeler = ImageLabeler(tiny, threads=1)
    pid = pid_of(labeler)
    labeler.close()
    labeler.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(WorkerError, match="closed"):
        labeler.process(PIXELS)


def test_model_that_is_refused_leaves_no_process(tmp_path: Path) -> None:
    before = children()
    path = tmp_path / "float.tflite"
    path.write_bytes(tiny_model(TinyModel(dtype="float32")))
    with pytest.raises(ModelError, match=r"TFLite Metadata .* or in model\.yaml"):
        ImageLabeler(path)
    assert children() <= before


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.mark.parametrize("part", [0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.85])
def test_truncated_model_is_refused_by_name(tmp_path: Path, part: float) -> None:
    whole = tiny_model()
    path = tmp_path / "cut.tflite"
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ModelError, match=r"cut\.tflite: "):
        ImageLabeler(path)


@pytest.mark.parametrize("how", ["hang", "segv", "abort", "garbage"])
def test_model_over_which_the_worker_dies_or_hangs_is_refused_by_name(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(labeler_module, "LOAD_SECONDS", 4.0)
    monkeypatch.setenv("EDGED_ROGUE", f"load:{how}:{tmp_path / 'mark'}")
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} {ROGUE} "$@"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    began = time.monotonic()
    with pytest.raises(ModelError, match=f"^{tiny}: damaged, or more than this machine can load"):
        ImageLabeler(tiny)
    assert time.monotonic() - began < 15  # where it hangs: proving's own bound, then the labeler's


def test_worker_that_cannot_start_is_not_called_the_models_fault(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorkerError, match="exit code 1"):
        ImageLabeler(tiny)


def test_logits_are_refused_rather_than_called_confidences(tmp_path: Path) -> None:
    model = tiny_model(TinyModel(weights=np.eye(3, dtype=np.float32)))
    with pytest.raises(ModelError, match="no confidences"):
        ImageLabeler(write_package(tmp_path, model=model))
