"""A folder with `model.yaml`, which names every file of the package with its size and sha256.

So its own sha256 is the digest of the whole. What it says goes before what a file's TFLite Metadata says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edged.errors import ModelError
from edged.labeling.activation import Activation  # noqa: TC001  pydantic reads it
from edged.labeling.label import ModelRef
from edged.labeling.preprocess import Fit, Normalisation
from edged.models.files import MAX_MODEL_BYTES, Tflite, read
from edged.models.groups import read_groups
from edged.models.labels import read_labels
from edged.models.member import Expected, GoldenPhoto, Member, Package

if TYPE_CHECKING:
    from pathlib import Path

    from edged.labeling.vocabulary import Group

BASE: Final = "base"
MANIFEST: Final = "model.yaml"
MAX_MANIFEST_BYTES: Final = 256 * 1024  # PyYAML takes 3 s for the worst of it
MAX_MEMBERS: Final = 16  # the worker has room for eight times as many: two packages at once, while one replaces another
BASE_THRESHOLD: Final = 0.5
TOLERANCE: Final = 0.1

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]  # no way out of the folder
Finite = Annotated[float, Field(allow_inf_nan=False)]
Channels = Annotated[tuple[Finite, ...], Field(min_length=1, max_length=3)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _File(_Strict):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=MAX_MODEL_BYTES)


class _Normalisation(_Strict):
    mean: Channels
    std: Channels


class _Member(_Strict):
    name: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    model: FileName
    edgetpu: FileName | None = None
    labels: FileName | None = None
    groups: FileName | None = None
    normalisation: _Normalisation | None = None
    activation: Activation | None = None
    fit: Fit = Fit.STRETCH
    threshold: Share | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The files that it names."""
        names = (self.model, self.edgetpu, self.labels, self.groups)
        return tuple(name for name in names if name is not None)


class _Expected(_Strict):
    text: str = Field(min_length=1, max_length=200)
    confidence: Share


class _Golden(_Strict):
    photo: FileName
    labels: tuple[_Expected, ...] = Field(min_length=1, max_length=100)
    tolerance: Share = TOLERANCE


class _Manifest(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]*$", max_length=64)
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([.+-][A-Za-z0-9.+-]+)?$", max_length=64)
    title: str = ""
    licence: str
    source: str
    members: tuple[_Member, ...] = Field(min_length=1, max_length=MAX_MEMBERS)
    golden: tuple[_Golden, ...] = Field(default=(), max_length=100)
    files: dict[FileName, _File]

    @model_validator(mode="after")
    def _every_file_is_listed(self) -> _Manifest:
        used = [name for member in self.members for name in member.used] + [golden.photo for golden in self.golden]
        for name in used:
            if name not in self.files:
                raise ValueError(f"{name} is used and not listed under files")
        return self

    @model_validator(mode="after")
    def _every_member_has_a_name_of_its_own(self) -> _Manifest:
        names = [member.name for member in self.members]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two members are called {name}")
        return self


@dataclass(frozen=True, slots=True)
class Summary:
    """What a manifest says of its package as a whole; `files` are the names that it lists."""

    ref: ModelRef
    title: str
    licence: str
    source: str
    files: tuple[str, ...]


def read_summary(folder: Path) -> Summary:
    """What the manifest says, without a look at the files. Raises ModelError."""
    manifest, digest = _read_manifest(folder)
    ref = ModelRef(manifest.name, manifest.version, f"sha256:{digest}")
    return Summary(ref, manifest.title, manifest.licence, manifest.source, tuple(manifest.files))


def open_folder(folder: Path, locale: str) -> Package:
    """Read and check a package, every file's digest before anything in it.

    Raises:
        ModelError: something is missing, or is not what the manifest says.
    """
    manifest, digest = _read_manifest(folder)
    files = {name: _read_stated(folder, name, stated) for name, stated in manifest.files.items()}
    threshold = BASE_THRESHOLD if manifest.name == BASE else 0.0
    return Package(
        ModelRef(manifest.name, manifest.version, f"sha256:{digest}"),
        tuple(_member(folder, entry, files, threshold, locale) for entry in manifest.members),
        tuple(_golden(folder, entry) for entry in manifest.golden),
    )


def _read_manifest(folder: Path) -> tuple[_Manifest, str]:
    text = read(folder / MANIFEST, MAX_MANIFEST_BYTES)
    try:
        manifest = _Manifest.model_validate(yaml.load(text, _Loader))  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: impossible dates and numbers too
        raise ModelError(f"{folder / MANIFEST}: {_first_words(error)}") from error
    return manifest, hashlib.sha256(text).hexdigest()


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
    data = read(path, MAX_MODEL_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    if len(data) != stated.size or digest != stated.sha256:
        raise ModelError(
            f"{path}: {len(data)} bytes with sha256 {digest[:12]}… where {MANIFEST} says"
            f" {stated.size} bytes with {stated.sha256[:12]}…; install the package again"
        )
    return data


def _member(folder: Path, entry: _Member, files: dict[str, bytes], threshold: float, locale: str) -> Member:
    model = Tflite(folder / entry.model, files[entry.model], locale)
    if entry.edgetpu is not None:
        Tflite(folder / entry.edgetpu, files[entry.edgetpu])
    texts = model.labels
    groups: tuple[Group, ...] = ()
    if entry.labels is not None:
        texts = read_labels(files[entry.labels], str(folder / entry.labels), model.classes)
    if entry.groups is not None:
        groups = read_groups(files[entry.groups], str(folder / entry.groups), model.classes)
    normalisation = model.normalisation
    if entry.normalisation is not None:
        normalisation = Normalisation(entry.normalisation.mean, entry.normalisation.std)
    cpu: Path | None = folder / entry.model
    edgetpu = None if entry.edgetpu is None else folder / entry.edgetpu
    if model.file.compiled:
        cpu, edgetpu = None, edgetpu or cpu
    least = next((value for value in (entry.threshold, model.threshold) if value is not None), threshold)
    return Member(
        entry.name,
        cpu,
        edgetpu,
        texts,
        normalisation,
        entry.fit,
        least,
        groups,
        entry.activation,
        model.calibration,
    )


def _golden(folder: Path, entry: _Golden) -> GoldenPhoto:
    labels = tuple(Expected(label.text, label.confidence) for label in entry.labels)
    return GoldenPhoto(folder / entry.photo, labels, entry.tolerance)


def _first_words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, entry['loc'])) or 'file'}: {entry['msg']}" for entry in error.errors()[:5]
        )
    return " ".join(str(error).split())
