"""Damaged models: refused or taken for what they are, and nothing worse. `scripts/mutate.py` tries thousands."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import TinyModel, tiny_model
from support.mutations import MUTATIONS, Original, mutate
from support.tflite_spots import Kind

from edged.errors import ModelError
from edged.labeling.preprocess import Normalisation
from edged.models.package import find_model
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import inspect
from edged.models.write_metadata import Description, LabelList, write_metadata

ROOT = Path(__file__).parents[2]


@cache
def original(name: str) -> Original:
    """One of the base package's, or a small one with everything that TFLite Metadata may hold."""
    if name != "described":
        return Original.of((find_model("base") / name).read_bytes())
    lists = (LabelList(("red", "green", "blue")), LabelList(("rot", "grün", "blau"), "de"))
    scale = Normalisation((127.5,), (127.5,))
    description = Description("tiny", "a test", labels=lists, normalisation=scale, threshold=0.25)
    return Original.of(write_metadata(tiny_model(TinyModel()), description))


def test_mutations_know_where_a_file_says_what() -> None:
    spots = original("described").spots
    assert {spot.kind for spot in spots} == set(Kind)
    whose = {spot.whose for spot in spots}
    assert {"Tensor.0", "OperatorCode.0", "TensorMetadata.4", "AssociatedFile.2", "PK\1\2"} <= whose


@settings(max_examples=150, derandomize=True)
@given(
    st.sampled_from(["described", "people.tflite", "efficientnet_lite0.tflite"]),
    st.sampled_from(list(MUTATIONS)),
    st.integers(0, 2**32),
)
def test_damaged_model_is_refused_in_words_or_read_in_no_time(name: str, kind: str, seed: int) -> None:
    data = mutate(kind, seed, original(name))
    began = time.process_time()
    try:
        read_metadata(inspect(data))
    except ModelError as error:
        assert 0 < len(str(error)) < 1000  # noqa: PT017  either outcome is right
    assert time.process_time() - began < 1


def test_damaged_models_cost_nothing_but_their_process_and_no_other_answers_pass() -> None:
    """Opened, run and proved by the script, which finds faults by itself."""
    words = ["--base-only", "--count", "38", "--run", "3", "--prove", "1"]
    command = [sys.executable, str(ROOT / "scripts/mutate.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert said["open, digest"] == "38 refused"
    assert "accepted" in said["open, rewritten"]
    assert "refused" in said["open, rewritten"]
    assert "other" not in said["run, rewritten"]
    assert done.stdout.endswith("nothing is wrong\n")
