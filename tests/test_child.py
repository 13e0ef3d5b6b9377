"""Children that crash, hang or are not there."""

from __future__ import annotations

import sys
import time

import pytest

from edged.child import run_child


@pytest.mark.parametrize(
    ("program", "fate"),
    [
        ("print('well')", None),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
        ("import os; os.abort()", "crashed (SIGABRT)"),
        ("import os; os.kill(os.getpid(), 40)", "crashed (signal 40)"),
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


def test_argument_that_no_program_can_be_given_has_a_fate_too() -> None:
    assert run_child(["/bin/echo", "a\0b"], 1.0).fate == "cannot be started: embedded null byte"
