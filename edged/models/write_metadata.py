"""Standard TFLite Metadata for a model that has none, or other: ML Kit and MediaPipe read it then too.

Offsets in a flatbuffer point forwards. So a new head is written in front of the model as it is, byte for byte: a root
table that refers to the old one's graphs, operators and weights, lists of buffers and of metadata with one entry more,
and the metadata. Nothing of the model is decoded or moved against its alignment, so nothing of it can change; to unpack
and pack it with the schema's generated code would lose what that code does not know, and the weights' alignment. What
the old head said stays in the file, unused: a few kilobytes each time that a file is written anew.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError
from edged.models.flatbuffer import Node, Number, Place, Reals, Table, Value, write
from edged.models.labels import check_count
from edged.models.metadata import METADATA_IDENTIFIER, ColourSpace, Content, FileKind, ModelMetadata
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import IDENTIFIER, METADATA, TfliteFile, inspect

if TYPE_CHECKING:
    from enum import StrEnum

    from edged.labeling.calibration import ScoreCalibration, Transformation
    from edged.labeling.preprocess import Normalisation

_ALIGNMENT: Final = 64  # whatever a model's weights are aligned to in their file, they still are
_PARSER_VERSION: Final = "1.0.0"  # nothing that came later is written
_VERSION, _SUBGRAPHS, _BUFFERS, _METADATA, _LAST = 0, 2, 4, 6, 7  # fields of TFLite's Model
_OPERATORS, _LARGE_OPTIONS = 3, 9  # of its SubGraph and Operator
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same bytes from the same model, whenever it is packed
_LOCALE: Final = re.compile(r"[A-Za-z0-9]{1,8}(?:[-_][A-Za-z0-9]{1,8}){0,3}|")
_CALIBRATION_FILE: Final = "score_calibration.txt"


@dataclass(frozen=True, slots=True)
class LabelList:
    """What the classes are called in one language; without a language: inside the model."""

    labels: tuple[str, ...]
    locale: str = ""

    @property
    def file(self) -> str:
        """What the list's file is called."""
        return f"labels-{self.locale}.txt" if self.locale else "labels.txt"


@dataclass(frozen=True, slots=True)
class Description:
    """What is to be said of an image classifier. What is left empty is not written.

    Attributes:
        labels: the first list is the label map, the further ones are the same in other languages.
        threshold: the score below which a label is not worth showing.
    """

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    licence: str = ""
    labels: tuple[LabelList, ...] = ()
    normalisation: Normalisation | None = None
    threshold: float | None = None
    calibration: ScoreCalibration | None = None

    @classmethod
    def of(cls, metadata: ModelMetadata) -> Description:
        """What a classifier's metadata says already, to be changed with `dataclasses.replace`."""
        output = metadata.output
        lists = (file for file in output.files if file.kind is FileKind.AXIS_LABELS)
        return cls(
            name=metadata.name,
            description=metadata.description,
            version=metadata.version,
            author=metadata.author,
            licence=metadata.licence,
            labels=tuple(LabelList(file.lines, file.locale) for file in lists),
            normalisation=metadata.input.normalisation,
            threshold=output.threshold,
            calibration=output.calibration,
        )


def write_metadata(model: bytes, description: Description) -> bytes:
    """The model with this metadata in place of any that it has; the files of the old one are left out.

    The same bytes come from the same model and description, always.

    Raises:
        ModelError: the description does not fit the model, or the file is of a kind that cannot be rewritten.
    """
    file = inspect(model)
    packed = _packed_files(file, description)
    try:
        head = _head(model, file, write(_metadata(file, description), METADATA_IDENTIFIER))
    except OverflowError as error:
        raise ModelError(f"a number of its metadata is too large: {error}") from error
    out = io.BytesIO()
    out.write(head)
    out.write(memoryview(model)[: file.size])
    if packed:
        with zipfile.ZipFile(out, "w") as archive:  # stored, not deflated: the Task Library reads nothing else
            for name, content in packed.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    written = out.getvalue()
    after = inspect(written)
    kept = (file.inputs, file.outputs, file.operators, file.subgraphs)
    if (after.inputs, after.outputs, after.operators, after.subgraphs) != kept:
        raise ModelError("the file is built in a way that cannot be rewritten")
    read_metadata(after)
    return written


def _head(model: bytes, file: TfliteFile, metadata: bytes) -> bytes:
    """What comes in front of the model, so that the two are one file."""
    root = Table.root(model, IDENTIFIER)
    _check_rewritable(root, file.size)
    references: list[Value | None] = []
    for slot in range(_LAST + 1):
        place = root.place(slot) if slot != _VERSION else None
        references.append(None if place is None else Place(place))
    entries = zip(root.tables(_METADATA), root.places(_METADATA), strict=True)
    kept = tuple(Place(place) for entry, place in entries if entry.text(0) != METADATA)
    buffers = root.places(_BUFFERS)
    references[_VERSION] = Number("I", root.integer(_VERSION, "I"))
    references[_BUFFERS] = (*map(Place, buffers), Node((metadata,)))
    references[_METADATA] = (*kept, Node((METADATA, Number("I", len(buffers)))))
    return write(Node(tuple(references)), IDENTIFIER, _ALIGNMENT)


