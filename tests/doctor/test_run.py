"""Checks that fail or hang, and children that do."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edged.config import CameraConfig
from edged.doctor.check import Check
from edged.doctor.child import run_child
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


@pytest.mark.parametrize(
    ("program", "fate"),
    [
        ("print('well')", None),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
        ("import os; os.abort()", "crashed (SIGABRT)"),
        ("import time; time.sleep(60)", "did not end within 1 s"),
    ],
)
def test_child_and_its_fate(program: str, fate: str | None) -> None:
    ended = run_child([sys.executable, "-S", "-c", program], 1.0 if "sleep" in program else 30.0)
    assert ended.fate == fate
    assert ended.output.strip() == ("well" if fate is None else "")


def test_child_whose_own_child_goes_on_is_ended_with_it() -> None:
    start = time.monotonic()
    ended = run_child(["/bin/sh", "-c", "sleep 60 & echo started"], 1.0)
    assert ended.fate == "did not end within 1 s"
    assert time.monotonic() - start < 10


def test_program_that_is_not_there_has_a_fate_too() -> None:
    assert run_child(["/none/python"], 1.0).fate == "cannot be started: No such file or directory"
