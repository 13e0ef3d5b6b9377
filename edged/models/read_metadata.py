"""Reads TFLite Metadata, and the files that it names.

How a reader is to understand it: the TFLite Task Library; a rule that is its own is said to be.
"""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from edged.errors import ModelError
from edged.labeling.calibration import ScoreCalibration, Sigmoid, Transformation
from edged.labeling.preprocess import Normalisation
from edged.models.flatbuffer import Table
from edged.models.labels import check_count, read_lines
from edged.models.metadata import (
    METADATA_IDENTIFIER,
    AssociatedFile,
    ColourSpace,
    Content,
    FileKind,
    ModelMetadata,
    SubgraphMetadata,
    TensorGroup,
    TensorMetadata,
)

if TYPE_CHECKING:
    from edged.engine.worker.wire import TensorSpec
    from edged.models.tflite_file import TfliteFile

READS: Final = (1, 5, 0)  # the newest version of the schema of which everything is understood here
MAX_LISTED: Final = 1024  # tensors, files, groups, steps, dimensions
MAX_LINES: Final = 1_000_000  # of all lists of labels together
_VERSION: Final = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?(?:\.([0-9]{1,6}))?")
_NORMALISATION, _CALIBRATION, _THRESHOLD, _LAST_STEP = 1, 2, 3, 6  # ProcessUnitOptions
_IMAGE: Final = 2  # ContentProperties

_Choice = TypeVar("_Choice", bound=StrEnum)


def read_metadata(file: TfliteFile) -> ModelMetadata | None:
    """A model's metadata, its label files included; None where it has none.

    Raises:
        ModelError: it is damaged, does not fit the model, or needs a newer reader.
    """
    if file.metadata is None:
        return None
    return _Reader(file).read(Table.root(file.metadata, METADATA_IDENTIFIER))


def _check_version(text: str) -> None:
    if not text:
        return
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ModelError(f"TFLite Metadata of version {text[:40]!r}, which is none")
    if tuple(int(part or 0) for part in match.groups()) > READS:
        reads = ".".join(map(str, READS))
        raise ModelError(
            f"its TFLite Metadata needs a reader of version {text}; this edged reads up to {reads}: update it"
        )


def _steps(tensor: Table) -> dict[int, Table]:
    """The processing steps by kind. Two of a kind are refused, as by the Task Library: which is meant is not said."""
    steps: dict[int, Table] = {}
    for unit in _listed(tensor, 4, "processing steps"):
        kind, options = unit.integer(0, "B"), unit.table(1)
        if kind > _LAST_STEP or kind in steps:
            raise ModelError(f"metadata with {'two processing steps' if kind in steps else 'a step'} of kind {kind}")
        if kind and options is not None:
            steps[kind] = options
    return steps


def _normalisation(options: Table | None) -> Normalisation | None:
    if options is None:
        return None
    mean, std = options.reals(0), options.reals(1)
    whole = 0 < len(mean) <= MAX_LISTED and 0 < len(std) <= MAX_LISTED and all(map(math.isfinite, (*mean, *std)))
    if not whole or 0 in std:
        raise ModelError("metadata with a normalisation that cannot be: means or deviations absent, zero or infinite")
    return Normalisation(mean, std)


