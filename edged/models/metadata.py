"""TFLite Metadata: what a model's maker says about its inputs, outputs and labels.

Fields, types and meanings: `metadata_schema.fbs` 1.5.0, as MediaPipe publishes it. `read_metadata` and `write_metadata`
read and write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edged.labeling.calibration import ScoreCalibration
    from edged.labeling.preprocess import Normalisation

METADATA_IDENTIFIER: Final = b"M001"
DEFAULT_LOCALE: Final = "en"  # the Task Library's


class Content(StrEnum):
    """What a tensor holds, in the schema's order."""

    UNKNOWN = "unknown"
    FEATURE = "feature"
    IMAGE = "image"
    BOUNDING_BOX = "bounding box"
    AUDIO = "audio"


class ColourSpace(StrEnum):
    """Of an image, in the schema's order."""

    UNKNOWN = "unknown"
    RGB = "RGB"
    GREY = "grey"


class FileKind(StrEnum):
    """What an associated file is for, in the schema's order."""

    UNKNOWN = "unknown"
    DESCRIPTION = "description"
    AXIS_LABELS = "axis labels"  # one for each class: a classifier's
    VALUE_LABELS = "value labels"  # one for each value that the tensor may hold: a detector's classes
    CALIBRATION = "score calibration"
    VOCABULARY = "vocabulary"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class AssociatedFile:
    """A file that belongs to a tensor, a subgraph or the model.

    Attributes:
        locale: the language of a list of labels, such as `en` or `en-GB`; empty where none is given.
        lines: of a list of labels; empty for other kinds.
    """

    name: str
    kind: FileKind
    description: str = ""
    locale: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """What is said of an input or an output.

    Attributes:
        size: (width, height) of an image, where it is given.
        minimum, maximum: of the values, for each channel or for all.
        threshold: the score below which a result is not worth showing; None where none is given.
    """

    name: str = ""
    description: str = ""
    dimensions: tuple[str, ...] = ()
    content: Content = Content.UNKNOWN
    colours: ColourSpace = ColourSpace.UNKNOWN
    size: tuple[int, int] | None = None
    normalisation: Normalisation | None = None
    threshold: float | None = None
    calibration: ScoreCalibration | None = None
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    files: tuple[AssociatedFile, ...] = ()

    def locales(self, kind: FileKind = FileKind.AXIS_LABELS) -> tuple[str, ...]:
        """The languages that there are labels in; empty for those without one."""
        return tuple(file.locale for file in self.files if file.kind is kind)

    def label_map(self, kind: FileKind = FileKind.AXIS_LABELS) -> tuple[str, ...]:
        """What the classes are called inside the model: the first list (the Task Library's rule); empty without one."""
        return next((file.lines for file in self.files if file.kind is kind), ())

    def labels(self, locale: str = DEFAULT_LOCALE, kind: FileKind = FileKind.AXIS_LABELS) -> tuple[str, ...]:
        """What the classes are called for people.

        In the language and region asked for, else in the language, else in English, else in none in particular, else in
        whatever there is. Empty where there are no labels.
        """
        lists = {_plain(file.locale): file.lines for file in reversed(self.files) if file.kind is kind}
        for wanted in (_plain(locale), _plain(locale).partition("-")[0], DEFAULT_LOCALE, ""):
            if wanted in lists:
                return lists[wanted]
        return self.label_map(kind)


@dataclass(frozen=True, slots=True)
class TensorGroup:
    """Tensors that belong together, such as a detector's boxes and scores."""

    name: str
    tensors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubgraphMetadata:
    """What is said of one graph; `custom` names what only the maker's own programs understand."""

    name: str = ""
    description: str = ""
    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()
    files: tuple[AssociatedFile, ...] = ()
    input_groups: tuple[TensorGroup, ...] = ()
    output_groups: tuple[TensorGroup, ...] = ()
    custom: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What is said of the model; the first subgraph is the one that runs."""

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    licence: str = ""
    parser_version: str = ""
    subgraphs: tuple[SubgraphMetadata, ...] = ()
    files: tuple[AssociatedFile, ...] = ()

    @property
    def input(self) -> TensorMetadata:
        """What is said of the first input; nothing where nothing is."""
        return next(iter(self.subgraphs[0].inputs), TensorMetadata()) if self.subgraphs else TensorMetadata()

    @property
    def output(self) -> TensorMetadata:
        """What is said of the first output; nothing where nothing is."""
        return next(iter(self.subgraphs[0].outputs), TensorMetadata()) if self.subgraphs else TensorMetadata()


def _plain(locale: str) -> str:
    return locale.strip().replace("_", "-").lower()
