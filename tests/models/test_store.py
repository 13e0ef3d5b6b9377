"""The store: whole or not at all, one choice, and what is torn is noticed."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest
from support.models import write_package

from edged.errors import CannotWriteError, ModelError, PermissionDeniedError, UnavailableError, UsageError
from edged.models.choose import choose
from edged.models.package import find_model
from edged.models.store import Entry, Store, open_entry
from edged.models.store_change import changing, tidy
from edged.models.write_package import write_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def put(store: Store, folder: Path, version: str = "1.0.0", name: str = "tiny") -> Entry:
    """A package made and put in; without the proof, which takes its time."""
    path = write_package(folder / f"{name}-{version}", name=name, manifest={"version": version})
    return put_again(store, path)


def put_again(store: Store, path: Path) -> Entry:
    with changing(store) as change:
        staged = change.stage()
        write_files(staged, {file.name: file.read_bytes() for file in path.iterdir()})
        return change.put_in(staged, str(path))


def use(store: Store, entry: Entry | None) -> None:
    with changing(store) as change:
        change.use(entry)


def back(store: Store) -> Entry | None:
    with changing(store) as change:
        return change.rollback()


def names(store: Store) -> set[str]:
    return {path.name for path in store.folder.iterdir()}


def test_store_that_is_not_there_is_empty_and_is_not_made_by_looking(store: Store) -> None:
    assert store.entries() == ()
    assert (store.active(), store.previous(), store.find("tiny")) == (None, None, None)
    tidy(store)
    assert not store.folder.exists()


def test_installed_package_lies_in_a_folder_of_its_digest(store: Store, tmp_path: Path) -> None:
    entry = put(store, tmp_path)
    package = open_entry(entry)
    assert package.ref.digest == f"sha256:{entry.digest}"
    assert entry.folder == store.folder / entry.digest
    assert (entry.label, entry.record.state) == ("tiny@1.0.0", "good")
    assert entry.record.source == str(tmp_path / "tiny-1.0.0")
    assert names(store) == {entry.digest, "records", "staging", "downloads", "lock"}
    assert not list((store.folder / "staging").iterdir())


def test_second_installation_changes_nothing(store: Store, tmp_path: Path) -> None:
    first = put(store, tmp_path)
    inode = (first.folder / "model.yaml").stat().st_ino
    again = put_again(store, tmp_path / "tiny-1.0.0")
    assert again.digest == first.digest
    assert (again.folder / "model.yaml").stat().st_ino == inode


def test_installation_mends_a_torn_model(store: Store, tmp_path: Path) -> None:
    entry = put(store, tmp_path)
    (entry.folder / "tiny.tflite").write_bytes(b"torn")
    with pytest.raises(ModelError):
        open_entry(entry)
    put_again(store, tmp_path / "tiny-1.0.0")
    open_entry(entry)


def test_name_finds_the_newest_version(store: Store, tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0-rc1", "1.10.0", "1.2.0"):
        put(store, tmp_path, version)
    put(store, tmp_path, "9.0.0", "other")
    assert [entry.label for entry in store.entries()] == [
        "other@9.0.0",
        "tiny@1.10.0",
        "tiny@1.10.0-rc1",
        "tiny@1.9.0",
        "tiny@1.2.0",
    ]
    found = store.find("tiny")
    assert found is not None
    assert found.record.version == "1.10.0"
    assert store.find("tiny@1.9.0") == store.entries()[3]
    assert store.find(f"sha256:{found.digest[:8]}") == found
    assert (store.find("tiny@7.0.0"), store.find("tin"), store.find("sha256:0")) == (None, None, None)


def test_models_are_found_by_name_wherever_a_model_is_asked_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = put(store, tmp_path)
    assert find_model("tiny", (store,)) == entry.folder
    monkeypatch.setenv("EDGED_STATE", str(tmp_path / "state"))
    assert find_model("tiny@1.0.0") == entry.folder
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()  # a folder of photos of the same name is no model
    assert find_model("tiny") == entry.folder
    assert find_model("./tiny") == tmp_path / "tiny" or find_model("./tiny").samefile(tmp_path / "tiny")


def test_choice_is_one_link_and_the_one_before_is_remembered(store: Store, tmp_path: Path) -> None:
    one, two = put(store, tmp_path, "1.0.0"), put(store, tmp_path, "2.0.0")
    use(store, one)
    assert str((store.folder / "active").readlink()) == one.digest
    assert (store.active(), store.previous()) == (one, None)
    use(store, two)
    assert (store.active(), store.previous()) == (two, one)
    use(store, two)
    assert (store.active(), store.previous()) == (two, one)
    assert (back(store), store.active(), store.previous()) == (one, one, two)
    assert (back(store), store.active()) == (two, two)
    use(store, None)
    assert (store.active(), store.previous()) == (None, two)


def test_way_back_of_the_first_choice_is_the_base_model(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to go back to"):
        back(store)
    use(store, put(store, tmp_path))
    assert back(store) is None
    assert store.active() is None


def test_model_in_use_is_not_removed_and_the_one_before_may_be(store: Store, tmp_path: Path) -> None:
    one, two = put(store, tmp_path, "1.0.0"), put(store, tmp_path, "2.0.0")
    use(store, one)
    use(store, two)
    with changing(store) as change:
        with pytest.raises(UsageError, match="in use"):
            change.remove(two)
        change.remove(one)
    assert (store.entries(), store.active(), store.previous()) == ((two,), two, None)
    assert [path.name for path in (store.folder / "records").iterdir()] == [two.digest]


@pytest.mark.parametrize("file", ["model.yaml", "tiny.tflite", "labels.txt"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "link"])
def test_torn_file_is_noticed_and_passed_over(store: Store, tmp_path: Path, file: str, harm: str) -> None:
    good, torn = put(store, tmp_path, "1.0.0"), put(store, tmp_path, "2.0.0")
    use(store, good)
    use(store, torn)
    path = torn.folder / file
    data = path.read_bytes()
    path.unlink()
    if harm == "flip":
        path.write_bytes(data[:5] + bytes([data[5] ^ 1]) + data[6:])
    elif harm == "cut":
        path.write_bytes(data[:-1])
    elif harm == "link":
        path.symlink_to(good.folder / file)
    with pytest.raises(ModelError):
        open_entry(torn)
    chosen = choose(store, "base")
    assert chosen == good
    assert choose(store, "tiny") == good


def test_lost_and_torn_records_cost_nothing_but_the_history(store: Store, tmp_path: Path) -> None:
    one, two = put(store, tmp_path, "1.0.0"), put(store, tmp_path, "2.0.0")
    use(store, two)
    (store.folder / "records" / one.digest).unlink()
    (store.folder / "records" / two.digest).write_bytes(b'{"name": "ti')
    assert [entry.label for entry in store.entries()] == ["tiny@2.0.0", "tiny@1.0.0"]
    assert choose(store, "base") == store.active()
    open_entry(store.entries()[0])


def test_record_of_a_newer_edged_is_read(store: Store, tmp_path: Path) -> None:
    entry = put(store, tmp_path)
    path = store.folder / "records" / entry.digest
    path.write_text(path.read_text()[:-1] + ', "probation": {"results": 7}}')
    assert store.entries() == (entry,)


@pytest.mark.parametrize("target", ["../../etc", "/etc", "nowhere", "0" * 64, "records"])
def test_link_to_elsewhere_is_no_choice(store: Store, tmp_path: Path, target: str) -> None:
    put(store, tmp_path)
    (store.folder / "active").symlink_to(target)
    assert store.active() is None
    assert choose(store, "base") is None


def test_configured_name_is_that_model_whatever_was_chosen(store: Store, tmp_path: Path) -> None:
    old, new, other = put(store, tmp_path, "1.0.0"), put(store, tmp_path, "2.0.0"), put(store, tmp_path, name="other")
    assert choose(store, "base") is None
    assert choose(store, "tiny") == new
    use(store, old)
    assert choose(store, "tiny") == old
    use(store, other)
    assert choose(store, "base") == other
    assert choose(store, "tiny") == old  # what labelled before, if it was that one
    assert choose(store, "absent") is None


def test_what_a_crash_left_is_cleaned_at_the_next_start(store: Store, tmp_path: Path) -> None:
    entry = put(store, tmp_path)
    left = store.folder / "staging" / "left"
    left.mkdir()
    (left / "tiny.tflite").write_bytes(b"half")
    (store.folder / "staging" / "link").symlink_to(entry.folder)
    (store.folder / "records" / ("0" * 64)).write_text("{}")
    tidy(store)
    assert not list((store.folder / "staging").iterdir())
    assert [path.name for path in (store.folder / "records").iterdir()] == [entry.digest]
    open_entry(entry)


def test_two_changes_do_not_meet(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path)
    with (
        changing(store),
        pytest.raises(UnavailableError, match="another edged is changing"),
        changing(store, patience=0.1),
    ):
        pytest.fail("two at a time")


def test_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = write_package(tmp_path / "p")
    with pytest.raises(CannotWriteError, match="cannot be written"):
        put_again(Store(tmp_path / "file"), path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder away")
def test_root_does_not_write_into_the_daemons_folder(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    path = write_package(tmp_path / "p")
    with pytest.raises(PermissionDeniedError, match=r"run this as that user \(sudo -u \S+ edged models"):
        put_again(Store(state), path)
    assert not list(state.iterdir())


@pytest.mark.parametrize("state", ["probation", "rolled_back"])
def test_start_passes_over_what_is_not_good_wherever_the_links_lead(
    store: Store, tmp_path: Path, state: Literal["probation", "rolled_back"]
) -> None:
    good, bad = put(store, tmp_path, "1.0.0"), put(store, tmp_path, "2.0.0")
    use(store, good)
    use(store, bad)
    with changing(store) as change:
        change.record(bad.digest, replace(bad.record, state=state))
    assert (choose(store, "base"), choose(store, "tiny")) == (good, good), "the choice is not good"
    lead(store, "active", bad.digest)
    lead(store, "previous", bad.digest)
    assert choose(store, "base") == good, "there is a good one of its name"
    assert choose(store, "base", {f"sha256:{good.digest}"}) is None, "which is refused"
    assert choose(store, "base", but=good) is None
    assert choose(store, "absent") is None
    lead(store, "active", "damaged")
    assert (choose(store, "base"), choose(store, "tiny")) == (None, good), "nor is the choice before"


def lead(store: Store, link: str, target: str) -> None:
    (store.folder / link).unlink(missing_ok=True)
    (store.folder / link).symlink_to(target)


def test_rollback_leads_past_what_was_not_good(store: Store, tmp_path: Path) -> None:
    good, doubtful, new = (put(store, tmp_path, version) for version in ("1.0.0", "2.0.0", "3.0.0"))
    use(store, good)
    use(store, doubtful)
    with changing(store) as change:
        change.record(doubtful.digest, replace(doubtful.record, state="probation"))
        change.use(new)
        assert store.previous() == good
        assert change.rollback() == good


def test_base_that_was_chosen_is_begun_with_and_a_lost_choice_is_not_that(store: Store, tmp_path: Path) -> None:
    before = put(store, tmp_path, "1.0.0")
    use(store, before)
    use(store, None)
    assert (store.previous(), choose(store, "base")) == (before, None)
    lead(store, "active", "damaged")
    assert choose(store, "base") == before
