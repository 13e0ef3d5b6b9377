"""Label lists as people have them: plain lines, Teachable Machine's and Coral's numbered lines, AutoML's folders."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edged.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LABELS_BYTES: Final = 4 * 1024 * 1024
MAX_LABELS: Final = 250_000  # ImageNet's largest edition has 21,843
MAX_MANIFEST_BYTES: Final = 4096  # AutoML's own has a hundred bytes
MANIFEST: Final = "manifest.json"

# "0 Class 1" (Teachable Machine), "0  background" and "0: background" (Coral), "0,background" (tables)
_NUMBERED: Final = re.compile(r"([0-9]{1,9})(?:[ \t]*[,:][ \t]*|[ \t]+)(\S.*)")
_TRAILING_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')

_FileName = Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$", max_length=255)]  # no way out


@dataclass(frozen=True, slots=True)
class AutoMlManifest:
    """Which files of an AutoML folder are the model and its labels."""

    model: str
    labels: str


class _Manifest(BaseModel):
    """What ML Kit reads of `manifest.json`: https://developers.google.com/ml-kit/vision/image-labeling/automl."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: _FileName = Field(alias="modelFile")
    labels: _FileName = Field(alias="labelsFile")
    kind: str = Field(alias="modelType", default="IMAGE_LABELING")


def read_lines(data: bytes, what: str) -> tuple[str, ...]:
    """The lines of a text; each ends with LF or CR LF and nothing else that Unicode knows of.

    What follows the last LF is a line too, unless it is empty: the Task Library's rule for label files.

    Raises:
        ModelError: not UTF-8 text, or too large.
    """
    if len(data) > MAX_LABELS_BYTES:
        raise ModelError(f"{what}: labels larger than {MAX_LABELS_BYTES // 2**20} MB")
    if data.count(b"\n") > MAX_LABELS:
        raise ModelError(f"{what}: more than {MAX_LABELS} labels")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelError(f"{what}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    if "\0" in text:
        raise ModelError(f"{what}: not UTF-8 text (UTF-16?); save it as UTF-8")
    lines = text.split("\n")
    return tuple(line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1]))


def read_labels(data: bytes, what: str, classes: int | None = None) -> tuple[str, ...]:
    """A label file's labels by class, whichever of the known forms it has.

    Numbers before the labels are taken off only where every line has its own, from 0 on and in order: they are no part
    of a label then, and where they are not, no line is left out or moved.

    Args:
        data: the file.
        what: what to call it in an error.
        classes: how many the model has, where that is known: empty lines at the end are then dropped down to so many
            lines, and otherwise all of them.

    Raises:
        ModelError: not UTF-8 text, too large, or no label in it.
    """
    lines = list(read_lines(data, what))
    while lines and not lines[-1].strip() and len(lines) > (classes or 0):
        lines.pop()
    if not lines:
        raise ModelError(f"{what}: no label in it")
    return _without_numbers(lines) or tuple(lines)


def _without_numbers(lines: Sequence[str]) -> tuple[str, ...] | None:
    labels = []
    for index, line in enumerate(lines):
        match = _NUMBERED.fullmatch(line.strip())
        if match is None or int(match[1]) != index:
            return None
        labels.append(match[2])
    return tuple(labels)


def read_manifest(data: bytes, what: str) -> AutoMlManifest:
    """An AutoML folder's `manifest.json`. Commas before a closing bracket are taken: AutoML writes them.

    Raises:
        ModelError: not such a manifest, or one of another kind of model.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise ModelError(f"{what}: larger than {MAX_MANIFEST_BYTES} bytes; AutoML's manifest is not")
    try:
        text = _TRAILING_COMMA.sub(lambda match: match[1] or "", data.decode("utf-8-sig"))
        manifest = _Manifest.model_validate(json.loads(text))
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()[:5])
        raise ModelError(f"{what}: {words}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{what}: not JSON: {error}") from error
    if manifest.kind != "IMAGE_LABELING":
        raise ModelError(f"{what}: a model for {manifest.kind[:40]!r}; edged takes IMAGE_LABELING")
    return AutoMlManifest(manifest.model, manifest.labels)


def check_count(count: int, classes: int, what: str) -> None:
    """Compare a list by class with the model's output.

    Raises:
        ModelError: their lengths differ; the text gives both.
    """
    if count != classes:
        raise ModelError(f"the model has {classes} classes and its {what} {count} lines")
