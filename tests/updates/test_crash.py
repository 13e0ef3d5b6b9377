"""A registry whose operator's command is killed: at every change to the disk, and at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import registry_crash
from support.models import write_package
from support.registry import Device, new_registry

from edged.errors import UsageError
from edged.models.package import open_package
from edged.updates.keys import Keys
from edged.updates.publish import Release, publish

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = ("model.yaml", "labels.txt", "tiny.tflite")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder in memory, where there is such: thousands of small files are written, and taken away."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    """A registry that offers birds 1.0.0, a device that knows it, and a package `new` of 1.1.0. To be copied."""
    folder = place / "whole"
    keys = new_registry(folder)
    old = write_package(folder / "old", name="birds")
    publish(folder / "models", keys, old, Release(), open_package)
    write_package(folder / "new", name="birds", manifest={"version": "1.1.0"})
    Device(folder / "device", folder / "models")
    return folder


@pytest.fixture(scope="module")
def killed(folder: Path, place: Path) -> Path:
    """For every deed a folder, with a copy for every moment at which it was killed; the last one was not."""
    copies = place / "killed"
    script = [sys.executable, registry_crash.__file__, str(folder), str(copies)]
    subprocess.run(script, check=True, timeout=100, cwd=ROOT)
    return copies


def state(folder: Path) -> tuple[str | None, bool]:
    """What a device that knew the registry and a fresh one see: the version offered, and whether 1.0.0 is revoked."""
    seen = []
    for state in ("device", "fresh"):
        device = Device(folder / state, folder / "models", (folder / "models/metadata/1.root.json").read_bytes())
        version = device.version("birds")
        assert version is not None
        assert set(device.download("birds", version, FILES)) == set(FILES)
        seen.append((version, device.revocations().of("birds", "1.0.0") is not None))
    assert seen[0] == seen[1]
    return seen[0]


@pytest.mark.parametrize(
    ("what", "after"),
    [
        ("publish", ("1.1.0", False)),
        ("revoke", ("1.0.0", True)),
        ("targets", ("1.0.0", False)),
        ("root", ("1.0.0", False)),
    ],
)
def test_kill_at_any_change_to_the_disk_leaves_the_old_state_or_the_new(
    killed: Path, what: str, after: tuple[str, bool]
) -> None:
    copies = sorted((killed / what).iterdir(), key=lambda copy: int(copy.name))
    assert len(copies) > 10
    states = [state(copy) for copy in copies]
    assert states[-1] == after
    assert set(states) <= {("1.0.0", False), after}
    assert states == sorted(states)  # once new, always new
    for copy in copies[:: len(copies) // 3]:
        try:
            registry_crash.act(copy, what)
        except UsageError:  # it was done already, but for what comes after
            assert state(copy) == after
        assert state(copy) == after


def test_publisher_killed_at_random_moments_leaves_the_old_state_or_the_new(folder: Path, place: Path) -> None:
    command = [sys.executable, "-m", "edged", "registry", "publish"]
    seconds = None
    for number in range(2):
        copy = place / f"copy{number}"
        shutil.copytree(folder, copy)
        words = [str(copy / "models"), str(copy / "new"), "--keys", str(copy / "keys")]
        began = time.monotonic()
        with subprocess.Popen([*command, *words], cwd=ROOT, stdout=subprocess.DEVNULL) as publisher:
            if seconds is not None:
                time.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311  no secret
                os.kill(publisher.pid, signal.SIGKILL)
            publisher.wait(60)
        assert state(copy)[0] in ({"1.1.0"} if seconds is None else {"1.0.0", "1.1.0"})
        seconds = seconds or time.monotonic() - began


def test_registry_that_init_was_killed_over_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "models/metadata").mkdir(parents=True)
    (tmp_path / "models/metadata/1.root.json").write_text("half")
    (tmp_path / "models/.staging").mkdir()
    new_registry(tmp_path)
    assert Device(tmp_path / "device", tmp_path / "models").channel().models == {}
    with pytest.raises(UsageError, match="is a registry already"):
        new_registry(tmp_path)
    assert Keys([tmp_path / "keys"]).pinned_root() == (tmp_path / "models/root.json").read_bytes()
