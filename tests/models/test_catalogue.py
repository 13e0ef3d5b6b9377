"""The catalogue: what it says is consistent, and a package out of an entry labels as its maker meant."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from support import http_files as ways
from support.http_files import FileServer
from support.models import TinyModel, tiny_model

from edged.engine.accelerator import BEST_TWIN
from edged.errors import ModelError, UnavailableError
from edged.labeler import ImageLabeler
from edged.models import install as installing
from edged.models.catalogue import BASE_GROUPS, CatalogueFile, Published, catalogue
from edged.models.download import Patience
from edged.models.install import Words, install
from edged.models.package import open_package
from edged.models.store import Store
from edged.resources import data_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = Patience(total=5.0, stall=0.4, tries=1, pause=0.01)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def test_every_entry_can_be_read_and_has_an_address() -> None:
    known = catalogue()
    assert len(known) >= 8
    for model in known.values():
        for file in (model.model, model.edgetpu, model.labels):
            if file is not None:
                assert file.address.startswith("https://")
                assert file.address.endswith(f"/{file.place}")
                assert file.wanted("http://mirror/x/").address == f"http://mirror/x/{file.place}"


def test_model_that_an_edge_tpu_is_offered_has_a_twin_and_everyday_words() -> None:
    best = catalogue()[BEST_TWIN]
    assert best.edgetpu is not None
    assert best.base_groups_from == 1


def serve(server: FileServer, place: str, data: bytes) -> CatalogueFile:
    server.at(f"/{place}", ways.whole(data))
    return CatalogueFile(f"https://unreachable.invalid/{place}", place, len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def published(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A tiny model with a twin in a catalogue of its own; its mirror is the server."""
    twin = tiny_model(TinyModel(custom="edgetpu-custom-op"))
    model = Published(
        name="tiny-colours",
        version="1.0.0",
        title="Colours",
        knows="three colours",
        licence="Apache-2.0",
        source="somebody/models (main): m.tflite",
        model=serve(server, "somebody/models/main/m.tflite", tiny_model()),
        edgetpu=serve(server, "somebody/models/main/m_edgetpu.tflite", twin),
        labels=serve(server, "somebody/models/main/labels.txt", b"red\ngreen\nblue\n"),
        base_groups_from=None,
    )
    monkeypatch.setattr(installing, "catalogue", lambda: {model.name: model})
    return model


def mirror(server: FileServer) -> Words:
    return Words(mirror=f"http://127.0.0.1:{server.server_port}/")


def test_catalogued_model_is_downloaded_from_a_mirror_and_put_in(
    server: FileServer, store: Store, published: Published
) -> None:
    told: set[str] = set()
    entry = install(store, published.name, mirror(server), told=lambda name, *_: told.add(name), patience=QUICK)
    assert entry.label == "tiny-colours@1.0.0"
    member = open_package(entry.folder).members[0]
    assert (member.cpu, member.edgetpu) == (entry.folder / "m.tflite", entry.folder / "m_edgetpu.tflite")
    assert member.labels == ("red", "green", "blue")
    assert told == {"m.tflite", "m_edgetpu.tflite", "labels.txt"}
    assert not list((store.folder / "downloads").iterdir())


def test_file_that_was_changed_where_it_is_published_is_refused(
    server: FileServer, store: Store, published: Published
) -> None:
    for way, reason in ((ways.whole(b"x" * published.model.size), "its sha256 is"), (ways.page(), "a web page")):
        server.at("/somebody/models/main/m.tflite", way)
        with pytest.raises(ModelError, match=reason):
            install(store, published.name, mirror(server), patience=QUICK)
    assert store.entries() == ()
    assert not list((store.folder / "downloads").iterdir())


def test_offline_is_said(store: Store, published: Published) -> None:
    with pytest.raises(UnavailableError, match=r"offline\?"):
        install(store, published.name, patience=QUICK)


def test_address_of_a_model_is_installed_where_its_digest_is_right(server: FileServer, store: Store) -> None:
    data = tiny_model()
    address = server.at("/x/My%20Flowers.tflite?raw=1", ways.whole(data))
    digest = hashlib.sha256(data).hexdigest()
    with pytest.raises(ModelError, match="its sha256 is"):
        install(store, address, Words(sha256="0" * 64), patience=QUICK)
    entry = install(store, address, Words(sha256=f"sha256:{digest.upper()}", name="flowers"), patience=QUICK)
    assert (entry.label, entry.record.source) == ("flowers@0.0.0", address)


def test_address_of_a_package_brings_its_files(server: FileServer, store: Store, tmp_path: Path) -> None:
    from support.models import write_package  # noqa: PLC0415  only here

    package = write_package(tmp_path / "p")
    for path in package.iterdir():
        server.at(f"/p/{path.name}", ways.whole(path.read_bytes()))
    digest = hashlib.sha256((package / "model.yaml").read_bytes()).hexdigest()
    address = f"http://127.0.0.1:{server.server_port}/p/model.yaml"
    entry = install(store, address, Words(sha256=digest), patience=QUICK)
    assert entry.digest == digest
    assert entry.label == "tiny@1.0.0"


def test_everyday_words_go_along_with_imagenets_classes_one_further(
    server: FileServer, store: Store, testdata: Path
) -> None:
    """With the published model of 1001 classes: background first."""
    base = json.loads(data_path(BASE_GROUPS).read_text())
    name = "mobilenet_v1_0.25_128_quant"
    facts = catalogue()["coral-mobilenet-v1-0.25-128"]
    assert facts.edgetpu is not None
    assert facts.labels is not None
    for file in (facts.model, facts.edgetpu, facts.labels):
        path = testdata / "models" / file.name
        server.at(f"/{file.place}", ways.whole(path.read_bytes()))
    entry = install(store, facts.name, mirror(server), patience=QUICK)
    member = open_package(entry.folder).members[0]
    assert {group.text: list(group.classes) for group in member.groups} == {
        word: [index + 1 for index in classes] for word, classes in base.items()
    }
    assert member.labels[0] == "background"
    assert member.edgetpu == entry.folder / f"{name}_edgetpu.tflite"
    with ImageLabeler(entry.folder, threads=1) as labeler:
        labels = {label.text: label.confidence for label in labeler.process(testdata / "images" / "cat.bmp")}
    assert labels["Cat"] > 0.6
