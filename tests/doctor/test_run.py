"""Checks that fail or hang."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edged.config import CameraConfig
from edged.doctor.check import Check
from edged.doctor.run import Subject, examine

if TYPE_CHECKING:
    from support.machine import Tree

    from edged.doctor.machine import Machine


def well(_: Machine) -> list[Check]:
    return [Check("well", "ok", "fine")]


def broken(_: Machine) -> list[Check]:
    raise ValueError("nobody thought of rtsp://user:hunter2@cam/x")


def test_check_that_raises_is_a_problem_and_spoils_no_other(tree: Tree) -> None:
    camera = CameraConfig.model_validate({"source": "rtsp://user:hunter2@cam/x"})
    machine = replace(tree.machine, cameras={"porch": camera})
    checks = examine(machine, [Subject("broken", broken), Subject("well", well)])
    assert [check.name for check in checks] == ["broken", "well"]
    assert checks[0].state == "problem"
    assert checks[0].text == "could not be checked: ValueError: nobody thought of rtsp://***@cam/x"
    assert "report" in str(checks[0].cure)


def test_check_that_hangs_is_a_problem_and_left_behind(tree: Tree) -> None:
    over = threading.Event()

    def hangs(_: Machine) -> list[Check]:
        over.wait(30)
        return []

    start = time.monotonic()
    checks = examine(tree.machine, [Subject("hangs", hangs, 0.2), Subject("well", well)])
    over.set()
    assert time.monotonic() - start < 10
    assert [(check.name, check.state) for check in checks] == [("hangs", "problem"), ("well", "ok")]
    assert "0.2 s" in checks[0].text


def test_checks_are_made_at_the_same_time(tree: Tree) -> None:
    both = threading.Barrier(2)

    def meets(_: Machine) -> list[Check]:
        both.wait(20)
        return []

    assert examine(tree.machine, [Subject("one", meets), Subject("two", meets)]) == []
