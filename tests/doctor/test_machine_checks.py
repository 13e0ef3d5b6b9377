"""Model, board, disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.models import unproved, write_package

from edged.config import ModelConfig, RegistryConfig
from edged.doctor.board import look_at_board
from edged.doctor.disk import look_at_disk, room
from edged.doctor.machine import User
from edged.doctor.model import look_at_model

if TYPE_CHECKING:
    from support.machine import Tree

FLAGS = "sys/devices/platform/soc/soc:firmware/get_throttled"


def test_base_model_is_well(tree: Tree) -> None:
    [check] = look_at_model(tree.machine)
    assert check.state == "ok"
    assert check.text.startswith("base ")


def test_base_model_beside_an_edge_tpu_names_the_model_to_install(tree: Tree) -> None:
    tree.usb()
    [check] = look_at_model(tree.machine)
    assert check.state == "warning"
    assert str(check.cure).splitlines()[0] == "edged models install coral-mobilenet-v1-0.75-192 --use"


def test_base_model_needs_no_twin_for_the_cpu(tree: Tree) -> None:
    tree.usb()
    [check] = look_at_model(tree.with_inference(device="cpu"))
    assert check.state == "ok"


@pytest.mark.parametrize("model", [{"name": "flowers"}, {"path": "/none/flowers.tflite"}])
def test_model_that_is_not_there_is_a_problem(tree: Tree, model: dict[str, str]) -> None:
    [check] = look_at_model(replace(tree.machine, model=ModelConfig.model_validate(model)))
    assert check.state == "problem"
    assert "flowers" in check.text
    assert "model.path" in str(check.cure)


def test_model_that_does_not_prove_itself_is_a_problem(tree: Tree, tmp_path: Path) -> None:
    model = ModelConfig(path=write_package(tmp_path / "p", **unproved()))
    [check] = look_at_model(replace(tree.machine, model=model))
    assert (check.state, "must give green 0.90" in check.text) == ("problem", True)


def test_model_that_cannot_be_tried_out_is_not_looked_into(tree: Tree, tmp_path: Path) -> None:
    package = write_package(tmp_path / "p", manifest={"version": "7.0.0"})  # no other test has tried that one out
    machine = replace(tree.with_inference(python="/no/python"), model=ModelConfig(path=package))
    [check] = look_at_model(machine)
    assert (check.state, "could not be tried out" in check.text) == ("warning", True)


def test_model_that_is_to_come_from_the_registry_is_waited_for(tree: Tree) -> None:
    registry = RegistryConfig.model_validate({"url": "https://models.example/", "root": "/none/root.json"})
    machine = replace(tree.machine, model=ModelConfig(name="flowers"), registry=registry)
    [check] = look_at_model(machine)
    assert (check.state, str(check.cure).startswith("edged models update")) == ("warning", True)


def test_board_that_tells_nothing_is_absent(tree: Tree) -> None:
    assert [check.state for check in look_at_board(tree.machine)] == ["absent", "absent"]


@pytest.mark.parametrize(
    ("flags", "degrees", "heat", "power"),
    [
        ("0", 48, "ok", "ok"),
        ("0", 82, "warning", "ok"),
        ("4", 84, "problem", "ok"),
        ("50005", 48, "ok", "problem"),
        ("50005", 84, "problem", "problem"),
        ("40000", 48, "warning", "ok"),
        ("50000", 48, "ok", "warning"),
    ],
)
def test_heat_and_power_are_told_apart(tree: Tree, flags: str, degrees: int, heat: str, power: str) -> None:
    tree.put(FLAGS, flags)
    tree.put("sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    tree.put("sys/class/thermal/thermal_zone0/temp", str(degrees * 1000))
    temperature, supply = look_at_board(tree.machine)
    assert (temperature.state, supply.state) == (heat, power)
    assert f"{degrees} °C" in temperature.text
    assert (supply.cure is not None and "5 A for a Pi 5" in supply.cure) == (power != "ok")


def test_disk_with_room_is_well_even_where_the_folder_is_still_to_be_made(tree: Tree) -> None:
    [check] = look_at_disk(tree.machine)
    assert (check.name, check.state) == ("disk", "ok")
    assert not tree.machine.state.exists()


@pytest.mark.parametrize(
    ("free", "state"), [(20_000.0, "ok"), (500.0, "ok"), (499.0, "warning"), (50.0, "warning"), (49.0, "problem")]
)
def test_disk_that_fills_up(free: float, state: str) -> None:
    check = room(Path("/var/lib/edged"), free)
    assert check.state == state
    assert check.wants_action == (check.cure is not None)


def test_state_folder_that_may_not_be_written(tree: Tree) -> None:
    tree.machine.state.mkdir(mode=0o555)
    if os.access(tree.machine.state, os.W_OK):
        pytest.skip("this user may write everywhere")
    checks = look_at_disk(tree.machine)
    assert [check.name for check in checks] == ["disk", "state"]
    assert "chown" in str(checks[1].cure)


def test_file_system_that_cannot_hold_files_is_no_full_disk(tree: Tree) -> None:
    [check] = look_at_disk(replace(tree.machine, state=Path("/proc/state")))
    assert (check.state, check.text) == ("problem", "/proc/state: is on a file system that cannot hold files")
    assert "apt clean" not in str(check.cure)


def test_user_of_this_process_is_known() -> None:
    user = User.current()
    assert user.name
    assert user.groups
