"""`pack`: a package that says what it was given, in the file's own metadata too, and what its photos gave."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.mediapipe import answers_of_mediapipe
from support.models import TinyModel, tiny_model
from support.pictures import encoded

from edged.cli.main import main
from edged.errors import BadImageError, CannotWriteError, EdgedError, ModelError, UsageError
from edged.labeler import ImageLabeler
from edged.labeling.preprocess import Normalisation
from edged.models.pack import Golden, Recipe, pack, prepare
from edged.models.package import open_package
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import inspect
from edged.models.write_package import write_package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A model of red, green and blue, with a photo of each."""
    (tmp_path / "colours.tflite").write_bytes(tiny_model())
    (tmp_path / "names.txt").write_text("0 Red\n1 Green\n2 Blue\n")
    for name, colour in {"red": (240, 10, 10), "green": (10, 200, 10)}.items():
        (tmp_path / f"{name}.png").write_bytes(encoded(np.full((20, 30, 3), colour, np.uint8)))
    return Recipe(tmp_path / "colours.tflite", "colours", "1.0.0", labels=tmp_path / "names.txt")


def test_package_labels_as_it_was_told_and_says_so_in_the_file(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "groups.json").write_text(json.dumps({"Warm": [0], "Cold": [1, 2]}))
    (tmp_path / "tpu.tflite").write_bytes(tiny_model(TinyModel(custom="edgetpu-custom-op")))
    full = replace(
        recipe,
        groups=tmp_path / "groups.json",
        edgetpu=tmp_path / "tpu.tflite",
        threshold=0.25,
        activation="none",
        title="Colours of things",
        licence="CC0-1.0",
        source="a test",
        golden=(Golden(tmp_path / "red.png", "Red"), Golden(tmp_path / "green.png", "Green")),
    )
    (tmp_path / "out" / "p").mkdir(parents=True)  # an empty one may be there
    pack(full, tmp_path / "out" / "p")
    package = open_package(tmp_path / "out" / "p")
    [member] = package.members
    assert (package.ref.name, package.ref.version) == ("colours", "1.0.0")
    assert (member.labels, member.threshold, member.activation) == (("Red", "Green", "Blue"), 0.25, "none")
    assert [(group.text, group.classes) for group in member.groups] == [("Warm", (0,)), ("Cold", (1, 2))]
    assert member.edgetpu == tmp_path / "out" / "p" / "tpu.tflite"
    assert [[label.text for label in golden.labels] for golden in package.golden] == [["Red"], ["Green"]]
    assert package.golden[0].labels[0].confidence == pytest.approx(240 / 255, abs=0.01)
    assert member.cpu is not None
    said = read_metadata(inspect(member.cpu.read_bytes()))
    assert said is not None
    assert (said.name, said.version, said.licence) == ("Colours of things", "1.0.0", "CC0-1.0")
    assert (said.output.labels(), said.output.threshold) == (("Red", "Green", "Blue"), 0.25)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p"]


def written(recipe: Recipe, folder: Path) -> Path:
    """The package without the proof, which takes its time."""
    write_package(folder, prepare(recipe))
    return folder


def test_same_recipe_gives_the_same_digest(recipe: Recipe, tmp_path: Path) -> None:
    first, second = (open_package(written(recipe, tmp_path / name)) for name in ("a", "b"))
    assert first.ref == second.ref


def test_file_of_a_package_is_a_model_by_itself(recipe: Recipe, tmp_path: Path) -> None:
    written(recipe, tmp_path / "p")
    bare = tmp_path / "bare" / "m.tflite"
    bare.parent.mkdir()
    bare.write_bytes((tmp_path / "p" / "colours.tflite").read_bytes())
    with ImageLabeler(bare, threads=1) as labeler:
        assert labeler.process(tmp_path / "red.png")[0].text == "Red"


def test_normalisation_of_a_float_model_is_written(recipe: Recipe, tmp_path: Path) -> None:
    recipe.model.write_bytes(tiny_model(TinyModel(dtype="float32")))
    written(replace(recipe, mean=(0.0,), std=(255.0,), activation="softmax"), tmp_path / "p")
    [member] = open_package(tmp_path / "p").members
    assert member.normalisation == Normalisation((0.0,), (255.0,))
    said = read_metadata(inspect((tmp_path / "p" / "colours.tflite").read_bytes()))
    assert said is not None
    assert said.input.normalisation == Normalisation((0.0,), (255.0,))


