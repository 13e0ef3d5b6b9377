"""A device and a registry that signs, over a real web server: what is offered, fetched, asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.signed_registry import FILES, Package, SignedRegistry, later
from support.static_server import StaticServer

from edged.errors import RegistryUnavailableError
from edged.labeling.label import ModelRef
from edged.updates.fetcher import Patience
from edged.updates.registry import Asking
from edged.updates.tuf_registry import Place, TufRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKING = Asking("porch-pi", "birds")
QUICK = Patience(answer=1.0, stall=0.5, least=1.0, rate=1e6, poll=5.0)


@pytest.fixture
def operator(tmp_path: Path) -> SignedRegistry:
    return SignedRegistry(tmp_path / "registry")


@pytest.fixture
def server(operator: SignedRegistry) -> Iterator[StaticServer]:
    with StaticServer(operator.folder) as running:
        yield running


@pytest.fixture
def device(operator: SignedRegistry, server: StaticServer, tmp_path: Path) -> TufRegistry:
    return TufRegistry(Place(server.url, operator.folder / "root.json", "stable"), tmp_path / "state", patience=QUICK)


def test_package_is_offered_and_fetched(operator: SignedRegistry, device: TufRegistry, tmp_path: Path) -> None:
    package = Package()
    operator.offer(package, notes="First birds")
    poll = device.poll(ASKING)
    assert poll.update is not None
    assert (poll.update.ref, poll.update.notes) == (ModelRef("birds", "1.0.0", package.digest), "First birds")
    told: list[tuple[int, int]] = []
    folder = device.fetch(poll.update, tmp_path / "incoming", lambda have, of: told.append((have, of)), lambda: False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {**FILES, "model.yaml": package.manifest}
    assert told
    assert all(have <= of == poll.update.size for have, of in told)
