"""A package's files, read from disk with a bound: whatever lies there is an error that names it, and nothing worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.camera.regular_file import read_regular_file
from edged.errors import ModelError
from edged.models.metadata import DEFAULT_LOCALE, ModelMetadata
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import TfliteFile, inspect

if TYPE_CHECKING:
    from pathlib import Path

    from edged.labeling.calibration import ScoreCalibration
    from edged.labeling.preprocess import Normalisation

MAX_MODEL_BYTES: Final = 256 * 1024 * 1024
MAX_SIDE_BYTES: Final = 4 * 1024 * 1024  # labels, groups


def read(path: Path, most: int) -> bytes:
    """A file's bytes. Raises ModelError where it cannot be read or is larger."""
    try:
        return read_regular_file(path, most)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error


class Tflite:
    """A `.tflite` file and what its maker says of it.

    Attributes:
        file: its structure.
        classes: how many classes its first output has; None where it has no output.
        labels: what its metadata calls them in the language asked for; empty without metadata.

    Raises:
        ModelError: it is no model, or contradicts itself; the text names `path`.
    """

    def __init__(self, path: Path, data: bytes, locale: str = DEFAULT_LOCALE) -> None:
        try:
            self.file: TfliteFile = inspect(data)
            metadata = read_metadata(self.file) or ModelMetadata()
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error
        shape = self.file.outputs[0].shape if self.file.outputs else ()
        self.classes: int | None = shape[-1] if shape else None
        self.labels: tuple[str, ...] = metadata.output.labels(locale)
        self.normalisation: Normalisation | None = metadata.input.normalisation
        self.threshold: float | None = metadata.output.threshold
        self.calibration: ScoreCalibration | None = metadata.output.calibration
