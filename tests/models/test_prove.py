"""A model proves itself in a process that it may crash, hang or fill; what has done so is remembered."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.models import TinyModel, tiny_model, write_package
from support.pictures import encoded

from edged.engine.process import Launch
from edged.errors import ModelError, WorkerError
from edged.labeling.activation import Activation
from edged.models import prove as proving
from edged.models.prove import Proof, open_proved, prove

ROGUE = Path(__file__).parents[1] / "support/rogue_worker.py"


def with_golden(folder: Path, text: str, confidence: float) -> Path:
    """A package with a photo of one colour: red 1, green 0.4, blue 0.2."""
    photo = encoded(np.full((20, 30, 3), (255, 102, 51), np.uint8))
    write_package(folder)
    tree = yaml.safe_load((folder / "model.yaml").read_text())
    (folder / "orange.png").write_bytes(photo)
    tree["files"]["orange.png"] = {"sha256": hashlib.sha256(photo).hexdigest(), "size": len(photo)}
    tree["golden"] = [{"photo": "orange.png", "labels": [{"text": text, "confidence": confidence}]}]
    (folder / "model.yaml").write_text(yaml.safe_dump(tree))
    return folder


def test_package_that_gives_what_its_golden_photos_say_proves_itself(tmp_path: Path) -> None:
    proof = prove(with_golden(tmp_path, "red", 0.95))
    assert (proof.ref.name, proof.members, proof.golden) == ("tiny", ("colours",), 1)
    assert proof.ref.digest == f"sha256:{hashlib.sha256((tmp_path / 'model.yaml').read_bytes()).hexdigest()}"


@pytest.mark.parametrize(("text", "confidence"), [("green", 0.4), ("red", 0.5)])
def test_package_that_gives_something_else_is_refused_with_the_photo(
    tmp_path: Path, text: str, confidence: float
) -> None:
    with pytest.raises(ModelError, match=rf"orange\.png: must give {text} .*; gives {text} .*blue 0\.20"):
        prove(with_golden(tmp_path, text, confidence))


def test_model_of_logits_is_refused_until_its_activation_is_named(tmp_path: Path) -> None:
    path = tmp_path / "logits.tflite"
    path.write_bytes(tiny_model(TinyModel(weights=np.eye(3, dtype=np.float32))))
    with pytest.raises(ModelError, match=r"logits\.tflite: .* no confidences"):
        prove(path)
    assert prove(path, activation=Activation.SOFTMAX).members == ("model",)


def test_compiled_file_is_looked_into_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "birds.tflite"
    path.write_bytes(tiny_model(TinyModel(custom="edgetpu-custom-op")))
    assert prove(path).members == ("model",)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"birds\.tflite: damaged"):
        prove(path)


def test_file_that_only_names_the_edge_tpus_operator_is_run_and_refused(tmp_path: Path) -> None:
    package = write_package(tmp_path, model=tiny_model(TinyModel(custom="edgetpu-custom-op", program=b"")))
    with pytest.raises(ModelError, match=r"tiny\.tflite: compiled for the Edge TPU, cannot run on the CPU"):
        prove(package)


def test_runtime_that_cannot_start_says_nothing_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="cannot start the inference worker"):
        prove(write_package(tmp_path), launch=Launch(python=tmp_path / "no-python"))


BEGUN = "import os, time; os.write(1, b'\\n'); "


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("os.abort()", r"trying it out crashed \(SIGABRT\)"),
        ("os.write(1, b'{}'); time.sleep(60)", "trying it out did not end within 2 s"),
        ("\nwhile True: os.write(1, b'x' * 65536)", "trying it out did not end within 2 s"),
        ("print('<html>')", "trying it out ended with exit code 0"),
        ("raise SystemExit(3)", "trying it out ended with exit code 3"),
        ('print(\'{"kind": "strange"}\')', "trying it out ended with exit code 0"),
    ],
)
def test_process_that_crashes_hangs_or_talks_nonsense_is_an_error_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    monkeypatch.setattr(proving, "BOOTSTRAP", BEGUN + program)
    began = time.monotonic()
    with pytest.raises(ModelError, match=said):
        prove(tmp_path, seconds=2 if "2 s" in said else 30)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("program", ["import no_such_module", "import os; os.abort()", "import time; time.sleep(60)"])
def test_process_that_does_not_begin_says_nothing_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(proving, "BOOTSTRAP", program)
    with pytest.raises(WorkerError, match="before it had begun"):
        prove(tmp_path, seconds=1 if "sleep" in program else 30)


@pytest.mark.parametrize("how", ["segv", "garbage"])
def test_model_that_takes_the_worker_along_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("EDGED_ROGUE", f"load:{how}:{tmp_path / 'mark'}")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROGUE}" "$@"\n')
    python.chmod(0o755)
    with pytest.raises(ModelError, match="damaged, or more than this machine can load"):
        prove(write_package(tmp_path / "p"), launch=Launch(python=python))


def test_package_that_takes_more_memory_than_it_may_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = tmp_path / "huge.tflite"
    huge.write_bytes(tiny_model() + b"\0" * (200 * 2**20))
    monkeypatch.setattr(proving, "MEMORY", 150)
    with pytest.raises(ModelError, match=r"huge\.tflite: damaged, or it needs more than 150 MB of memory"):
        prove(huge, launch=Launch(memory=100))


def test_model_that_takes_more_memory_than_the_worker_may_is_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge.tflite"
    huge.write_bytes(tiny_model(TinyModel(shape=(1, 4600, 4600, 3))))  # 63 MB, and four times that once it is floats
    with pytest.raises(ModelError, match=r"huge\.tflite: "):
        prove(huge, launch=Launch(memory=200))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The packages that were proved, each time; nothing is remembered yet."""
    done: list[Path] = []
    real = proving.prove

    def counting(path: Path, **options: Any) -> Proof:  # noqa: ANN401  whatever `prove` takes
        done.append(path)
        return real(path, **options)

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(proving, "_proved", set())
    monkeypatch.setattr(proving, "prove", counting)
    return done


