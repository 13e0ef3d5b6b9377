"""The three real models that are damaged."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from mutant_child import in_child
from mutant_trial import Subject

from edged.camera.image_file import read_picture
from edged.labeler import ImageLabeler
from edged.models.pack import Golden, Recipe, pack
from edged.models.package import find_model, open_package

PUBLISHED: Final = "models/mobilenet_v1_0.25_224_float_metadata.tflite"


def described(folder: Path) -> dict[str, str]:
    """Make a package, `described`, whose model has TFLite Metadata, labels packed with it, and golden photos."""
    base = find_model("base")
    photos = [base / f"golden_{name}.jpg" for name in ("ball", "clock")]
    testdata = os.environ.get("EDGED_TESTDATA")
    recipe = Recipe(base / "efficientnet_lite0.tflite", "described", "1.0.0", labels=base / "labels.txt")
    recipe = replace(recipe, mean=(127.0,), std=(128.0,), activation="softmax")
    if testdata:
        recipe = Recipe(Path(testdata) / PUBLISHED, "described", "1.0.0")
    plain = folder / "without-photos"
    pack(recipe, plain)
    with ImageLabeler(plain, max_results=1, confidence_threshold=0.0) as labeler:
        golden = tuple(Golden(photo, labeler.process(read_picture(photo))[0].text) for photo in photos)
    pack(replace(recipe, golden=golden), folder / "described")
    return {}


def real_models(folder: Path, *, described_too: bool) -> list[Subject]:
    """The base package's two, and one with TFLite Metadata; the package of that one is made in a child of its own."""
    base = find_model("base")
    names = [member.name for member in open_package(base).members]
    subjects = [Subject(name, base, number, folder / "mutants") for number, name in enumerate(names)]
    if not described_too:
        return subjects
    made = in_child(partial(described, folder), memory_mb=4096, seconds=300.0)
    if made.fate:
        raise RuntimeError(f"the model with metadata: {made.fate}")
    return [*subjects, Subject("described", folder / "described", 0, folder / "mutants")]
