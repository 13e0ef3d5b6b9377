"""What is said of Edge TPUs, from trees such as kernels show."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edged.doctor.edge_tpu import look_at_edge_tpus
from edged.doctor.machine import User, group_name

if TYPE_CHECKING:
    from support.machine import Tree


def test_none_is_nothing_to_worry_about(tree: Tree) -> None:
    [check] = look_at_edge_tpus(tree.machine)
    assert (check.state, check.cure) == ("absent", None)


def test_none_is_a_problem_where_the_configuration_wants_one(tree: Tree) -> None:
    [check] = look_at_edge_tpus(tree.with_inference(device="edgetpu"))
    assert check.state == "problem"
    assert "lsusb" in str(check.cure)


def test_usb_device_that_was_used(tree: Tree) -> None:
    node = tree.usb()
    [check] = look_at_edge_tpus(tree.machine)
    assert (check.name, check.state, check.text) == ("edge tpu", "ok", f"USB 1-1.2, {node}, 18d1:9302")


def test_usb_device_that_was_not_used_since_it_was_plugged_in_is_well_and_explained(tree: Tree) -> None:
    tree.usb("1a6e:089a")
    [check] = look_at_edge_tpus(tree.machine)
    assert check.state == "ok"
    assert "not used since it was plugged in" in check.text


def test_slow_port_is_mentioned(tree: Tree) -> None:
    tree.usb(speed="480")
    [check] = look_at_edge_tpus(tree.machine)
    assert check.state == "ok"
    assert "USB 2 speed" in check.text


def test_pcie_device_with_its_temperature(tree: Tree) -> None:
    node = tree.apex()
    [check] = look_at_edge_tpus(tree.machine)
    assert (check.state, check.text) == ("ok", f"PCIe, {node}, 46 °C")


def test_pcie_device_without_its_driver_names_the_package(tree: Tree) -> None:
    tree.pci()
    [check] = look_at_edge_tpus(tree.machine)
    assert check.state == "problem"
    assert "gasket-dkms" in str(check.cure)


def test_more_than_one_are_all_named_and_the_choice_is_explained(tree: Tree) -> None:
    tree.usb()
    tree.usb("1a6e:089a", port="2-1", number=7)
    tree.apex()
    checks = look_at_edge_tpus(tree.machine)
    assert [check.name for check in checks] == ["edge tpu 1-1.2", "edge tpu 2-1", "edge tpu apex_0", "edge tpu"]
    assert checks[-1].state == "ok"
    assert "3 are attached" in checks[-1].text
    assert "inference.edgetpu.device" in checks[-1].text


def test_device_that_is_not_in_dev_is_a_problem_of_containers(tree: Tree) -> None:
    tree.usb().unlink()
    [check] = look_at_edge_tpus(tree.machine)
    assert check.state == "problem"
    assert "--device" in str(check.cure)


def test_device_is_not_used_where_the_configuration_says_cpu(tree: Tree) -> None:
    tree.usb()
    [check] = look_at_edge_tpus(tree.with_inference(device="cpu"))
    assert check.state == "ok"
    assert "inference.device is cpu" in check.text


@pytest.mark.parametrize(("kind", "group"), [("usb", "plugdev"), ("apex", "apex")])
def test_device_that_may_not_be_opened_and_belongs_to_root_needs_rules_and_a_group(
    tree: Tree, kind: str, group: str
) -> None:
    node = tree.usb() if kind == "usb" else tree.apex()
    node.chmod(0o644)
    [check] = look_at_edge_tpus(replace(tree.machine, may_open=lambda _: False))
    assert check.state == "problem"
    assert check.text.endswith("porch may not open it")
    lines = str(check.cure).splitlines()
    assert any("udev" in line for line in lines)
    assert f"sudo usermod -aG {group} porch" in lines
    assert "log out and in again" in lines[-1]
    assert all(shlex.split(line) for line in lines if line.startswith(("sudo", "echo", "printf")))


def test_device_of_another_group_needs_that_group_alone(tree: Tree) -> None:
    node = tree.usb()
    group = group_name(node.stat().st_gid)
    if group == "root":
        if os.geteuid() != 0:
            pytest.skip("files of this user belong to the group root")
        os.chown(node, -1, 46)
        group = group_name(46)
    node.chmod(stat.S_IFREG | 0o660)
    [check] = look_at_edge_tpus(replace(tree.machine, may_open=lambda _: False))
    assert str(check.cure).splitlines()[0] == f"sudo usermod -aG {group} porch"


def test_user_who_was_just_put_into_the_group_is_told_to_log_in_anew(tree: Tree) -> None:
    node = tree.usb()
    node.chmod(0o644)
    user = User("porch", frozenset({"porch"}), frozenset({"porch", "plugdev"}))
    [check] = look_at_edge_tpus(replace(tree.machine, user=user, may_open=lambda _: False))
    assert "usermod" not in str(check.cure)
    assert "from the next login on" in str(check.cure)