def test_a_package_proves_itself_once_and_again_when_it_has_changed(
    counted: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_package(tmp_path / "p")
    for _ in range(2):
        open_proved(path)
    assert counted == [path]
    monkeypatch.setattr(proving, "_proved", set())  # as in the next process
    open_proved(path)
    assert counted == [path]
    open_proved(write_package(tmp_path / "p", labels="rot\ngelb\nblau\n"))
    assert counted == [path, path]
    assert oct((tmp_path / "state/edged").stat().st_mode & 0o777) == "0o700"


def test_what_cannot_be_remembered_is_proved_again(
    counted: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_package(tmp_path / "p")
    (tmp_path / "state").write_text("a file where the folder should be")
    open_proved(path)
    monkeypatch.setattr(proving, "_proved", set())
    open_proved(path)
    assert counted == [path, path]


@pytest.mark.parametrize("rubbish", [b"\xff\xfe", b"x" * 300_000, b""])
def test_rubbish_in_the_memory_is_no_proof_and_no_hindrance(
    counted: list[Path], tmp_path: Path, rubbish: bytes
) -> None:
    file = tmp_path / "state/edged/proved"
    file.parent.mkdir(parents=True)
    file.write_bytes(rubbish)
    path = write_package(tmp_path / "p")
    open_proved(path)
    assert counted == [path]
    assert len(file.read_bytes()) < 200
    assert [name for name in os.listdir(file.parent) if name != "proved"] == []  # noqa: PTH208  names


def test_edgeds_own_model_needs_no_proof(counted: list[Path]) -> None:
    from edged.models.package import find_model  # noqa: PLC0415

    assert open_proved(find_model("base")).ref.name == "base"
    assert counted == []
