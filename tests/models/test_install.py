"""Installing: from a package, a bare file, an AutoML folder; nothing gets in that has not proved itself."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from support.models import TinyModel, tiny_model, write_package

from edged.errors import ModelError, UsageError
from edged.models.install import Words, install
from edged.models.package import open_package
from edged.models.store import Store, open_entry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def test_package_is_put_in_as_it_is_and_nothing_beside_it(store: Store, tmp_path: Path) -> None:
    path = write_package(tmp_path / "p")
    (path / "more.txt").write_text("not listed")
    entry = install(store, str(path))
    assert open_entry(entry).ref == open_package(path).ref
    assert {file.name for file in entry.folder.iterdir()} == {"model.yaml", "tiny.tflite", "labels.txt"}
    assert (entry.label, entry.record.source, entry.record.state) == ("tiny@1.0.0", str(path), "good")


def test_model_that_loads_and_does_not_run_is_refused(store: Store, tmp_path: Path) -> None:
    path = write_package(tmp_path / "p", model=tiny_model(TinyModel(custom="nobody-knows-it")))
    with pytest.raises(ModelError, match=r"nobody-knows-it"):
        install(store, str(path))
    assert store.entries() == ()


@pytest.mark.parametrize("harm", ["cut", "other", "gone", "manifest", "link", "pipe"])
def test_bad_package_never_gets_in(store: Store, tmp_path: Path, harm: str) -> None:
    path = write_package(tmp_path / "p")
    labels = path / "labels.txt"
    kept = labels.read_bytes()
    if harm == "cut":
        (path / "tiny.tflite").write_bytes(b"TFL3")
    elif harm == "other":
        labels.write_bytes(kept.upper())
    elif harm == "manifest":
        (path / "model.yaml").write_text("schema: 1\n")
    else:
        labels.unlink()
    if harm == "link":
        labels.symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").write_bytes(kept)
    elif harm == "pipe":
        os.mkfifo(labels)
    with pytest.raises(ModelError, match=str(path)):
        install(store, str(path))
    assert store.entries() == ()
    if store.folder.exists():
        assert not list((store.folder / "staging").iterdir())


def test_bare_files_become_packages_that_are_the_same_each_time(store: Store, tmp_path: Path) -> None:
    folder = write_package(tmp_path / "p")
    path = tmp_path / "My Colours.tflite"
    shutil.copy(folder / "tiny.tflite", path)
    shutil.copy(folder / "labels.txt", tmp_path / "My Colours.txt")
    entry = install(store, str(path))
    assert entry.label == "my-colours@0.0.0"
    package = open_package(entry.folder)
    assert package.members[0].labels == ("red", "green", "blue")
    assert package.members[0].cpu is not None
    assert package.members[0].cpu.read_bytes() == path.read_bytes()
    assert install(store, str(path), Words(name="my-colours")).digest == entry.digest


@pytest.mark.parametrize(
    ("source", "words", "error"),
    [
        ("base", Words(), UsageError),
        ("nowhere", Words(), ModelError),
        ("https://127.0.0.1/m.tflite", Words(), UsageError),
        ("https://127.0.0.1/m.tflite", Words(sha256="abc"), UsageError),
        ("coral-birds", Words(version="2.0.0"), UsageError),
        ("{folder}", Words(name="x"), UsageError),
        ("{folder}", Words(sha256="0" * 64), ModelError),
        ("{folder}/tiny.tflite", Words(name="base"), UsageError),
        ("{folder}/tiny.tflite", Words(name="No Name"), ModelError),
        ("{folder}/labels.txt", Words(), ModelError),
        ("{folder}/..", Words(), ModelError),
    ],
)
def test_words_that_do_not_fit_install_nothing(
    store: Store, tmp_path: Path, source: str, words: Words, error: type[Exception]
) -> None:
    folder = write_package(tmp_path / "p")
    with pytest.raises(error):
        install(store, source.format(folder=folder), words)
    assert store.entries() == ()
