"""A model that has done badly is passed over at the next start, and refused, as far as either can be written down."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from support.models import write_package

from edged.errors import CannotWriteError
from edged.models.store import Entry, Store
from edged.models.store_change import changing
from edged.updates.refusals import Refusals
from edged.updates.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    store = Store(tmp_path / "state")
    return Shelf(store, Refusals(store.folder / "refused.json"), 10**9, "en")


@pytest.fixture
def entry(shelf: Shelf, tmp_path: Path) -> Entry:
    package = write_package(tmp_path / "package")
    with changing(shelf.store) as change:
        staged = change.stage()
        for path in package.iterdir():
            shutil.copy(path, staged)
        return change.put_in(staged, "registry: a test", "probation")


def state_of(shelf: Shelf, entry: Entry) -> str:
    found = shelf.store.entry(entry.digest)
    assert found is not None
    return found.record.state


def test_start_goes_by_the_record_though_the_refusal_is_not_written(shelf: Shelf, entry: Entry) -> None:
    (shelf.store.folder / ".refused.json").mkdir()  # in the way of its scratch file
    with pytest.raises(CannotWriteError):
        shelf.mark_bad(entry, "too slow")
    assert state_of(shelf, entry) == "rolled_back"
    assert Refusals(shelf.store.folder / "refused.json").digests == frozenset()


def test_it_is_refused_though_its_record_cannot_be_written(shelf: Shelf, entry: Entry) -> None:
    (shelf.store.folder / "records" / entry.digest).unlink()
    (shelf.store.folder / "records" / entry.digest).mkdir()
    with pytest.raises(CannotWriteError):
        shelf.mark_bad(entry, "too slow")
    assert Refusals(shelf.store.folder / "refused.json").digests == {f"sha256:{entry.digest}"}
    assert shelf.waiting("tiny") is None
