"""A package out of a `.tflite` and what its maker knows of it: for `edged models pack`.

What the package says is written into the `.tflite` too, as standard TFLite Metadata, so that ML Kit, MediaPipe and the
Task Library read it as well. Golden photos get the confidences that the model gives here and now: a device that
measures others has another model, or a broken one.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.errors import CannotWriteError, EdgedError, ModelError, UsageError
from edged.labeling.preprocess import Normalisation
from edged.models.durable import sync_folder, writing
from edged.models.files import MAX_MODEL_BYTES, MAX_SIDE_BYTES, Tflite, read
from edged.models.groups import read_groups
from edged.models.labels import check_count, read_labels
from edged.models.metadata import ModelMetadata
from edged.models.package import BASE, open_package
from edged.models.prove import prove
from edged.models.read_metadata import read_metadata
from edged.models.write_metadata import Description, LabelList, write_metadata
from edged.models.write_package import GoldenLabel, GoldenPhoto, NewMember, NewPackage, file_name, write_package

if TYPE_CHECKING:
    from edged.labeling.label import Label

MAX_GOLDEN_BYTES: Final = 16 * 1024 * 1024
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([.+-][A-Za-z0-9.+-]+)?")
_LABELS, _GROUPS = "labels.txt", "groups.json"


@dataclass(frozen=True, slots=True)
class Golden:
    """A photo, and the label that the model must find best on it."""

    photo: Path
    label: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a package is to be made of. None: what the file's own metadata says stays.

    Attributes:
        mean, std: of the input's normalisation; one for each channel or one for all. Both or neither.
        licence, source: None takes the metadata's licence, and the file's name.
    """

    model: Path
    name: str
    version: str
    labels: Path | None = None
    groups: Path | None = None
    edgetpu: Path | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    activation: str | None = None
    threshold: float | None = None
    golden: tuple[Golden, ...] = ()
    title: str = ""
    licence: str | None = None
    source: str | None = None


def pack(recipe: Recipe, output: Path) -> NewPackage:
    """Make a package's folder. It is there whole, or not at all.

    Args:
        recipe: what it is made of.
        output: the folder; it must not exist, or be empty.

    Raises:
        UsageError: words that do not fit.
        ModelError: the model, the labels, the groups or a golden photo do not fit together.
        BadImageError: a golden photo cannot be read.
        PermissionDeniedError, CannotWriteError: the folder cannot be written.
    """
    with writing(output):
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise CannotWriteError(f"{output}: there is something already; give a folder that is not there yet")
    package = prepare(recipe)
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    draft = staged / "draft"
    try:
        _write(draft, package)
        if recipe.golden:  # the labeller has the draft proved
            package = _with_golden(package, recipe.golden, draft)
            draft = staged / "golden"
            _write(draft, package)
        prove(draft)
        with writing(output):
            draft.replace(output)
            sync_folder(output.parent)
    except EdgedError as error:  # it names files that nobody has seen, and that are gone
        words = str(error)
        for photo, given in zip(package.golden, recipe.golden, strict=False):
            words = words.replace(str(draft / photo.photo), str(given.photo))
        error.args = (words.replace(str(draft), str(output)),)
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return package


def _check(recipe: Recipe) -> None:
    if _NAME.fullmatch(recipe.name) is None:
        raise UsageError(f"--name {recipe.name[:80]!r}: small letters, digits, '.', '-' and '_', at most 64")
    if recipe.name == BASE:
        raise UsageError("--name base: the name of the model that comes with edged; give another one")
    if _VERSION.fullmatch(recipe.version) is None or len(recipe.version) > 64:  # noqa: PLR2004  as the manifest has it
        raise UsageError(f"--version {recipe.version[:80]!r}: three numbers such as 1.0.0")
    if (recipe.mean is None) != (recipe.std is None):
        raise UsageError("--mean and --std: both or neither")


