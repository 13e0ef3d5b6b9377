"""What becomes of models on probation: tried so often, passed over at a start, refused as far as can be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.models import write_package

from edged.errors import CannotWriteError, ModelError
from edged.models.store import Entry, Store
from edged.models.store_change import changing
from edged.updates.refusals import Refusals
from edged.updates.shelf import MOST_TRIES, Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.record import State


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    store = Store(tmp_path / "state")
    return Shelf(store, Refusals(store.folder / "refused.json"), 10**9, "en")


def put(shelf: Shelf, folder: Path, version: str, state: State = "probation", *, name: str = "tiny") -> Entry:
    package = write_package(folder / f"{name}-{version}", name=name, manifest={"version": version})
    with changing(shelf.store) as change:
        staged = change.stage()
        for path in package.iterdir():
            shutil.copy(path, staged)
        return change.put_in(staged, "registry: a test", state)


@pytest.fixture
def good(shelf: Shelf, tmp_path: Path) -> Entry:
    entry = put(shelf, tmp_path, "0.9.0", "good")
    shelf.use(entry)
    return entry


@pytest.fixture
def entry(shelf: Shelf, good: Entry, tmp_path: Path) -> Entry:
    assert good.record.state == "good"
    return put(shelf, tmp_path, "1.0.0")


def state_of(shelf: Shelf, entry: Entry) -> str:
    found = shelf.store.entry(entry.digest)
    assert found is not None
    return found.record.state


def tries_of(shelf: Shelf, entry: Entry) -> int:
    found = shelf.store.entry(entry.digest)
    assert found is not None
    return found.record.tries


def test_start_goes_by_the_record_though_the_refusal_is_not_written(shelf: Shelf, entry: Entry) -> None:
    (shelf.store.folder / ".refused.json").mkdir()  # in the way of its scratch file
    with pytest.raises(CannotWriteError):
        shelf.mark_bad(entry, "too slow")
    assert state_of(shelf, entry) == "rolled_back"
    assert Refusals(shelf.store.folder / "refused.json").digests == frozenset()


def test_a_revocation_takes_the_place_of_any_other_reason_and_none_takes_its_own(shelf: Shelf, entry: Entry) -> None:
    for why in ("rolled back by hand", "it is revoked: takes cats for birds", "too slow"):
        shelf.mark_bad(entry, why)
    assert [refusal.why for refusal in shelf.refusals.all] == ["it is revoked: takes cats for birds"]
    assert shelf.revocation(entry) == "it is revoked: takes cats for birds"


def test_it_is_refused_though_its_record_cannot_be_written(shelf: Shelf, good: Entry, entry: Entry) -> None:
    shelf.mark_good(entry)
    (shelf.store.folder / "records" / entry.digest).unlink()
    (shelf.store.folder / "records" / entry.digest).mkdir()
    with pytest.raises(CannotWriteError):
        shelf.mark_bad(entry, "too slow")
    assert Refusals(shelf.store.folder / "refused.json").digests == {f"sha256:{entry.digest}"}
    assert shelf.to_try("tiny") is None
    assert (shelf.first("tiny"), shelf.first("base")) == (good, good)


LEAVING = """
import json, os, shutil, signal, sys
from pathlib import Path
from edged.updates.shelf import open_shelf

state, whole = Path(sys.argv[1]), Path(sys.argv[2])
left = None

def counted(event, _):
    global left
    if left is not None and event in {"open", "os.mkdir", "os.rename", "os.remove", "os.symlink", "os.truncate"}:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(counted)
for step in range(1000):
    shutil.rmtree(state)
    shutil.copytree(whole, state, symlinks=True)
    child = os.fork()
    if not child:
        shelf = open_shelf(state)
        active = shelf.store.active()
        left = step
        shelf.mark_bad(active, "takes cats for birds")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    shelf = open_shelf(state)
    first, why = shelf.first("tiny"), [refusal.why for refusal in shelf.refusals.all]
    shelf.leave_bad_links()
    choices = [link and link.record.version for link in (shelf.store.active(), shelf.store.previous())]
    print(json.dumps([first.record.version, why, choices]))
    if status == 0:
        break