def _check_rewritable(root: Table, size: int) -> None:
    """Refuse files whose parts are not all found by offsets from their users: those would be found no more."""
    if any(root.has(slot) for slot in range(_LAST + 1, root.slots())):
        raise ModelError("the file is of a newer TensorFlow Lite than this edged can rewrite")
    buffers = root.tables(_BUFFERS)
    ends = [(buffer.place(0) or 0) + 4 + len(buffer.data(0)) for buffer in buffers]
    if not buffers or max(ends) > size:  # buffer 0 is by the schema's rule the empty one
        raise ModelError("damaged: weights lie where the packed files are, or there are none")
    outside = any(buffer.integer(1, "Q") > 1 for buffer in buffers)
    for graph in root.tables(_SUBGRAPHS):
        outside |= any(operator.integer(_LARGE_OPTIONS, "Q") > 1 for operator in graph.tables(_OPERATORS))
    if outside:
        raise ModelError("the file has weights behind its flatbuffer: such a file cannot be rewritten here")


def _packed_files(file: TfliteFile, description: Description) -> dict[str, bytes]:
    """The files that the metadata names; checks that they are the model's."""
    if len(file.inputs) != 1 or len(file.outputs) != 1 or not file.outputs[0].shape:
        raise ModelError(
            f"the model has {len(file.inputs)} inputs and {len(file.outputs)} outputs, a classifier one each"
        )
    classes = file.outputs[0].shape[-1]
    packed: dict[str, bytes] = {}
    for entry in description.labels:
        check_count(len(entry.labels), classes, f"label list {entry.locale}".strip())
        if entry.file in packed or not _LOCALE.fullmatch(entry.locale):
            raise ModelError(f"two lists of labels in one language, or in none that there is: {entry.locale[:40]!r}")
        if "".join(entry.labels[:1]).startswith("\ufeff") or any(set("\n\r\0") & set(label) for label in entry.labels):
            raise ModelError("a label has a line break, a NUL or a byte order mark in it: no label file can hold it")
        packed[entry.file] = _encoded("".join(f"{label}\n" for label in entry.labels))
    if description.calibration is not None:
        check_count(len(description.calibration.sigmoids), classes, "score calibration")
        packed[_CALIBRATION_FILE] = _calibration_lines(description.calibration)
    return packed


def _calibration_lines(calibration: ScoreCalibration) -> bytes:
    """A line a class and no line break at the end, which the Task Library would count as one class more."""
    lines = []
    for row in calibration.sigmoids:
        values = () if row is None else (row.scale, row.slope, row.offset, row.least)
        lines.append(",".join(repr(value) for value in values if value is not None))
    if not any(lines):
        raise ModelError("a score calibration without numbers")
    return "\n".join(lines).encode()


def _metadata(file: TfliteFile, description: Description) -> Node:
    """ModelMetadata by slot, the schema's numbers beside it."""
    graph = Node((None, None, (_input(file, description),), (_output(description),)))
    return Node(
        (
            _text(description.name),
            _text(description.description),
            _text(description.version),
            (graph,),
            _text(description.author),
            _text(description.licence),
            None,
            _PARSER_VERSION,
        )
    )


def _input(file: TfliteFile, description: Description) -> Node:
    """TensorMetadata: name, description, dimension names, content, process units."""
    shape = file.inputs[0].shape
    colours = {1: ColourSpace.GREY, 3: ColourSpace.RGB}.get(shape[-1] if len(shape) == 4 else 0)  # noqa: PLR2004
    if colours is None:
        raise ModelError(f"the model's input is {list(shape)}; an image classifier's is [1, height, width, 3 or 1]")
    content = Node((_number(Content.IMAGE), Node((_number(colours),))))
    units = []
    if description.normalisation is not None:
        options = Node(tuple(map(Reals, _by_channel(description.normalisation, shape[-1]))))
        units.append(Node((Number("B", 1), options)))
    return Node(("image", None, None, content, tuple(units) or None))


def _by_channel(normalisation: Normalisation, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations: one of each where that says it all (MediaPipe takes no more), else one for each channel."""
    mean, std = normalisation.mean, normalisation.std
    if {len(mean), len(std)} - {1, channels}:
        raise ModelError(f"a normalisation of {len(mean)} means and {len(std)} deviations for {channels} channels")
    if len(set(mean)) == len(set(std)) == 1:
        return mean[:1], std[:1]
    return (mean * channels)[:channels], (std * channels)[:channels]


def _output(description: Description) -> Node:
    """TensorMetadata: name, description, dimension names, content, process units, statistics, associated files."""
    units = []
    files = [
        Node((entry.file, None, _number(FileKind.AXIS_LABELS), _text(entry.locale))) for entry in description.labels
    ]
    if description.calibration is not None:
        transformation = _number(description.calibration.transformation)
        units.append(Node((Number("B", 2), Node((transformation, Number("f", description.calibration.default))))))
        files.append(Node((_CALIBRATION_FILE, None, _number(FileKind.CALIBRATION))))
    if description.threshold is not None:
        units.append(Node((Number("B", 3), Node((Number("f", description.threshold),)))))
    content = Node((_number(Content.FEATURE), Node()))
    return Node(("probability", None, None, content, tuple(units) or None, None, tuple(files) or None))


def _number(choice: Content | ColourSpace | FileKind | Transformation) -> Number:
    """The schema's number: the choices are in its order."""
    kind: type[StrEnum] = type(choice)
    return Number("b", list(kind).index(choice))


def _text(text: str) -> str | None:
    _encoded(text)
    return text or None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ModelError(f"{text[:40]!r} cannot be written as UTF-8") from error
