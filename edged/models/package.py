"""A model package, found and opened: a folder with `model.yaml`, or a file or folder that is a package by itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from edged.errors import ModelError
from edged.labeling.vocabulary import Group
from edged.models import bare
from edged.models.files import MAX_MODEL_BYTES, MAX_SIDE_BYTES, read
from edged.models.labels import MANIFEST as AUTOML
from edged.models.labels import MAX_MANIFEST_BYTES as MAX_AUTOML_BYTES
from edged.models.manifest import BASE, MANIFEST, MAX_MANIFEST_BYTES, Summary, open_folder, read_summary
from edged.models.member import Expected, GoldenPhoto, Member, Package
from edged.models.metadata import DEFAULT_LOCALE
from edged.models.tflite_file import check_mark
from edged.resources import data_path

__all__ = [
    "BASE",
    "MANIFEST",
    "Expected",
    "GoldenPhoto",
    "Group",
    "Member",
    "Package",
    "Summary",
    "find_model",
    "fingerprint",
    "open_package",
    "read_summary",
]

NO_PACKAGE: Final = f"nor is it AutoML's ({AUTOML}), nor one .tflite with its labels.txt"


def find_model(name_or_path: str) -> Path:
    """Where a model lies: `base`, or the path of a package folder or a `.tflite` file.

    Raises:
        ModelError: there is no such model.
    """
    if name_or_path == BASE:
        return data_path("models/base")
    path = Path(os.path.expanduser(name_or_path))  # noqa: PTH111  Path's own raises where there is no such user
    if not os.path.exists(path):  # noqa: PTH110  Path's own raises for what it may not look at
        raise ModelError(f"no model {name_or_path!r} here: give 'base', a package's folder or a .tflite file")
    return path


def open_package(path: Path, *, locale: str = DEFAULT_LOCALE) -> Package:
    """Read and check a model package, every file's digest included.

    Args:
        path: a folder or a `.tflite` file.
        locale: the language of labels that a file's metadata has in several.

    Raises:
        ModelError: something is missing, or is not what the manifest says.
    """
    if not os.path.isdir(path):  # noqa: PTH112  as in `find_model`
        return bare.open_file(path, locale)
    found = None if os.path.lexists(path / MANIFEST) else bare.folder_files(path)
    if found is not None:
        return bare.open_folder(path, *found, locale)
    try:
        return open_folder(path, locale)
    except ModelError as error:
        if os.path.lexists(path / MANIFEST):
            raise
        raise ModelError(f"{error}; {NO_PACKAGE}") from error


def fingerprint(path: Path) -> str:
    """The sha256 of everything that `open_package` would look at, without a look at what it means.

    Of a folder with `model.yaml`: of that file alone, since no file is looked into before its digest is compared.

    Raises:
        ModelError: a file cannot be read, or a bare one does not even claim to be a model.
    """
    if not os.path.isdir(path):  # noqa: PTH112  as in `find_model`
        wanted = [(path, MAX_MODEL_BYTES), *((file, MAX_MODEL_BYTES) for file in bare.side_files(path))]
    elif os.path.lexists(path / MANIFEST):
        wanted = [(path / MANIFEST, MAX_MANIFEST_BYTES)]
    elif (found := bare.folder_files(path)) is not None:
        model, labels = found
        automl = path / AUTOML
        wanted = [(model, MAX_MODEL_BYTES), *((file, MAX_MODEL_BYTES) for file in bare.side_files(model))]
        wanted += [] if labels is None else [(labels, MAX_SIDE_BYTES)]
        wanted += [(automl, MAX_AUTOML_BYTES)] if os.path.lexists(automl) else []
    else:
        raise ModelError(f"{path / MANIFEST}: No such file or directory; {NO_PACKAGE}")
    whole = hashlib.sha256()
    for file, most in wanted:
        data = read(file, most)
        if file == path:
            _check_mark(path, data)
        whole.update(file.name.encode(errors="surrogateescape") + b"\0" + hashlib.sha256(data).digest())
    return whole.hexdigest()


def _check_mark(path: Path, data: bytes) -> None:
    try:
        check_mark(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
