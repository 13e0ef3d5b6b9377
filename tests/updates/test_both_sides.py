"""The operator's side and the device's, over a web server: published, offered, fetched, opened."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.models import write_package
from support.registry import new_registry
from support.registry_device import Device
from support.static_server import StaticServer

from edged.errors import RegistryUnavailableError
from edged.models.package import open_package
from edged.updates.publish import Release, promote, publish, revoke
from edged.updates.renew import refresh, rotate

if TYPE_CHECKING:
    from pathlib import Path

    from edged.updates.keys import Keys


@pytest.fixture
def signing(tmp_path: Path) -> Keys:
    return new_registry(tmp_path)


def package(folder: Path, version: str) -> Path:
    return write_package(folder / version, name="birds", manifest={"version": version}, more={"notes.txt": b"n" * 9999})


def test_package_goes_from_the_operator_to_a_device(tmp_path: Path, signing: Keys) -> None:
    models = tmp_path / "models"
    with StaticServer(models) as server:
        device = Device(server.url, models / "root.json", tmp_path / "device")
        assert device.poll().reason == "channel stable has no model birds"
        publish(models, signing, package(tmp_path, "1.0.0"), Release(notes="First"), open_package)
        first = open_package(device.take()).ref
        assert first.version == "1.0.0"
        device.asking = replace(device.asking, installed=first)
        rotate(models, signing, "timestamp")
        publish(models, signing, package(tmp_path, "1.1.0"), Release("canary"), open_package)
        assert device.poll().reason == "birds 1.0.0 is installed"
        promote(models, signing, "birds", "1.1.0", Release(rollout=100.0))
        assert open_package(device.take()).ref.version == "1.1.0"
        revoke(models, signing, "birds", "1.1.0", "takes wrens for robins")
        poll = device.poll()
        assert poll.update is None
        assert poll.reason == "birds 1.1.0 is revoked: takes wrens for robins; birds 1.0.0 is installed"
        assert poll.revocations.of("birds", "1.1.0") is not None
        refresh(models, signing)
        assert not device.poll().changed


def test_device_that_polls_while_the_operator_publishes_sees_whole_states(tmp_path: Path, signing: Keys) -> None:
    models = tmp_path / "models"
    publish(models, signing, package(tmp_path, "1.0.0"), Release(), open_package)
    last, ended = 12, threading.Event()

    def work() -> None:
        for number in range(1, last + 1):
            publish(models, signing, package(tmp_path, f"1.{number}.0"), Release(), open_package)
        ended.set()

    with StaticServer(models) as server:
        device = Device(server.url, models / "root.json", tmp_path / "device")
        operator = threading.Thread(target=work)
        operator.start()
        seen = []
        while not ended.is_set():
            try:
                seen.append(open_package(device.take()).ref.version)
            except RegistryUnavailableError as error:
                assert "404" in str(error)  # what had been replaced in between  # noqa: PT017
        operator.join()
        assert open_package(device.take()).ref.version == f"1.{last}.0"
    assert seen == sorted(seen, key=lambda version: int(version.split(".")[1]))
