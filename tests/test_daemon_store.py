"""Which model a daemon starts with: what the configuration names, what was chosen, and what is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.daemon import Daemon, labels, wait_for_labels
from support.models import write_package

from edged.models.store import Entry, Store
from edged.models.store_change import changing
from edged.models.write_package import write_files

if TYPE_CHECKING:
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber


def put(state: Path, folder: Path, version: str) -> Entry:
    """A package in the store, and chosen."""
    path = write_package(folder / version, manifest={"version": version})
    with changing(Store(state)) as change:
        staged = change.stage()
        write_files(staged, {file.name: file.read_bytes() for file in path.iterdir()})
        entry = change.put_in(staged, "a test")
        change.use(entry)
    return entry


@pytest.mark.parametrize(
    ("more", "torn", "expected"),
    [
        ("", (), "tiny 2.0.0"),
        ("", ("2.0.0",), "tiny 1.0.0"),
        ("model: {name: tiny}", ("1.0.0", "2.0.0"), "base"),
        ("model: {name: tiny}\nregistry: {url: 'https://models.invalid/'}", ("1.0.0", "2.0.0"), "base"),
    ],
)
def test_daemon_labels_with_the_chosen_model_that_is_whole(  # noqa: PLR0913, PLR0917  the table's columns
    tmp_path: Path,
    broker: Mosquitto,
    photos: Path,
    subscriber: Subscriber,
    more: str,
    torn: tuple[str, ...],
    expected: str,
) -> None:
    for version in ("1.0.0", "2.0.0"):
        entry = put(tmp_path / "state", tmp_path, version)
        if version in torn:
            (entry.folder / "tiny.tflite").write_bytes(b"torn")
    left = tmp_path / "state" / "models" / "staging" / "left"
    left.mkdir()
    with Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}", more=more) as daemon:
        wait_for_labels(subscriber, 20)
        model = labels(subscriber)[0]["model"]
        assert f"{model['name']} {model['version']}".startswith(expected)
        assert not left.exists()
        for version in torn:
            assert f"tiny@{version} cannot be used" in daemon.log


def test_name_that_is_not_on_the_device_and_nowhere_to_come_from_is_a_wrong_configuration(
    tmp_path: Path, broker: Mosquitto, photos: Path
) -> None:
    with Daemon(tmp_path, broker.port, f"  a: {{source: {photos}}}", more="model: {name: absent}") as daemon:
        assert daemon.process.wait(20) == 78
        assert "edged models install" in daemon.log
