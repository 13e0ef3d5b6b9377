"""A daemon with a page, for all tests of a module; a browser for all of them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from support.chromium import Chromium
from support.daemon import Daemon
from support.mosquitto import Mosquitto, until
from support.page import TOKEN, Asker, page_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.demo.media import Media

CAMERA = (
    "  a:\n    source: {photos}\n    fps: 10\n    region: [0.1, 0.1, 0.8, 0.8]\n"
    "    masks: [[[0, 0], [0.3, 0], [0, 0.3]]]\n    labels: {{threshold: 0.2}}\n"
    '    presence: {{"*": {{on: 0.5, off: 0.3, hold_on: 0s, hold_off: 200ms}}}}\n'
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def module_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def module_photos(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        shutil.copy(media.photos / name, folder)
    return folder


@pytest.fixture(scope="module")
def paged(tmp_path_factory: pytest.TempPathFactory, module_broker: Mosquitto, module_photos: Path) -> Iterator[Daemon]:
    """A daemon with a page on loopback, open to whoever is on this machine."""
    folder = tmp_path_factory.mktemp("daemon")
    cameras = CAMERA.format(photos=module_photos)
    with Daemon(folder, module_broker.port, cameras, more="web: {listen: '127.0.0.1:0'}") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def ask(paged: Daemon) -> Asker:
    """Its page, once there is a result."""
    asker = page_of(paged)
    until(lambda: asker("/cameras/a/snapshot.jpg").status == 200, 20)
    return asker


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, module_broker: Mosquitto, module_photos: Path) -> Iterator[Asker]:
    """A page that wants a token."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "token").write_text(f"{TOKEN}\n")
    more = "web: {listen: '0.0.0.0:0', token_file: token, hosts: [porch.example]}"
    with Daemon(folder, module_broker.port, CAMERA.format(photos=module_photos), more=more) as daemon:
        yield page_of(daemon)
