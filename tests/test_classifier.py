"""A package in an engine: which models are classifiers, and what is said of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.models import TinyModel, tiny_model, write_package

from edged.camera.geometry import Region
from edged.camera.picture import PackedPicture
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.errors import BadImageError, ModelError
from edged.labeling.preprocess import Fit
from edged.models.package import open_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLOUR = PackedPicture(np.full((20, 30, 3), (255, 102, 51), np.uint8))
EVERYTHING = LabelOptions()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(EngineOptions(threads=1))
    yield engine
    engine.close()


def classifier(engine: Engine, path: Path, model: TinyModel | None = None, **package: object) -> Classifier:
    return Classifier(engine, open_package(write_package(path, model=tiny_model(model), **package)))  # type: ignore[arg-type]


def scores(found: Classifier) -> dict[str, float]:
    return {label.text: round(label.confidence, 3) for label in found.classify(COLOUR, EVERYTHING).labels}


@pytest.mark.parametrize(
    "model",
    [
        TinyModel(),
        TinyModel(shape=(1, 5, 7, 3)),
        TinyModel(shape=(1, 1, 1, 3)),
        TinyModel(output=(1, 1, 1, 3)),
        TinyModel(dtype="int8", source=(1.0, -128)),
    ],
)
def test_every_shape_of_classifier_gives_its_scores(engine: Engine, tmp_path: Path, model: TinyModel) -> None:
    assert scores(classifier(engine, tmp_path, model)) == {"red": 1.0, "green": 0.4, "blue": 0.2}


def test_float_model_is_normalised_as_its_package_says(engine: Engine, tmp_path: Path) -> None:
    model = TinyModel(dtype="float32", weights=np.eye(3, dtype=np.float32))
    found = classifier(engine, tmp_path, model, member={"normalisation": {"mean": [0], "std": [255]}})
    assert scores(found) == {"red": 1.0, "green": 0.4, "blue": 0.2}


def test_grey_model_sees_luma(engine: Engine, tmp_path: Path) -> None:
    weights = np.array([[1 / 255], [0], [0.5 / 255]], np.float32)
    luma = (0.299 * 255 + 0.587 * 102 + 0.114 * 51) / 255
    found = scores(classifier(engine, tmp_path, TinyModel(shape=(1, 8, 8, 1), weights=weights)))
    assert found["red"] == pytest.approx(luma, abs=0.004)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (TinyModel(inputs=2), "the model has 2 inputs; an image classifier has one"),
        (TinyModel(outputs=2), "the model has 2 outputs; an image classifier has one"),
        (TinyModel(shape=(1, 8, 8, 4), weights=np.zeros((3, 4), np.float32)), "input is [1, 8, 8, 4]"),
        (TinyModel(shape=(2, 8, 8, 3)), "output is [2, 3]"),
        (TinyModel(output=(3, 1)), "output is [3, 1]"),
        (TinyModel(dtype="float32"), "TFLite Metadata (NormalizationOptions) or in model.yaml"),
        (TinyModel(custom="edgetpu-custom-op"), "compiled for the Edge TPU, cannot run on the CPU"),
        (TinyModel(custom="SomethingElse"), "SomethingElse"),
    ],
)
def test_other_models_are_refused_and_leave_the_engine_in_order(
    engine: Engine, tmp_path: Path, model: TinyModel, said: str
) -> None:
    with pytest.raises(ModelError) as caught:
        classifier(engine, tmp_path / "other", model)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "other" / "tiny.tflite: ")[:-2])
    assert "\n" not in str(caught.value)
    assert scores(classifier(engine, tmp_path / "good")) == {"red": 1.0, "green": 0.4, "blue": 0.2}


@pytest.mark.parametrize(("labels", "count"), [("red\ngreen\n", 2), ("a\nb\nc\nd\n", 4)])
def test_wrong_number_of_labels_is_an_error_with_both_numbers(
    engine: Engine, tmp_path: Path, labels: str, count: int
) -> None:
    with pytest.raises(ModelError, match=f"the model has 3 classes and its label file {count} lines"):
        classifier(engine, tmp_path, labels=labels)


def test_without_labels_classes_are_numbers(engine: Engine, tmp_path: Path) -> None:
    assert scores(classifier(engine, tmp_path, labels=None)) == {"0": 1.0, "1": 0.4, "2": 0.2}


def test_models_own_threshold_holds_unless_another_is_given(engine: Engine, tmp_path: Path) -> None:
    found = classifier(engine, tmp_path, member={"threshold": 0.3})
    assert [label.text for label in found.classify(COLOUR, EVERYTHING).labels] == ["red", "green"]
    assert len(found.classify(COLOUR, LabelOptions(threshold=0.0)).labels) == 3
    assert len(found.classify(COLOUR, LabelOptions(threshold=0.0, max_results=1)).labels) == 1
    assert [label.text for label in found.classify(COLOUR, LabelOptions(0.0, deny=frozenset({"red"}))).labels] == [
        "green",
        "blue",
    ]


def test_fit_of_the_call_goes_before_the_models(engine: Engine, tmp_path: Path) -> None:
    picture = PackedPicture(
        np.concatenate([np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)], axis=1)
    )
    found = classifier(engine, tmp_path, member={"fit": "pad"})
    pad = found.classify(picture, EVERYTHING).labels[0].confidence
    stretch = found.classify(picture, LabelOptions(fit=Fit.STRETCH)).labels[0].confidence
    assert (round(pad, 2), round(stretch, 2)) == (0.25, 0.5)
    right = found.classify(picture, LabelOptions(fit=Fit.STRETCH), Region(0.5, 0.0, 0.5, 1.0)).labels[0].confidence
    assert right == pytest.approx(1.0)


def test_names_that_are_no_labels_are_told(engine: Engine, tmp_path: Path) -> None:
    found = classifier(engine, tmp_path, labels="Hot dog\nCat\nDog\n")
    assert found.unknown_names(frozenset({"Cat", "hot-dog", "Horse", "dog", "hot_dog"})) == ["Horse", "hot_dog"]
    assert found.texts == ("Hot dog", "Cat", "Dog")


def test_damaged_picture_costs_nothing_but_itself(engine: Engine, tmp_path: Path) -> None:
    from edged.camera.jpeg import JpegPicture  # noqa: PLC0415

    found = classifier(engine, tmp_path)
    with pytest.raises(BadImageError):
        found.classify(JpegPicture(b"\xff\xd8\xff\xe0nothing"), EVERYTHING)
    assert scores(found) == {"red": 1.0, "green": 0.4, "blue": 0.2}
