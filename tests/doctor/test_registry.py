"""Registry, clock, installed models: what is wrong with them, and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from support.fleet_registry import Operator
from support.models import write_package
from support.signed_registry import SignedRegistry, later
from support.static_server import StaticServer, flipped, status

from edged.config import ModelConfig, RegistryConfig
from edged.doctor.model import look_at_model
from edged.doctor.models import look_at_models
from edged.doctor.registry import look_at_clock, look_at_registry
from edged.models.store import Store
from edged.models.store_change import changing
from edged.models.write_package import write_files
from edged.updates.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from support.machine import Tree

    from edged.doctor.machine import Machine
    from edged.models.store import Entry


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator.begin(tmp_path)


def with_registry(tree: Tree, url: str, root: Path) -> Machine:
    return replace(tree.machine, registry=RegistryConfig.model_validate({"url": url, "root": str(root)}))


def put(state: Path, folder: Path, version: str, source: str = "registry: a test") -> Entry:
    path = write_package(folder / version, manifest={"version": version})
    with changing(Store(state)) as change:
        staged = change.stage()
        write_files(staged, {file.name: file.read_bytes() for file in path.iterdir()})
        entry = change.put_in(staged, source)
        change.use(entry)
        return entry


def test_no_registry_is_absent_and_no_finding(tree: Tree) -> None:
    [check] = look_at_registry(tree.machine)
    assert check.state == "absent"
    assert not check.wants_action


def test_registry_that_is_signed_by_the_pinned_keys_is_well_and_nothing_is_left_behind(
    tree: Tree, operator: Operator
) -> None:
    with StaticServer(operator.folder) as server:
        for url in (server.url, operator.address):
            [check] = look_at_registry(with_registry(tree, url, operator.folder / "root.json"))
            assert check.state == "ok", check.text
            assert str(operator.folder / "root.json") in check.text
    assert not tree.machine.state.exists()


def test_registry_that_cannot_be_asked_or_lies_is_a_problem_with_its_cure(
    tree: Tree, operator: Operator, tmp_path: Path
) -> None:
    root = operator.folder / "root.json"
    with StaticServer(operator.folder) as server:
        machine = with_registry(tree, server.url, root)
        server.faults["timestamp.json"] = status(503)
        [away] = look_at_registry(machine)
        assert (away.state, f"curl -I {server.url}/metadata/timestamp.json" in str(away.cure)) == ("problem", True)
        server.faults["timestamp.json"] = flipped
        [forged] = look_at_registry(machine)
        assert (forged.state, "compare " in str(forged.cure)) == ("problem", True)
    [gone] = look_at_registry(machine)
    assert gone.text.count(server.url) == 1
    [stick] = look_at_registry(with_registry(tree, (tmp_path / "stick").as_uri(), root))
    assert (stick.state, "mounted" in str(stick.cure)) == ("problem", True)
    [unpinned] = look_at_registry(with_registry(tree, operator.address, tmp_path / "nowhere.json"))
    assert (unpinned.state, "nowhere.json" in unpinned.text, "docs/registry.md" in str(unpinned.cure)) == (
        "problem",
        True,
        True,
    )


def test_expired_registry_is_its_operators_to_refresh(tree: Tree, tmp_path: Path) -> None:
    registry = SignedRegistry(tmp_path / "registry")
    registry.publish(timestamp=later(-1))
    [check] = look_at_registry(with_registry(tree, registry.folder.as_uri(), registry.folder / "root.json"))
    assert (check.state, "expired" in check.text) == ("problem", True)
    assert "`edged registry refresh`" in str(check.cure)
    assert "root.json" not in str(check.cure)


def test_clock_that_is_not_set_is_said_and_the_registry_not_asked(tree: Tree, operator: Operator) -> None:
    [clock] = look_at_clock(tree.machine)
    assert clock.state == "ok"
    Clock(tree.machine.state / "registry").trust(datetime.now(UTC) + timedelta(days=2000))
    [clock] = look_at_clock(tree.machine)
    assert (clock.state, "timedatectl" in str(clock.cure)) == ("warning", True)
    [check] = look_at_registry(with_registry(tree, operator.address, operator.folder / "root.json"))
    assert (check.state, "not asked" in check.text) == ("warning", True)


def test_installed_models_are_absent_whole_or_damaged(tree: Tree, tmp_path: Path) -> None:
    state = tree.machine.state
    assert [check.state for check in look_at_models(tree.machine)] == ["absent"]
    old, new = put(state, tmp_path, "1.0.0"), put(state, tmp_path, "1.1.0", "a file")
    [check] = look_at_models(tree.machine)
    assert (check.state, check.text) == ("ok", "2 installed; chosen: tiny@1.1.0, whole")
    for entry in (old, new):
        (entry.folder / "labels.txt").write_text("red\nred\nred\n")
    active, previous = look_at_models(tree.machine)
    assert (active.state, previous.state) == ("problem", "warning")
    assert "edged models install tiny --use" in str(active.cure)
    assert str(previous.cure) == f"edged models remove sha256:{old.digest[:12]}"


def test_a_model_on_probation_is_said_and_what_a_start_begins_with(tree: Tree, tmp_path: Path) -> None:
    entry = put(tree.machine.state, tmp_path, "1.0.0")
    machine = replace(tree.machine, model=ModelConfig.model_validate({"name": "tiny"}))
    assert [(check.state, check.text) for check in look_at_model(machine)] == [("ok", "tiny 1.0.0")]
    store = Store(tree.machine.state)
    with changing(store) as change:
        change.record(entry.digest, replace(entry.record, state="probation"))
    [check] = look_at_model(machine)
    assert (check.state, "tiny@1.0.0 is on probation" in check.text) == ("warning", True)
    assert "let the service run" in str(check.cure)
    with changing(store) as change:
        change.use(None)
        change.remove(store.entries()[0])
    [check] = look_at_model(machine)
    assert (check.state, "edged models install tiny" in str(check.cure)) == ("problem", True)