class _Reader:
    """One model's metadata, and the files that it names."""

    def __init__(self, file: TfliteFile) -> None:
        self._file = file
        self._lists: dict[str, tuple[str, ...]] = {}  # a thousand entries may name one file
        self._lines = 0

    def read(self, root: Table) -> ModelMetadata:
        parser_version = root.text(7)
        _check_version(parser_version)
        graphs = _listed(root, 3, "subgraphs")
        specs = [(self._file.inputs, self._file.outputs), *[((), ())] * len(graphs)]
        return ModelMetadata(
            name=root.text(0),
            description=root.text(1),
            version=root.text(2),
            author=root.text(4),
            licence=root.text(5),
            parser_version=parser_version,
            subgraphs=tuple(self._subgraph(graph, *spec) for graph, spec in zip(graphs, specs, strict=False)),
            files=self._files(root, 6),
        )

    def _subgraph(
        self, table: Table, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> SubgraphMetadata:
        return SubgraphMetadata(
            name=table.text(0),
            description=table.text(1),
            inputs=self._tensors(table, 2, inputs, "inputs"),
            outputs=self._tensors(table, 3, outputs, "outputs"),
            files=self._files(table, 4),
            input_groups=tuple(TensorGroup(group.text(0), group.texts(1)) for group in _listed(table, 7, "groups")),
            output_groups=tuple(TensorGroup(group.text(0), group.texts(1)) for group in _listed(table, 8, "groups")),
            custom=tuple(entry.text(0) for entry in _listed(table, 9, "custom entries")),
        )

    def _tensors(self, graph: Table, slot: int, specs: tuple[TensorSpec, ...], what: str) -> tuple[TensorMetadata, ...]:
        """What is said of a graph's inputs or outputs: of none or of all, by the Task Library's rule."""
        tables = _listed(graph, slot, what)
        if specs and tables and len(tables) != len(specs):
            raise ModelError(f"the model has {len(specs)} {what} and its metadata tells of {len(tables)}")
        classes: list[int | None] = [spec.shape[-1] if spec.shape else 1 for spec in specs]
        classes += [None] * len(tables)
        return tuple(self._tensor(table, count) for table, count in zip(tables, classes, strict=False))

    def _tensor(self, table: Table, classes: int | None) -> TensorMetadata:
        content, stats, steps = table.table(3), table.table(5), _steps(table)
        kind = 0 if content is None else content.integer(0, "B")
        image = content.table(1) if content is not None and kind == _IMAGE else None
        size = None if image is None else image.table(1)
        threshold = steps.get(_THRESHOLD)
        files = self._files(table, 6)
        return TensorMetadata(
            name=table.text(0),
            description=table.text(1),
            dimensions=table.texts(2),
            content=_choice(Content, kind),
            colours=ColourSpace.UNKNOWN if image is None else _choice(ColourSpace, image.integer(0, "b")),
            size=None if size is None else (size.integer(0, "I"), size.integer(1, "I")),
            normalisation=_normalisation(steps.get(_NORMALISATION)),
            threshold=None if threshold is None else _finite(threshold.real(0), "score threshold"),
            calibration=self._calibration(steps.get(_CALIBRATION), files, classes),
            minimum=() if stats is None else stats.reals(1),
            maximum=() if stats is None else stats.reals(0),
            files=files,
        )

    def _files(self, table: Table, slot: int) -> tuple[AssociatedFile, ...]:
        files = tuple(self._associated(entry) for entry in _listed(table, slot, "files"))
        for kind in (FileKind.AXIS_LABELS, FileKind.VALUE_LABELS):
            lists = [file for file in files if file.kind is kind]
            for file in lists:  # of the same classes in several languages (the Task Library's rule)
                if len(file.lines) != len(lists[0].lines):
                    first = lists[0]
                    raise ModelError(f"{first.name} has {len(first.lines)} labels and {file.name} {len(file.lines)}")
        return files

    def _associated(self, entry: Table) -> AssociatedFile:
        name, number = entry.text(0), entry.integer(2, "b")
        kind = _choice(FileKind, number) if 0 <= number < len(FileKind) else FileKind.UNKNOWN
        is_list = kind in (FileKind.AXIS_LABELS, FileKind.VALUE_LABELS)
        lines = self._labels(name) if is_list else ()
        return AssociatedFile(name, kind, entry.text(1), entry.text(3), lines)

    def _labels(self, name: str) -> tuple[str, ...]:
        lines = self._lists.get(name)
        if lines is None:
            lines = self._lists[name] = read_lines(self._packed(name), name)
            self._lines += len(lines)
            if not lines or self._lines > MAX_LINES:
                raise ModelError(f"{name}: {'too many labels' if lines else 'no label in it'}")
        return lines

    def _calibration(
        self, options: Table | None, files: tuple[AssociatedFile, ...], classes: int | None
    ) -> ScoreCalibration | None:
        if options is None:
            return None
        name = next((file.name for file in files if file.kind is FileKind.CALIBRATION), None)
        if name is None:
            raise ModelError("metadata with score calibration and no file of its numbers")
        data = self._packed(name)
        lines = read_lines(data, name)
        if classes == len(lines) + 1 and data.endswith(b"\n"):
            lines = (*lines, "")  # the last class has no numbers
        if classes is not None:
            check_count(len(lines), classes, name)
        return ScoreCalibration(
            _choice(Transformation, options.integer(0, "b")),
            _finite(options.real(1), "default score"),
            tuple(_sigmoid(line.strip(), name, number) for number, line in enumerate(lines, 1)),
        )

    def _packed(self, name: str) -> bytes:
        data = self._file.packed(name)
        if data is None:
            raise ModelError(f"its metadata names {name[:80]!r}, which is not packed with it: was the file cut short?")
        return data


def _sigmoid(line: str, name: str, number: int) -> Sigmoid | None:
    """One line: nothing, or scale, slope, offset and perhaps the least score."""
    if not line:
        return None
    try:
        values = [float(part) for part in line.split(",")]
    except ValueError:
        values = []
    if len(values) not in (3, 4) or not all(map(math.isfinite, values)) or values[0] < 0 or "_" in line:
        raise ModelError(f"{name}, line {number}: {line[:60]!r} is not `scale,slope,offset` or with a least score")
    return Sigmoid(*values)


def _listed(table: Table, slot: int, what: str) -> tuple[Table, ...]:
    if table.count(slot) > MAX_LISTED:
        raise ModelError(f"metadata with {table.count(slot)} {what}")
    return table.tables(slot)


def _choice(kind: type[_Choice], number: int) -> _Choice:
    choices = list(kind)
    if not 0 <= number < len(choices):
        raise ModelError(f"metadata with a {kind.__name__} of number {number}, which version 1.5.0 does not know")
    return choices[number]


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise ModelError(f"metadata with a {what} of {value}")
    return value