def test_metadata_that_is_there_already_stays_where_nothing_else_is_said(recipe: Recipe, tmp_path: Path) -> None:
    written(replace(recipe, threshold=0.25, licence="MIT"), tmp_path / "first")
    again = Recipe(tmp_path / "first" / "colours.tflite", "again", "2.0.0")
    package = prepare(again)
    [member] = open_package(written(again, tmp_path / "second")).members
    assert (member.labels, member.threshold, package.licence) == (("Red", "Green", "Blue"), 0.25, "MIT")


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"name": "No"}, UsageError, "--name"),
        ({"name": "base"}, UsageError, "--name base"),
        ({"version": "1"}, UsageError, "--version"),
        ({"mean": (1.0,)}, UsageError, "both or neither"),
        ({"mean": (1.0,), "std": (0.0,)}, UsageError, "--std"),
        ({"labels": "two.txt"}, ModelError, "3 classes and its label file .*two.txt 2 lines"),
        ({"labels": "nowhere.txt"}, ModelError, "nowhere.txt"),
        ({"groups": "two.txt"}, ModelError, "two.txt"),
        ({"groups": "far.json"}, ModelError, "far.json: 'Far' has the class 3"),
        ({"edgetpu": "colours.tflite"}, ModelError, "not compiled"),
        ({"model": "tpu.tflite"}, UsageError, "compiled for the Edge TPU; give"),
        ({"model": "two.txt"}, ModelError, "not a TensorFlow Lite model"),
    ],
)
def test_what_does_not_fit_leaves_nothing_behind(
    recipe: Recipe, tmp_path: Path, change: dict[str, object], error: type[EdgedError], reason: str
) -> None:
    (tmp_path / "two.txt").write_text("Red\nGreen\n")
    (tmp_path / "far.json").write_text('{"Far": [3]}')
    (tmp_path / "tpu.tflite").write_bytes(tiny_model(TinyModel(custom="edgetpu-custom-op")))
    for key in ("model", "labels", "groups", "edgetpu"):
        if key in change:
            change[key] = tmp_path / str(change[key])
    with pytest.raises(error, match=reason):
        pack(replace(recipe, **change), tmp_path / "out" / "p")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("photo", "label", "error", "reason"),
    [
        ("red.png", "Rouge", ModelError, "does not say 'Rouge' of it, but Red 0.9"),
        ("red.png", "Green", ModelError, "red.png: must give Green as the best of its kind"),
        ("names.txt", "Red", BadImageError, "names.txt"),
    ],
)
def test_photo_that_does_not_prove_the_model_is_refused(  # noqa: PLR0913, PLR0917  the table's columns
    recipe: Recipe, tmp_path: Path, photo: str, label: str, error: type[EdgedError], reason: str
) -> None:
    with pytest.raises(error, match=reason) as caught:
        pack(replace(recipe, golden=(Golden(tmp_path / photo, label),)), tmp_path / "out" / "p")
    assert str(tmp_path / photo) in str(caught.value)
    assert f"{tmp_path}/out/" not in str(caught.value)
    assert not list((tmp_path / "out").iterdir())


def test_folder_with_something_in_it_is_not_written_over(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(CannotWriteError, match="something already"):
        pack(recipe, tmp_path / "full")


def test_mediapipe_reads_the_model_of_a_package_that_the_command_made(recipe: Recipe, tmp_path: Path) -> None:
    """Labels, threshold and the normalisation of a float model that said nothing of itself."""
    model = tmp_path / "plain.tflite"
    model.write_bytes(tiny_model(TinyModel(dtype="float32", weights=np.eye(3, dtype=np.float32))))
    assert recipe.labels is not None
    words = ["--name", "plain", "--version", "1.0.0", "--labels", str(recipe.labels), "--threshold", "0.3"]
    words += ["--mean", "10", "--std", "400", "--activation", "none", "--output", str(tmp_path / "package")]
    assert main(["models", "pack", str(model), *words]) == 0
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(np.full((20, 30, 3), (240, 10, 200), np.uint8)))
    with ImageLabeler(tmp_path / "package") as labeler:
        ours = labeler.process(photo)
    packed = (tmp_path / "package" / "plain.tflite").read_bytes()
    ((_, rows),) = answers_of_mediapipe(tmp_path, photo, [packed])
    assert [row[:2] for row in rows] == [[0, "Red"], [2, "Blue"]], "green is below the threshold"
    assert [row[3] for row in rows] == pytest.approx([230 / 400, 190 / 400], abs=1e-5)
    assert [(label.index, label.text) for label in ours] == [(0, "Red"), (2, "Blue")]
    assert [label.confidence for label in ours] == pytest.approx([230 / 400, 190 / 400], abs=1e-5)
