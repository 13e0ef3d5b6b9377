"""Files and folders that are packages by themselves: whose labels, whose threshold, which file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from support.models import TinyModel, tiny_model

from edged.errors import ModelError
from edged.labeling.preprocess import Normalisation
from edged.models.package import fingerprint, open_package
from edged.models.write_metadata import Description, LabelList, write_metadata

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = tiny_model()
DESCRIBED = write_metadata(
    PLAIN,
    Description(
        labels=(LabelList(("rot", "grün", "blau"), "de"), LabelList(("red", "green", "blue"), "en")),
        normalisation=Normalisation((127.5,), (127.5,)),
        threshold=0.25,
    ),
)


def labels(path: Path, **options: str) -> tuple[str, ...]:
    return open_package(path, **options).members[0].labels


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "colours.tflite"
    path.write_bytes(PLAIN)
    return path


def test_metadata_gives_labels_normalisation_and_threshold(model: Path) -> None:
    model.write_bytes(DESCRIBED)
    (member,) = open_package(model).members
    assert member.labels == ("red", "green", "blue")
    assert member.normalisation == Normalisation((127.5,), (127.5,))
    assert member.threshold == 0.25


@pytest.mark.parametrize(
    ("locale", "first"), [("en", "red"), ("de", "rot"), ("de_AT", "rot"), ("fr", "red"), ("EN-gb", "red")]
)
def test_labels_come_in_the_language_asked_for_else_in_english(model: Path, locale: str, first: str) -> None:
    model.write_bytes(DESCRIBED)
    assert labels(model, locale=locale)[0] == first


def test_labels_beside_a_model_are_its_own_where_the_file_is_called_so(model: Path) -> None:
    (model.parent / "other.tflite").write_bytes(PLAIN)
    (model.parent / "labels.txt").write_text("of\nthe\nother\n")
    assert labels(model) == (), "labels.txt may belong to the other one"
    model.with_suffix(".txt").write_text("0 red\n1 green\n2 blue\n")
    assert labels(model) == ("red", "green", "blue")


@pytest.mark.parametrize("name", ["labels.txt", "dict.txt"])
def test_the_only_model_of_a_folder_has_the_folders_labels(model: Path, name: str) -> None:
    (model.parent / name).write_text("red\ngreen\nblue\n\n")
    assert labels(model) == ("red", "green", "blue"), "an empty line at the end is no label"
    compiled = tiny_model(TinyModel(custom="edgetpu-custom-op"))
    model.with_name("colours_edgetpu.tflite").write_bytes(compiled)
    assert labels(model) == ("red", "green", "blue"), "its twin is no other model"


def test_metadata_goes_before_a_file_beside_it(model: Path) -> None:
    model.write_bytes(DESCRIBED)
    (model.parent / "labels.txt").write_text("a\nb\nc\n")
    assert labels(model) == ("red", "green", "blue")


def test_teachable_machines_folder_is_a_package(model: Path) -> None:
    (model.parent / "labels.txt").write_text("0 Class 1\n1 Class 2\n2 My cat\n")
    package = open_package(model.parent)
    assert package.ref.name == model.parent.name
    assert package.members[0].labels == ("Class 1", "Class 2", "My cat")
    (model.parent / "labels.txt").write_text("0 Class 1\n1 Class 2\n2 My dog\n")
    assert open_package(model.parent).ref.digest != package.ref.digest


def automl(folder: Path, **changes: object) -> Path:
    folder.mkdir()
    manifest = {"modelType": "IMAGE_LABELING", "modelFile": "m.tflite", "labelsFile": "dict.txt"} | changes
    (folder / "manifest.json").write_text(json.dumps(manifest)[:-1] + ",}")
    (folder / "m.tflite").write_bytes(PLAIN)
    (folder / "other.tflite").write_bytes(PLAIN)
    (folder / "dict.txt").write_text("red\ngreen\nblue")
    return folder


def test_automls_folder_is_a_package_trailing_comma_and_all(tmp_path: Path) -> None:
    folder = automl(tmp_path / "flowers")
    package = open_package(folder)
    assert package.ref.name == "flowers"
    assert package.members[0].cpu == folder / "m.tflite"
    assert package.members[0].labels == ("red", "green", "blue")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"modelFile": "../m.tflite"}, "manifest.json: modelFile"),
        ({"modelFile": "gone.tflite"}, "gone.tflite: No such file"),
        ({"modelType": "OBJECT_DETECTION"}, "edged takes IMAGE_LABELING"),
        ({"modelFile": "dict.txt"}, "dict.txt: not a TensorFlow Lite model"),
    ],
)
def test_automls_folder_that_is_none_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        open_package(automl(tmp_path / "flowers", **changes))


def test_folder_of_several_models_is_no_package(model: Path) -> None:
    (model.parent / "other.tflite").write_bytes(PLAIN)
    for read in (open_package, fingerprint):
        with pytest.raises(ModelError, match=r"model\.yaml: No such file .*; nor is it AutoML's .*, nor one \.tflite"):
            read(model.parent)


def test_fingerprint_changes_with_everything_that_is_looked_at(model: Path) -> None:
    seen = {fingerprint(model)}
    for name, data in (
        ("labels.txt", b"red\ngreen\nblue\n"),
        ("colours.txt", b"red\ngreen\nblue\n"),
        ("colours_edgetpu.tflite", b"anything"),
        ("colours.tflite", DESCRIBED),
    ):
        (model.parent / name).write_bytes(data)
        seen.add(fingerprint(model))
    assert len(seen) == 5
    os.utime(model)
    assert fingerprint(model) in seen


def test_fingerprint_of_a_folder_is_that_of_what_it_holds(tmp_path: Path) -> None:
    folder = automl(tmp_path / "flowers")
    seen = {fingerprint(folder)}
    for name in ("m.tflite", "dict.txt", "manifest.json"):
        with (folder / name).open("ab") as file:
            file.write(b"\n")
        seen.add(fingerprint(folder))
    assert len(seen) == 4
