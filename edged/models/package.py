"""A model package: a folder with `model.yaml`, or a bare `.tflite` file.

`model.yaml` names every file of the package with its size and sha256, so its own sha256 is the digest of the whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edged.errors import ModelError
from edged.labeling.label import ModelRef
from edged.labeling.preprocess import Fit, Normalisation
from edged.resources import data_path

MANIFEST: Final = "model.yaml"
MAX_MANIFEST_BYTES: Final = 1024 * 1024
MAX_MODEL_BYTES: Final = 256 * 1024 * 1024
BASE_THRESHOLD: Final = 0.5
TFLITE_MAGIC: Final = b"TFL3"  # the flatbuffer's file identifier, at offset 4

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]  # no way out of the folder
Channels = Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a package.

    Attributes:
        file: its CPU `.tflite`.
        labels: texts by class index; empty where the package has none.
        normalisation: where the package states one.
        threshold: its maker's least confidence.
    """

    name: str
    file: Path
    labels: tuple[str, ...]
    normalisation: Normalisation | None
    fit: Fit
    threshold: float


@dataclass(frozen=True, slots=True)
class Package:
    """A model package whose files are all there and are what its manifest says."""

    ref: ModelRef
    members: tuple[Member, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _File(_Strict):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=MAX_MODEL_BYTES)


class _Normalisation(_Strict):
    mean: Channels
    std: Channels


class _Member(_Strict):
    name: str
    model: FileName
    edgetpu: FileName | None = None
    labels: FileName | None = None
    normalisation: _Normalisation | None = None
    activation: Literal["none"] = "none"
    fit: Fit = Fit.STRETCH
    threshold: float = Field(default=0.0, ge=0.0, le=1.0)


class _Manifest(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]*$", max_length=64)
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([.+-][A-Za-z0-9.+-]+)?$", max_length=64)
    title: str = ""
    licence: str
    source: str
    members: tuple[_Member, ...] = Field(min_length=1)
    files: dict[FileName, _File]

    @model_validator(mode="after")
    def _every_file_is_listed(self) -> _Manifest:
        for member in self.members:
            for name in (member.model, member.edgetpu, member.labels):
                if name is not None and name not in self.files:
                    raise ValueError(f"{name} is used and not listed under files")
        return self


def find_model(name_or_path: str) -> Path:
    """Where a model lies: `base`, or the path of a package folder or a `.tflite` file.

    Raises:
        ModelError: there is no such model.
    """
    if name_or_path == "base":
        return data_path("models/base")
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise ModelError(f"no model {name_or_path!r} here: give 'base', a package's folder or a .tflite file")
    return path


def open_package(path: Path) -> Package:
    """Read and check a model package, every file's digest included.

    Raises:
        ModelError: something is missing, or is not what the manifest says.
    """
    return _open_folder(path) if path.is_dir() else _open_file(path)


def _open_file(path: Path) -> Package:
    data = _read(path, MAX_MODEL_BYTES)
    _check_tflite(path, data)
    ref = ModelRef(path.stem, "0", f"sha256:{hashlib.sha256(data).hexdigest()}")
    return Package(ref, (Member("model", path, (), None, Fit.STRETCH, 0.0),))


def _open_folder(folder: Path) -> Package:
    text = _read(folder / MANIFEST, MAX_MANIFEST_BYTES)
    try:
        manifest = _Manifest.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{folder / MANIFEST}: {_first_words(error)}") from error
    for name, stated in manifest.files.items():
        data = _read(folder / name, MAX_MODEL_BYTES)
        digest = hashlib.sha256(data).hexdigest()
        if len(data) != stated.size or digest != stated.sha256:
            raise ModelError(
                f"{folder / name}: {len(data)} bytes with sha256 {digest[:12]}… where {MANIFEST} says"
                f" {stated.size} bytes with {stated.sha256[:12]}…; install the package again"
            )
        if name.endswith(".tflite"):
            _check_tflite(folder / name, data)
    ref = ModelRef(manifest.name, manifest.version, f"sha256:{hashlib.sha256(text).hexdigest()}")
    return Package(ref, tuple(_member(folder, entry) for entry in manifest.members))


def _member(folder: Path, entry: _Member) -> Member:
    normalisation = None
    if entry.normalisation is not None:
        normalisation = Normalisation(entry.normalisation.mean, entry.normalisation.std)
    labels: tuple[str, ...] = ()
    if entry.labels is not None:
        try:
            labels = tuple((folder / entry.labels).read_text("utf-8").splitlines())
        except UnicodeDecodeError as error:
            raise ModelError(f"{folder / entry.labels}: not UTF-8 text") from error
    return Member(entry.name, folder / entry.model, labels, normalisation, entry.fit, entry.threshold)


def _read(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise ModelError(f"{path}: larger than {most // 2**20} MB")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error


def _check_tflite(path: Path, data: bytes) -> None:
    if data[4:8] != TFLITE_MAGIC:
        raise ModelError(f"{path}: not a TensorFlow Lite model ({'empty' if not data else 'no TFL3 mark'})")


def _first_words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, entry['loc'])) or 'file'}: {entry['msg']}" for entry in error.errors()[:5]
        )
    return " ".join(str(error).split())
