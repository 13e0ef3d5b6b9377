"""What is a package by itself: a `.tflite` file, AutoML's folder, Teachable Machine's.

A bare file's labels are those of its TFLite Metadata. Without them: the file of its own name that ends in `.txt`; else
`labels.txt` or `dict.txt` beside it, where no other model lies in the folder that they could belong to; else none.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError
from edged.labeling.label import ModelRef
from edged.labeling.preprocess import Fit
from edged.models.files import MAX_MODEL_BYTES, MAX_SIDE_BYTES, Tflite, read
from edged.models.labels import MANIFEST as AUTOML
from edged.models.labels import MAX_MANIFEST_BYTES, read_labels, read_manifest
from edged.models.member import Member, Package

if TYPE_CHECKING:
    from pathlib import Path

NAMED_LABELS: Final = ("labels.txt", "dict.txt")  # Teachable Machine's and AutoML's
SUFFIX: Final = ".tflite"
COMPILED: Final = "_edgetpu"
NO_VERSION: Final = "0"


def open_file(path: Path, locale: str) -> Package:
    """A bare `.tflite` file. Its digest is the file's own. Raises ModelError."""
    data = read(path, MAX_MODEL_BYTES)
    return _package(path.stem, path, data, _labels_beside(path), locale, hashlib.sha256(data).hexdigest())


def folder_files(folder: Path) -> tuple[Path, Path | None] | None:
    """The model and the label file of a folder without `model.yaml`; None where it is no package.

    Raises:
        ModelError: the folder says that it is a package, and is none.
    """
    if os.path.lexists(folder / AUTOML):
        manifest = read_manifest(read(folder / AUTOML, MAX_MANIFEST_BYTES), str(folder / AUTOML))
        return folder / manifest.model, folder / manifest.labels
    models = _models(folder)
    if len(models) != 1:
        return None
    (model,) = models
    return model, _labels_beside(model)


def open_folder(folder: Path, model: Path, labels: Path | None, locale: str) -> Package:
    """An AutoML or Teachable Machine folder. Its digest is that of the model's and the labels' digests together.

    Raises:
        ModelError: a file is missing or is not what it should be.
    """
    data = read(model, MAX_MODEL_BYTES)
    side = b"" if labels is None else read(labels, MAX_SIDE_BYTES)
    digest = hashlib.sha256(hashlib.sha256(data).digest() + hashlib.sha256(side).digest()).hexdigest()
    return _package(folder.absolute().name, model, data, labels, locale, digest)


def _package(name: str, path: Path, data: bytes, labels: Path | None, locale: str, digest: str) -> Package:  # noqa: PLR0913, PLR0917  the parts of one
    model = Tflite(path, data, locale)
    texts = model.labels
    if not texts and labels is not None:
        texts = read_labels(read(labels, MAX_SIDE_BYTES), str(labels), model.classes)
    cpu, edgetpu = _pair(path, compiled=model.file.compiled)
    ref = ModelRef(name.encode(errors="replace").decode(), NO_VERSION, f"sha256:{digest}")  # a name that is not UTF-8
    member = Member(
        "model",
        cpu,
        edgetpu,
        texts,
        model.normalisation,
        Fit.STRETCH,
        model.threshold or 0.0,
        calibration=model.calibration,
    )
    return Package(ref, (member,))


def side_files(path: Path) -> tuple[Path, ...]:
    """The files beside a bare model that are looked at along with it."""
    found = (_twin(path), _labels_beside(path))
    return tuple(file for file in found if file is not None)


def _labels_beside(path: Path) -> Path | None:
    stem = path.stem.removesuffix(COMPILED)
    names = [f"{path.stem}.txt", f"{stem}.txt"]
    if len(_models(path.parent)) <= 1:
        names += NAMED_LABELS
    found = (path.with_name(name) for name in names)
    return next((file for file in found if os.path.isfile(file)), None)  # noqa: PTH113  as below


def _models(folder: Path) -> list[Path]:
    """The models in a folder; a compiled file only where the one that it was compiled from is not there."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))  # noqa: PTH208  quick in a large one
    except OSError:
        return []
    plain = {name.removesuffix(SUFFIX) for name in names}
    return [folder / f"{stem}{SUFFIX}" for stem in sorted(plain) if not _has_plain(stem, plain)]


def _has_plain(stem: str, plain: set[str]) -> bool:
    return stem.endswith(COMPILED) and stem.removesuffix(COMPILED) in plain


def _pair(path: Path, *, compiled: bool) -> tuple[Path | None, Path | None]:
    """The files for CPU and Edge TPU. Who names a compiled file means that one: the other does not stand in for it."""
    if compiled:
        return None, path
    twin = _twin(path)
    return path, twin if twin is not None and _is_compiled(twin) else None


def _twin(path: Path) -> Path | None:
    """What the compiler made of `x.tflite`: it calls it `x_edgetpu.tflite` and leaves it beside."""
    twin = path.with_name(f"{path.stem}{COMPILED}{path.suffix}")
    return twin if os.path.isfile(twin) else None  # noqa: PTH113  Path's own raises for what it may not look at


def _is_compiled(path: Path) -> bool:
    try:
        return Tflite(path, read(path, MAX_MODEL_BYTES)).file.compiled
    except ModelError:
        return False