"""


def test_power_cut_at_any_step_of_leaving_a_model_leads_to_no_start_with_it_once_it_is_refused(
    shelf: Shelf, good: Entry, tmp_path: Path
) -> None:
    """Killed at each access to a file, one after the other."""
    assert good.record.version == "0.9.0"
    shelf.use(put(shelf, tmp_path, "1.0.0", "good"))
    shutil.copytree(tmp_path / "state", tmp_path / "whole", symlinks=True)
    command = (sys.executable, "-c", LEAVING, tmp_path / "state", tmp_path / "whole")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    before = ["1.0.0", [], ["1.0.0", "0.9.0"]]
    refused = [["0.9.0", ["takes cats for birds"], ["0.9.0", previous]] for previous in ("0.9.0", None)]
    changed = next(number for number, seen in enumerate(found) if seen != before)
    assert changed > 1
    assert all(seen in refused for seen in found[changed:])
    assert len(found) - changed > 5
    assert found[-1] == refused[-1]


def test_probation_that_takes_the_device_down_each_time_is_refused_in_the_end(shelf: Shelf, entry: Entry) -> None:
    for number in range(MOST_TRIES):
        found = shelf.to_try("tiny")
        assert found is not None
        shelf.begin_try(found)
        assert tries_of(shelf, entry) == number + 1
    with pytest.raises(ModelError, match=f"the daemon or the whole device ended {MOST_TRIES} times") as caught:
        shelf.begin_try(entry)
    shelf.mark_bad(entry, str(caught.value))
    assert shelf.to_try("tiny") is None
    shelf.use_by_hand(entry)
    assert (state_of(shelf, entry), tries_of(shelf, entry)) == ("probation", 0), "a person may have it tried again"
    assert shelf.refusals.digests == frozenset()


def test_probation_that_the_daemons_end_in_order_cuts_off_does_not_count(shelf: Shelf, entry: Entry) -> None:
    for _ in range(MOST_TRIES + 2):
        shelf.begin_try(entry)
        shelf.put_off(entry)
    assert tries_of(shelf, entry) == 0
    shelf.begin_try(entry)
    shelf.mark_good(entry)
    assert (state_of(shelf, entry), tries_of(shelf, entry)) == ("good", 0)
    shelf.begin_try(entry)
    assert tries_of(shelf, entry) == 0, "it is proved"


def test_choice_on_probation_is_tried_and_not_begun_with(shelf: Shelf, good: Entry, entry: Entry) -> None:
    shelf.use_by_hand(entry)
    assert shelf.store.active() == entry
    assert (shelf.first("base"), shelf.first("tiny"), shelf.first("other")) == (good, good, None)
    assert (shelf.to_try("base"), shelf.to_try("tiny"), shelf.to_try("other")) == (entry, entry, None)


def test_choice_by_hand_ends_every_probation_but_its_own(shelf: Shelf, good: Entry, entry: Entry) -> None:
    shelf.use_by_hand(good)
    assert (state_of(shelf, entry), shelf.to_try("tiny")) == ("rolled_back", None)
    assert shelf.refusals.digests == frozenset()


@pytest.mark.parametrize("again", ["good", "rolled_back"])
def test_refused_model_that_a_person_wants_is_refused_no_more_and_on_probation(
    shelf: Shelf, good: Entry, entry: Entry, tmp_path: Path, again: State
) -> None:
    shelf.mark_bad(entry, "too slow")
    if again == "good":  # taken off, and installed by hand
        with changing(shelf.store) as change:
            change.remove(entry)
        entry = put(shelf, tmp_path / "again", "1.0.0", "good")
    assert shelf.first("base") == good
    found = shelf.use_by_hand(entry)
    assert found is not None
    assert (found.record.state, shelf.to_try("base")) == ("probation", found)
    shelf.mark_good(found)
    assert (shelf.first("base"), shelf.refusals.all) == (shelf.store.active(), ())


def test_torn_model_on_probation_is_not_tried_and_comes_again(shelf: Shelf, entry: Entry, tmp_path: Path) -> None:
    (entry.folder / "tiny.tflite").write_bytes(b"torn")
    assert shelf.to_try("tiny") is None
    assert shelf.newest_known("tiny") != entry
    assert put(shelf, tmp_path / "again", "1.0.0") == shelf.to_try("tiny")


def test_given_up_model_that_is_offered_again_is_on_probation_again(shelf: Shelf, entry: Entry, tmp_path: Path) -> None:
    shelf.give_up(entry)
    assert shelf.to_try("tiny") is None
    package = write_package(tmp_path / "again", manifest={"version": "1.0.0"})
    taken = shelf.take_in(package, "a test")
    assert (taken.digest, taken.record.state) == (entry.digest, "probation")


def test_model_that_was_good_stays_so_where_another_is_chosen(shelf: Shelf, good: Entry) -> None:
    shelf.give_up(good)
    assert shelf.first("base") == good
    assert os.path.lexists(shelf.store.folder / "active")
