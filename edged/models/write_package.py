"""A package's folder written: its files, and a `model.yaml` that names each with digest and size.

The same files and words always give the same `model.yaml`, so a model that is installed twice has one digest.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import yaml

from edged.models.durable import sync_folder, write_file, writing
from edged.models.package import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edged.labeling.preprocess import Normalisation

Tree: TypeAlias = "Mapping[str, Tree] | Sequence[Tree] | str | int | float | None"
_MAX_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class NewMember:
    """A model of the package that is to be written; files by their names. None: as the model's own metadata says."""

    model: str
    name: str = "model"
    edgetpu: str | None = None
    labels: str | None = None
    groups: str | None = None
    normalisation: Normalisation | None = None
    activation: str | None = None
    fit: str | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class GoldenLabel:
    """What a photo must give."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class GoldenPhoto:
    """A photo of the package, and its labels."""

    photo: str
    labels: tuple[GoldenLabel, ...]


@dataclass(frozen=True, slots=True)
class NewPackage:
    """A package that is to be written.

    Attributes:
        files: every file's bytes by its name, which has no folder part.
    """

    name: str
    version: str
    title: str
    licence: str
    source: str
    members: tuple[NewMember, ...]
    files: Mapping[str, bytes]
    golden: tuple[GoldenPhoto, ...] = field(default=())


def write_package(folder: Path, package: NewPackage) -> None:
    """Write a package into an empty folder, and wait until it is on the disk.

    Raises:
        PermissionDeniedError, CannotWriteError: it cannot be written.
    """
    write_files(folder, package_files(package))


def package_files(package: NewPackage) -> dict[str, bytes]:
    """Every file of the package by its name, `model.yaml` among them."""
    return {**package.files, MANIFEST: manifest_text(package).encode()}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into an empty folder, and wait until they are on the disk. Raises as `write_package`."""
    with writing(folder):
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            write_file(folder / name, data)
        sync_folder(folder)


def manifest_text(package: NewPackage) -> str:
    """The `model.yaml`."""
    tree: dict[str, Tree] = {
        "schema": 1,
        "name": package.name,
        "version": package.version,
        "title": package.title,
        "licence": package.licence,
        "source": package.source,
        "members": [_member(member) for member in package.members],
    }
    if package.golden:
        tree["golden"] = [_golden(photo) for photo in package.golden]
    return dump({**tree, "files": stated(package.files)})


def stated(files: Mapping[str, bytes]) -> Tree:
    """What a manifest says of its files."""
    return {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in files.items()}


def dump(tree: Tree) -> str:
    """A manifest as text, the same for the same tree."""
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)


def model_name(text: str) -> str:
    """A name for a model out of a file's name: `My Flowers (2).tflite` becomes `my-flowers-2`."""
    words = re.sub(r"[^a-z0-9._]+", "-", text.lower().removesuffix(".tflite")).strip("-._")
    return words[:_MAX_NAME].rstrip("-._") or "model"


def file_name(text: str) -> str:
    """A file's name as packages take them: without what a shell, a web server or another system has its own use for."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".-")
    return words[-100:].lstrip(".-") or "file"


def _member(member: NewMember) -> Tree:
    scale = member.normalisation
    tree: dict[str, Tree] = {
        "name": member.name,
        "model": member.model,
        "edgetpu": member.edgetpu,
        "labels": member.labels,
        "groups": member.groups,
        "normalisation": None if scale is None else {"mean": list(scale.mean), "std": list(scale.std)},
        "activation": member.activation,
        "fit": member.fit,
        "threshold": member.threshold,
    }
    return {key: value for key, value in tree.items() if value is not None}


def _golden(golden: GoldenPhoto) -> Tree:
    return {
        "photo": golden.photo,
        "labels": [{"text": label.text, "confidence": round(label.confidence, 4)} for label in golden.labels],
    }
