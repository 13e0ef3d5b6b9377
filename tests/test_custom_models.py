"""Custom models by the rules of ML Kit and the TFLite Task Library: what their metadata says is done, once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.models import TinyModel, tiny_model, write_package

from edged.camera.picture import PackedPicture
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.errors import ModelError
from edged.labeling.calibration import ScoreCalibration, Sigmoid, Transformation
from edged.labeling.preprocess import Normalisation
from edged.models.package import open_package
from edged.models.write_metadata import Description, LabelList, write_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLOUR = PackedPicture(np.full((20, 30, 3), (255, 102, 51), np.uint8))
NAMES = LabelList(("red", "green", "blue"), "en")
HALVES = Normalisation((127.5,), (127.5,))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(EngineOptions(threads=1))
    yield engine
    engine.close()


def bare(folder: Path, model: TinyModel, description: Description) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(write_metadata(tiny_model(model), description))
    return path


def seen(engine: Engine, path: Path, threshold: float | None = 0.0) -> dict[str, float]:
    found = Classifier(engine, open_package(path))
    return {label.text: label.confidence for label in found.classify(COLOUR, LabelOptions(threshold)).labels}


def test_float_model_is_normalised_as_its_metadata_says(engine: Engine, tmp_path: Path) -> None:
    model = TinyModel(dtype="float32", weights=np.eye(3, dtype=np.float32) / np.float32(4))
    path = bare(tmp_path, model, Description(labels=(NAMES,), normalisation=Normalisation((0.0,), (127.5,))))
    assert seen(engine, path) == pytest.approx({"red": 0.5, "green": 0.2, "blue": 0.1}, abs=0.01)


def test_metadata_normalisation_is_not_applied_to_bytes_again(engine: Engine, tmp_path: Path) -> None:
    path = bare(tmp_path, TinyModel(), Description(labels=(NAMES,), normalisation=HALVES))
    assert seen(engine, path) == pytest.approx({"red": 1.0, "green": 0.4, "blue": 0.2}, abs=0.01)


def test_model_yaml_goes_before_the_files_metadata(engine: Engine, tmp_path: Path) -> None:
    described = write_metadata(
        tiny_model(TinyModel(dtype="float32", weights=np.eye(3, dtype=np.float32))),
        Description(labels=(LabelList(("a", "b", "c")),), normalisation=Normalisation((0.0,), (510.0,)), threshold=0.9),
    )
    member = {"normalisation": {"mean": [0], "std": [255]}, "threshold": 0.3}
    path = write_package(tmp_path / "over", model=described, member=member)
    assert seen(engine, path, None) == pytest.approx({"red": 1.0, "green": 0.4}, abs=0.01)
    path = write_package(tmp_path / "silent", model=described, labels=None)
    assert seen(engine, path) == pytest.approx({"a": 0.5, "b": 0.2, "c": 0.1}, abs=0.01)
    assert seen(engine, path, None) == {}


def test_threshold_and_calibration_of_the_metadata_hold(engine: Engine, tmp_path: Path) -> None:
    calibration = ScoreCalibration(
        Transformation.IDENTITY, 0.05, (Sigmoid(1.0, 2.0, -1.0), None, Sigmoid(0.5, 10.0, 0.0, 0.1))
    )
    path = bare(tmp_path, TinyModel(), Description(labels=(NAMES,), threshold=0.1, calibration=calibration))
    wanted = {"red": 1 / (1 + math.exp(-1)), "blue": 0.5 / (1 + math.exp(-2)), "green": 0.05}
    assert seen(engine, path) == pytest.approx(wanted, abs=0.01)
    assert list(seen(engine, path, None)) == ["red", "blue"]


def test_wrong_number_of_labels_beside_a_bare_model_is_an_error_with_both_numbers(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model())
    (tmp_path / "model.txt").write_text("red\ngreen\n")
    with pytest.raises(ModelError, match=r"model\.tflite: the model has 3 classes and its label file 2 lines"):
        seen(engine, path)


def test_model_of_logits_is_refused_when_it_is_loaded(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model(TinyModel(weights=np.eye(3, dtype=np.float32))))
    loaded = dict(engine.wanted())
    with pytest.raises(ModelError, match=r"model\.tflite: the model's scores are from .*`activation: softmax`"):
        seen(engine, path)
    assert engine.wanted() == loaded
