"""Everything that is known of a model, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged.models.files import MAX_MODEL_BYTES, read
from edged.models.package import MANIFEST, open_package, read_summary
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import inspect

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.worker.wire import TensorSpec
    from edged.models.member import Expected, GoldenPhoto, Member
    from edged.models.metadata import ModelMetadata


@dataclass(frozen=True, slots=True)
class ShownTensor:
    """An input or output. `scale` 0: it is not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class ShownOperator:
    """A kind of operator that the file uses."""

    name: str
    version: int
    custom: bool


@dataclass(frozen=True, slots=True)
class ShownMetadata:
    """What the file's TFLite Metadata says; `files` are those packed behind the model."""

    name: str
    description: str
    version: str
    author: str
    licence: str
    parser_version: str
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    threshold: float | None
    calibrated: bool
    locales: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A `.tflite` file. `min_runtime` is empty where its converter does not say."""

    file: str
    size: int
    compiled: bool
    min_runtime: str
    inputs: tuple[ShownTensor, ...]
    outputs: tuple[ShownTensor, ...]
    operators: tuple[ShownOperator, ...]
    metadata: ShownMetadata | None


@dataclass(frozen=True, slots=True)
class ShownMember:
    """One model of the package, with what applies to it: the package's word before the file's."""

    name: str
    cpu: ShownFile | None
    edgetpu: ShownFile | None
    labels: tuple[str, ...]
    groups: dict[str, tuple[int, ...]]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    fit: str
    activation: str | None
    threshold: float


@dataclass(frozen=True, slots=True)
class ShownGolden:
    """A golden photo and what it must give."""

    photo: str
    labels: tuple[Expected, ...]
    tolerance: float


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A package. Title, licence and source are empty for a model without `model.yaml`."""

    name: str
    version: str
    digest: str
    path: str
    title: str
    licence: str
    source: str
    members: tuple[ShownMember, ...]
    golden: tuple[ShownGolden, ...]


def show_model(path: Path) -> ShownModel:
    """What is known of the model at a path.

    Raises:
        ModelError: it is no model, or damaged.
    """
    package = open_package(path)
    title = licence = source = ""
    if (path / MANIFEST).is_file():
        summary = read_summary(path)
        title, licence, source = summary.title, summary.licence, summary.source
    return ShownModel(
        name=package.ref.name,
        version=package.ref.version,
        digest=package.ref.digest,
        path=str(path.absolute()),
        title=title,
        licence=licence,
        source=source,
        members=tuple(map(_member, package.members)),
        golden=tuple(map(_golden, package.golden)),
    )


def _member(member: Member) -> ShownMember:
    normalisation = member.normalisation
    return ShownMember(
        name=member.name,
        cpu=None if member.cpu is None else _file(member.cpu),
        edgetpu=None if member.edgetpu is None else _file(member.edgetpu),
        labels=member.labels,
        groups={group.text: group.classes for group in member.groups},
        mean=None if normalisation is None else normalisation.mean,
        std=None if normalisation is None else normalisation.std,
        fit=str(member.fit),
        activation=None if member.activation is None else str(member.activation),
        threshold=member.threshold,
    )


def _golden(golden: GoldenPhoto) -> ShownGolden:
    return ShownGolden(golden.photo.name, golden.labels, golden.tolerance)


def _file(path: Path) -> ShownFile:
    data = read(path, MAX_MODEL_BYTES)
    file = inspect(data)
    metadata = read_metadata(file)
    return ShownFile(
        file=path.name,
        size=len(data),
        compiled=file.compiled,
        min_runtime=file.min_runtime,
        inputs=tuple(map(_tensor, file.inputs)),
        outputs=tuple(map(_tensor, file.outputs)),
        operators=tuple(ShownOperator(one.name, one.version, one.custom) for one in file.operators),
        metadata=None if metadata is None else _metadata(metadata, tuple(packed.name for packed in file.files)),
    )


def _tensor(spec: TensorSpec) -> ShownTensor:
    return ShownTensor(spec.name, spec.shape, spec.dtype, spec.scale, spec.zero_point)


def _metadata(metadata: ModelMetadata, files: tuple[str, ...]) -> ShownMetadata:
    normalisation, output = metadata.input.normalisation, metadata.output
    return ShownMetadata(
        name=metadata.name,
        description=metadata.description,
        version=metadata.version,
        author=metadata.author,
        licence=metadata.licence,
        parser_version=metadata.parser_version,
        mean=None if normalisation is None else normalisation.mean,
        std=None if normalisation is None else normalisation.std,
        threshold=output.threshold,
        calibrated=output.calibration is not None,
        locales=output.locales(),
        files=files,
    )
