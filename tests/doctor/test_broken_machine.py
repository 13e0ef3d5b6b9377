"""A machine on which everything is broken on purpose: each finding is there, with its cure."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from faults.disk import fill, small_disk
from support.mosquitto import HOST, Mosquitto

from edged.config import MqttConfig
from edged.doctor.disk import look_at_disk
from edged.doctor.run import examine
from edged.updates.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from support.machine import Tree

FLAGS = "sys/devices/platform/soc/soc:firmware/get_throttled"


def test_disk_that_is_full_is_a_problem_that_says_how_to_make_room(tree: Tree, tmp_path: Path) -> None:
    with small_disk(tmp_path / "state") as folder:
        fill(folder)
        check = look_at_disk(replace(tree.machine, state=folder))[0]
    assert (check.name, check.state) == ("disk", "problem")
    assert check.text == f"0 MB free for {folder}"
    assert "journalctl --vacuum-size" in str(check.cure)


@pytest.mark.parametrize("usb_id", ["1a6e:089a", "18d1:9302"])
def test_everything_at_once_is_told_with_a_cure_each(tree: Tree, tmp_path: Path, usb_id: str) -> None:
    users = tmp_path / "users"
    users.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", users, "me", "right"], check=True, capture_output=True)  # noqa: S607  Debian's
    users.chmod(0o600)
    node = tree.usb(usb_id)
    tree.apex()
    tree.put(FLAGS, "50005")
    with (
        Mosquitto(tmp_path, lines=("allow_anonymous false", f"password_file {users}")) as broker,
        small_disk(tree.root / "state") as state,
    ):
        # As on a Pi that has just been switched on and found no time server: what is known to have passed is later.
        Clock(state / "registry").trust(datetime.now(UTC) + timedelta(days=2000))
        fill(state)
        machine = replace(
            tree.with_library("libnone.so.1"),
            may_open=lambda path: path != node,
            mqtt=MqttConfig.model_validate({"host": HOST, "port": broker.port, "username": "me", "password": "wrong"}),
        )
        checks = examine(machine)
    found = {check.name: check for check in checks if check.wants_action}
    cures = {
        "edge tpu 1-1.2": "usermod -aG plugdev porch",
        "libedgetpu": "sudo apt install libedgetpu1-std",
        "broker": "mosquitto_passwd",
        "clock": "timedatectl set-ntp true",
        "power supply": "official power supply",
        "disk": "make room",
    }
    assert cures.keys() <= found.keys()
    for name, cure in cures.items():
        assert cure in str(found[name].cure), name
    assert all(check.cure for check in found.values())
    assert usb_id in found["edge tpu 1-1.2"].text
    assert all(check.state == "ok" for check in checks if check.name == "edge tpu apex_0")
