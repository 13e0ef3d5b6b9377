"""A model package: a folder with `model.yaml`, or a bare `.tflite` file.

`model.yaml` names every file of the package with its size and sha256, so its own sha256 is the digest of the whole.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edged.camera.regular_file import read_regular_file
from edged.errors import ModelError
from edged.labeling.label import ModelRef
from edged.labeling.preprocess import Fit, Normalisation
from edged.resources import data_path

BASE: Final = "base"
MANIFEST: Final = "model.yaml"
MAX_MANIFEST_BYTES: Final = 256 * 1024  # PyYAML takes 3 s for the worst of it
MAX_MODEL_BYTES: Final = 256 * 1024 * 1024
MAX_LABELS_BYTES: Final = 4 * 1024 * 1024
BASE_THRESHOLD: Final = 0.5
EDGE_TPU_OPERATOR: Final = b"edgetpu-custom-op"
TFLITE_MAGIC: Final = b"TFL3"  # the flatbuffer's file identifier, at offset 4

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]  # no way out of the folder
Finite = Annotated[float, Field(allow_inf_nan=False)]
Channels = Annotated[tuple[Finite, ...], Field(min_length=1, max_length=3)]


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a package.

    Attributes:
        cpu: its `.tflite` for the CPU; None for a model of which only the compiled file is there.
        edgetpu: its `.tflite` compiled for the Edge TPU, where there is one.
        labels: texts by class index; empty where the package has none.
        normalisation: where the package states one.
        threshold: its maker's least confidence; where the maker gives none, 0.5 for the base model and 0 for others.
    """

    name: str
    cpu: Path | None
    edgetpu: Path | None
    labels: tuple[str, ...]
    normalisation: Normalisation | None
    fit: Fit
    threshold: float

    @property
    def file(self) -> Path:
        """The file to name where one is to be named."""
        file = self.cpu or self.edgetpu
        assert file is not None  # noqa: S101  a member has one of the two
        return file


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
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)


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
    if name_or_path == BASE:
        return data_path("models/base")
    path = Path(os.path.expanduser(name_or_path))  # noqa: PTH111  Path's own raises where there is no such user
    if not os.path.exists(path):  # noqa: PTH110  Path's own raises for what it may not look at
        raise ModelError(f"no model {name_or_path!r} here: give 'base', a package's folder or a .tflite file")
    return path


def open_package(path: Path) -> Package:
    """Read and check a model package, every file's digest included.

    Raises:
        ModelError: something is missing, or is not what the manifest says.
    """
    return _open_folder(path) if os.path.isdir(path) else _open_file(path)  # noqa: PTH112  as in `find_model`


def _open_file(path: Path) -> Package:
    data = _read(path, MAX_MODEL_BYTES)
    _check_tflite(path, data)
    name = path.stem.encode(errors="replace").decode()  # a name that is not UTF-8 fits into no message
    ref = ModelRef(name, "0", f"sha256:{hashlib.sha256(data).hexdigest()}")
    cpu, edgetpu = _pair(path, compiled=is_compiled(data))
    return Package(ref, (Member("model", cpu, edgetpu, (), None, Fit.STRETCH, 0.0),))


def is_compiled(data: bytes) -> bool:
    """Whether a `.tflite` file is for the Edge TPU alone: its compiler leaves an operator of this name."""
    return EDGE_TPU_OPERATOR in data


def _pair(path: Path, *, compiled: bool) -> tuple[Path | None, Path | None]:
    """The files for CPU and Edge TPU: the compiler calls what it makes of `x.tflite` `x_edgetpu.tflite`, beside it."""
    if compiled:
        other = path.with_name(f"{path.stem.removesuffix('_edgetpu')}{path.suffix}")
        return (other if other != path and _is_tflite(other, compiled=False) else None), path
    other = path.with_name(f"{path.stem}_edgetpu{path.suffix}")
    return path, (other if _is_tflite(other, compiled=True) else None)


def _is_tflite(path: Path, *, compiled: bool) -> bool:
    if not os.path.isfile(path):  # noqa: PTH113  as in `find_model`
        return False
    data = _read(path, MAX_MODEL_BYTES)
    return data[4:8] == TFLITE_MAGIC and is_compiled(data) == compiled


def _open_folder(folder: Path) -> Package:
    text = _read(folder / MANIFEST, MAX_MANIFEST_BYTES)
    try:
        manifest = _Manifest.model_validate(yaml.load(text, _Loader))  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: impossible dates and numbers too
        raise ModelError(f"{folder / MANIFEST}: {_first_words(error)}") from error
    files = {name: _read_stated(folder, name, stated) for name, stated in manifest.files.items()}
    ref = ModelRef(manifest.name, manifest.version, f"sha256:{hashlib.sha256(text).hexdigest()}")
    threshold = BASE_THRESHOLD if manifest.name == BASE else 0.0
    return Package(ref, tuple(_member(folder, entry, files, threshold) for entry in manifest.members))


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a manifest needs none, and a few of them one within the other fill any memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not taken here")
        return super().compose_node(parent, index)


def _read_stated(folder: Path, name: str, stated: _File) -> bytes:
    """A file of the package, after a comparison with what the manifest says of it."""
    path = folder / name
    if path.is_symlink():
        raise ModelError(f"{path}: a symbolic link; a package holds its files itself")
    data = _read(path, MAX_MODEL_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    if len(data) != stated.size or digest != stated.sha256:
        raise ModelError(
            f"{path}: {len(data)} bytes with sha256 {digest[:12]}… where {MANIFEST} says"
            f" {stated.size} bytes with {stated.sha256[:12]}…; install the package again"
        )
    if name.endswith(".tflite"):
        _check_tflite(path, data)
    return data


def _member(folder: Path, entry: _Member, files: dict[str, bytes], threshold: float) -> Member:
    normalisation = None
    if entry.normalisation is not None:
        normalisation = Normalisation(entry.normalisation.mean, entry.normalisation.std)
    labels = () if entry.labels is None else _labels(folder / entry.labels, files[entry.labels])
    least = threshold if entry.threshold is None else entry.threshold
    cpu: Path | None = folder / entry.model
    edgetpu = None if entry.edgetpu is None else folder / entry.edgetpu
    if is_compiled(files[entry.model]):
        cpu, edgetpu = None, edgetpu or cpu
    return Member(entry.name, cpu, edgetpu, labels, normalisation, entry.fit, least)


def _labels(path: Path, data: bytes) -> tuple[str, ...]:
    """One a line; a line ends with LF or CR LF and nothing else that Unicode knows of."""
    if len(data) > MAX_LABELS_BYTES:
        raise ModelError(f"{path}: labels larger than {MAX_LABELS_BYTES // 2**20} MB")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not UTF-8 text") from error
    return tuple(line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1]))


def _read(path: Path, most: int) -> bytes:
    try:
        return read_regular_file(path, most)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error


def _check_tflite(path: Path, data: bytes) -> None:
    if data[4:8] != TFLITE_MAGIC:
        raise ModelError(f"{path}: not a TensorFlow Lite model ({'empty' if not data else 'no TFL3 mark'})")


def _first_words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, entry['loc'])) or 'file'}: {entry['msg']}" for entry in error.errors()[:5]
        )
    return " ".join(str(error).split())
