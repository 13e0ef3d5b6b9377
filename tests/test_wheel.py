"""The wheel holds what edged needs at run time, and works away from the checkout."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from edged.demo.media import Media

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel's files."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed (pip install hatchling)")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True, timeout=100)
    (wheel,) = folder.glob("edged-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_it_holds_the_base_model_and_the_configurations_and_no_build_scripts(unpacked: Path) -> None:
    data = unpacked / "edged" / "data"
    described = yaml.safe_load((ROOT / "models" / "base" / "model.yaml").read_text(encoding="utf-8"))["files"]
    assert {path.name for path in (data / "models" / "base").iterdir()} == {"model.yaml", *described}
    assert (data / "models" / "catalog.yaml").exists()
    assert {path.name for path in (data / "config").iterdir()} == {"demo.yaml", "edged.yaml", "grafana", "prometheus"}
    static = {path.name for path in (ROOT / "edged" / "web" / "static").iterdir()}
    assert {path.name for path in (unpacked / "edged" / "web" / "static").iterdir()} == static
    assert (unpacked / "edged" / "web" / "openapi.yaml").exists()
    units = {"60-edged.rules", "edged.service", "edged.sysusers", "edged.tmpfiles"}
    assert {path.name for path in (data / "systemd").iterdir()} == units
    for path in data.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (ROOT / path.relative_to(data)).read_bytes()
    assert {path.name.partition("-")[0] for path in unpacked.iterdir()} == {"edged"}
    # where `man` and the shells look for what is on the PATH of an environment
    [shared] = unpacked.glob("edged-*.data/data/share")
    for path in (ROOT / "share").rglob("*"):
        if path.is_file():
            assert (shared / path.relative_to(ROOT / "share")).read_bytes() == path.read_bytes()
    assert not list(data.rglob("*.py"))
    assert (unpacked / "edged" / "engine" / "worker" / "main.py").exists()


def test_it_labels_a_photo_with_the_base_model(unpacked: Path, media: Media, tmp_path: Path) -> None:
    script = "import edged, sys; from edged.cli.main import main; print(edged.__file__); sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "label", "--json", "--max", "1", media.photos / "coffee.png"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    origin, result = done.stdout.decode().splitlines()
    assert Path(origin).is_relative_to(unpacked)
    assert json.loads(result)["model"]["name"] == "base"
    assert json.loads(result)["labels"][0]["text"] == "Food"
