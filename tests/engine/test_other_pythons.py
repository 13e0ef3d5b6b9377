"""The worker under another interpreter than the daemon's: the accelerator keeps the Python that it needs.

Any of these interpreters that is on this machine is tried, in a virtual environment that `$EDGED_PYTHONS` names
(folders, separated by colons), with whatever runtime is installed there; `scripts/pythons` makes them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edged.engine.engine import Engine, EngineOptions
from edged.engine.process import Launch
from edged.labeler import ImageLabeler
from edged.models.package import open_package
from edged.resources import data_path

FOLDERS = [Path(folder) for folder in os.environ.get("EDGED_PYTHONS", "").split(":") if folder]
NONE_NAMED = pytest.param(Path(), marks=pytest.mark.skip("EDGED_PYTHONS is not set: scripts/pythons runs this"))

pytestmark = pytest.mark.parametrize("folder", FOLDERS or [NONE_NAMED], ids=lambda folder: folder.name)


def test_the_same_scores_come_from_a_worker_under_another_python(folder: Path) -> None:
    file = open_package(data_path("models/base")).members[0].file
    scores = []
    for python in (None, folder / "bin/python"):
        engine = Engine(EngineOptions(threads=1, launch=Launch(python)))
        try:
            slot = engine.load(file)
            scores.append(engine.infer(slot, lambda tensor, _: tensor.fill(100)).scores.astype(int))
            runtime = engine.state().runtime
        finally:
            engine.close()
    assert abs(scores[0] - scores[1]).max() <= 2, "of 255: the runtimes round a little differently"
    version = subprocess.run(
        [folder / "bin/python", "-c", "import platform; print(platform.python_version())"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert (runtime or "").endswith(f"on Python {version}")


def test_a_runtime_that_is_named_is_the_one_that_runs(folder: Path) -> None:
    """And one that is not there is said by name."""
    packages = {path.name for path in folder.glob("lib/python3.*/site-packages/*")}
    there = {"tflite_runtime": "tflite-runtime", "ai_edge_litert": "ai-edge-litert"}
    for package, name in there.items():
        engine = Engine(EngineOptions(threads=1, launch=Launch(folder / "bin/python", name)))
        try:
            engine.start()
            if package in packages:
                engine.load(open_package(data_path("models/base")).members[0].file)
                assert (engine.state().runtime or "").startswith(package)
            else:
                with pytest.raises(Exception, match=f"no {name} here"):
                    engine.load(open_package(data_path("models/base")).members[0].file)
        finally:
            engine.close()


def test_the_daemons_process_imports_no_runtime(folder: Path) -> None:
    assert folder.is_dir()
    with ImageLabeler() as labeler:
        assert labeler.model.name == "base"
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"ai_edge_litert", "tflite_runtime", "pycoral"}
