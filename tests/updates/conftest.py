"""An operator that signs, a web server for its folder, and a device that has its root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.registry_device import Device
from support.signed_registry import SignedRegistry
from support.static_server import StaticServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def operator(tmp_path: Path) -> SignedRegistry:
    return SignedRegistry(tmp_path / "registry")


@pytest.fixture
def server(operator: SignedRegistry) -> Iterator[StaticServer]:
    with StaticServer(operator.folder) as running:
        yield running


@pytest.fixture
def device(operator: SignedRegistry, server: StaticServer, tmp_path: Path) -> Device:
    return Device(server.url, operator.folder / "root.json", tmp_path)