def prepare(recipe: Recipe) -> NewPackage:
    """The package without its golden photos, in memory and not proved. Raises as `pack`."""
    _check(recipe)
    data = read(recipe.model, MAX_MODEL_BYTES)
    model = Tflite(recipe.model, data)
    if model.file.compiled:
        raise UsageError(
            f"{recipe.model}: compiled for the Edge TPU; give the .tflite that it was compiled from, and this one"
            " with --edgetpu"
        )
    labels = None if recipe.labels is None else _labels(recipe.labels, model.classes)
    described = read_metadata(model.file) or ModelMetadata()
    description = _description(recipe, described, labels)
    names = [file_name(recipe.model.name)]
    try:
        files = {names[0]: write_metadata(data, description)}
    except ModelError as error:
        raise ModelError(f"{recipe.model}: {error}") from error
    member = NewMember(
        model=names[0],
        normalisation=description.normalisation,
        activation=recipe.activation,
        threshold=description.threshold,
    )
    if recipe.edgetpu is not None:
        twin = file_name(recipe.edgetpu.name)
        files[twin] = _twin(recipe.edgetpu)
        member = replace(member, edgetpu=twin)
    if labels is not None:
        files[_LABELS] = "".join(f"{label}\n" for label in labels).encode()
        member = replace(member, labels=_LABELS)
    if recipe.groups is not None:
        files[_GROUPS] = read(recipe.groups, MAX_SIDE_BYTES)
        read_groups(files[_GROUPS], str(recipe.groups), model.classes)
        member = replace(member, groups=_GROUPS)
    licence = recipe.licence or described.licence or "unknown"
    source = recipe.source or recipe.model.name
    return NewPackage(recipe.name, recipe.version, recipe.title, licence, source, (member,), files)


def _labels(path: Path, classes: int | None) -> tuple[str, ...]:
    labels = read_labels(read(path, MAX_SIDE_BYTES), str(path), classes)
    if classes is not None:
        try:
            check_count(len(labels), classes, f"label file {path}")
        except ModelError as error:
            raise ModelError(str(error)) from error
    return labels


def _twin(path: Path) -> bytes:
    data = read(path, MAX_MODEL_BYTES)
    if not Tflite(path, data).file.compiled:
        raise ModelError(f"{path}: not compiled for the Edge TPU (edged models compile does that)")
    return data


def _description(recipe: Recipe, described: ModelMetadata, labels: tuple[str, ...] | None) -> Description:
    """The file's own metadata, with what the recipe says in its place."""
    description = Description.of(described)
    if recipe.mean is not None and recipe.std is not None:
        if 0.0 in recipe.std:
            raise UsageError("--std: not 0")
        description = replace(description, normalisation=Normalisation(recipe.mean, recipe.std))
    if labels is not None:
        description = replace(description, labels=(LabelList(labels),))
    if recipe.threshold is not None:
        description = replace(description, threshold=recipe.threshold)
    return replace(
        description,
        name=recipe.title or description.name or recipe.name,
        version=recipe.version,
        licence=recipe.licence or description.licence,
    )


def _with_golden(package: NewPackage, golden: tuple[Golden, ...], draft: Path) -> NewPackage:
    """The package with its photos, and what the model says of them."""
    from edged.labeler import ImageLabeler  # noqa: PLC0415  a package without photos needs no runtime
    from edged.picturable import as_picture  # noqa: PLC0415  as above

    pictures = [as_picture(one.photo) for one in golden]  # one that cannot be read is said before the long work
    files = dict(package.files)
    photos = []
    with ImageLabeler(draft, confidence_threshold=0.0, max_results=100_000, threads=1) as labeler:
        for number, (one, picture) in enumerate(zip(golden, pictures, strict=True)):
            data = read(one.photo, MAX_GOLDEN_BYTES)
            found = _found(one, labeler.process(picture))
            name = f"golden_{number}_{file_name(one.photo.name)}"
            files[name] = data
            photos.append(GoldenPhoto(name, (GoldenLabel(found.text, found.confidence),)))
    return replace(package, files=files, golden=tuple(photos))


def _found(golden: Golden, labels: list[Label]) -> Label:
    """The label that the photo must give. That it is the best of its kind is a part of the proof (golden.py)."""
    best = ", ".join(f"{label.text} {label.confidence:.2f}" for label in labels[:3])
    for label in labels:
        if label.text == golden.label:
            return label
    raise ModelError(f"{golden.photo}: the model does not say {golden.label!r} of it, but {best or 'nothing'}")


def _write(folder: Path, package: NewPackage) -> None:
    write_package(folder, package)
    open_package(folder)
