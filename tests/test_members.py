"""Packages of several models: run on the same picture, their labels merged; groups and detail on top."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.models import TinyModel, tiny_model, write_package

from edged import ImageLabeler
from edged.camera.geometry import Size
from edged.camera.picture import PackedPicture
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.errors import ModelError, UsageError
from edged.labeling.label import Label
from edged.labeling.vocabulary import Detail
from edged.models.package import open_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIXELS = np.full((20, 30, 3), (255, 102, 51), np.uint8)
COLOUR = PackedPicture(PIXELS)
ALL = LabelOptions(threshold=0.0)
BROKEN = tiny_model(TinyModel(inputs=2))

# Of the second model: half the red is "red" again, half the green is a person
PEOPLE = np.array([[0.5, 0, 0], [0, 0.5, 0]], np.float32) / np.float32(255)


def two_members(folder: Path, second: bytes | None = None, **people: Any) -> Path:  # noqa: ANN401  keys of model.yaml
    """Colours in groups, and a second model that is float, of another size, and normalised."""
    model = tiny_model(TinyModel(dtype="float32", shape=(1, 4, 6, 3), weights=PEOPLE)) if second is None else second
    groups = {"Warm": [0, 1], "Colour": [0, 1, 2], "green": [1]}
    more = {"people.tflite": model, "people.txt": b"red\nPerson\n", "groups.json": json.dumps(groups).encode()}
    first = {"name": "colours", "model": "tiny.tflite", "labels": "labels.txt", "groups": "groups.json"}
    normalisation = {"mean": [0], "std": [1]}
    second_entry = {"name": "people", "model": "people.tflite", "labels": "people.txt", "normalisation": normalisation}
    return write_package(folder, more=more, manifest={"members": [first, second_entry | people]})


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(EngineOptions(threads=1))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_members(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def both(engine: Engine, folder: Path) -> Classifier:
    return Classifier(engine, open_package(folder))


def seen(found: Classifier, options: LabelOptions) -> dict[str, float]:
    return {label.text: round(label.confidence, 2) for label in found.classify(COLOUR, options).labels}


def test_every_member_looks_and_equal_texts_are_one_label(both: Classifier) -> None:
    done = both.classify(COLOUR, LabelOptions(0.0, detail=Detail.FINE))
    assert {(label.text, label.index, label.member) for label in done.labels} == {
        ("red", 0, None),
        ("green", 1, None),
        ("blue", 2, None),
        ("Person", 1, "people"),
    }
    assert {label.text: label.confidence for label in done.labels} == pytest.approx(
        {"red": 1.0, "green": 0.4, "blue": 0.2, "Person": 0.2}, abs=0.005
    )


def test_times_are_those_of_all_members_together(both: Classifier) -> None:
    done = both.classify(COLOUR, ALL)
    assert done.device == "cpu"
    assert done.preprocess > 0
    assert done.inference > 0


@pytest.mark.parametrize(
    ("detail", "wanted"),
    [
        (Detail.FINE, {"red": 1.0, "green": 0.4, "blue": 0.2, "Person": 0.2}),
        (Detail.EVERYDAY, {"Warm": 1.0, "Colour": 1.0, "green": 0.4, "red": 0.5, "Person": 0.2}),
        (Detail.BOTH, {"Warm": 1.0, "Colour": 1.0, "red": 1.0, "green": 0.4, "blue": 0.2, "Person": 0.2}),
    ],
)
def test_detail_says_whether_groups_classes_or_both_come_out(
    both: Classifier, detail: Detail, wanted: dict[str, float]
) -> None:
    assert seen(both, LabelOptions(0.0, detail=detail)) == pytest.approx(wanted, abs=0.011)


def test_lists_and_most_count_over_what_is_merged(both: Classifier) -> None:
    assert list(seen(both, LabelOptions(0.0, allow=frozenset({"person", "Warm"})))) == ["Warm", "Person"]
    assert "red" not in seen(both, LabelOptions(0.0, deny=frozenset({"red"})))
    assert len(seen(both, LabelOptions(0.0, max_results=2))) == 2
    assert both.unknown_names(frozenset({"person", "Warm", "blue", "Horse"})) == ["Horse"]
    assert both.slugs == {
        "red": "red",
        "green": "green",
        "blue": "blue",
        "Warm": "warm",
        "Colour": "colour",
        "Person": "person",
    }


def test_each_member_has_its_own_threshold_unless_one_is_given(engine: Engine, tmp_path: Path) -> None:
    found = Classifier(engine, open_package(two_members(tmp_path, threshold=0.3)))
    assert "Person" not in seen(found, LabelOptions())
    assert "blue" in seen(found, LabelOptions())
    assert "Person" in seen(found, LabelOptions(threshold=0.1))


def test_members_that_are_named_alone_run(engine: Engine, folder: Path) -> None:
    package = open_package(folder)
    people = Classifier(engine, package, ["people"])
    assert (len(people.slots), people.size) == (1, Size(6, 4))
    assert people.classify(COLOUR, ALL).labels[0].member == "people"
    assert seen(people, ALL) == {"red": 0.5, "Person": 0.2}
    assert set(seen(Classifier(engine, package, {"colours"}), ALL)) == {"red", "green", "blue", "Warm", "Colour"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["persons"], "has no member persons; it has colours, people"),
        ([], "is to run none of its members; it has colours, people"),
    ],
)
def test_members_that_are_not_there_are_an_error_that_names_those_that_are(
    engine: Engine, folder: Path, names: list[str], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        Classifier(engine, open_package(folder), names)


def test_member_that_cannot_be_used_leaves_no_other_behind(engine: Engine, tmp_path: Path) -> None:
    before = dict(engine.wanted())
    with pytest.raises(ModelError, match=r"people\.tflite: the model has 2 inputs"):
        Classifier(engine, open_package(two_members(tmp_path, BROKEN)))
    assert engine.wanted() == before


def test_groups_of_a_model_with_fewer_classes_are_refused(tmp_path: Path) -> None:
    folder = write_package(tmp_path, more={"g.json": b'{"Warm": [0, 3]}'}, member={"groups": "g.json"})
    with pytest.raises(ModelError, match=r"g\.json: 'Warm' has the class 3; the model has 3, from 0 on"):
        open_package(folder)


def test_logits_of_bytes_and_floats_become_confidences_as_the_package_says(engine: Engine, tmp_path: Path) -> None:
    logits = tiny_model(TinyModel(weights=np.eye(3, dtype=np.float32) / np.float32(51)))  # 5, 2 and 1
    powers = np.exp([5, 2, 1])
    found = Classifier(engine, open_package(write_package(tmp_path, model=logits, member={"activation": "softmax"})))
    wanted = dict(zip(("red", "green", "blue"), powers / powers.sum(), strict=True))
    assert seen(found, ALL) == pytest.approx(wanted, abs=0.01)


def test_library_takes_detail_members_and_activation(folder: Path, tmp_path: Path) -> None:
    with ImageLabeler(folder, detail="everyday", members=["colours"], confidence_threshold=0.0) as labeler:
        found = labeler.process(PIXELS)
    assert {label.text for label in found} == {"Warm", "Colour", "green"}
    path = tmp_path / "logits.tflite"
    path.write_bytes(tiny_model(TinyModel(weights=np.eye(3, dtype=np.float32))))
    with ImageLabeler(path, activation="softmax") as labeler:
        assert labeler.process(PIXELS)[0] == Label("0", 1.0, 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"detail": "coarse"}, "detail is 'coarse'; it is everyday, fine, both"),
        ({"activation": "relu"}, "activation is 'relu'; it is none, softmax, sigmoid"),
        ({"members": "people"}, "members is 'people'; it is a list"),
        ({"allow": "Cat"}, "allow is 'Cat'; it is a list"),
        ({"max_results": 0}, "max_results is 0; it is 1 or more"),
        ({"allow": ["a"], "deny": ["b"]}, "not both"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_starts(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ImageLabeler("base", **options)
