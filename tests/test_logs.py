"""Log lines: for people, for machines, and never a command to the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import logging, sys
from edged.logs import configure_logging
configure_logging("info", as_json=sys.argv[1] == "json")
logging.warning("file %s", "\\x1b[2J\\x9b31m\\x7f\\u202e\\udcff.jpg кот")
logging.error("one\\ntwo")
try:
    raise ValueError("\\x1b[31m")
except ValueError:
    logging.exception("failed")
"""


def said(kind: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind], capture_output=True, check=True, cwd=ROOT, env={**os.environ}, timeout=30
    )
    assert done.stdout == b""
    return done.stderr.decode()


@pytest.mark.parametrize("kind", ["text", "json"])
def test_no_line_holds_a_control_character(kind: str) -> None:
    text = said(kind)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "кот" in text


def test_lines_of_a_message_and_tracebacks_stay_readable() -> None:
    lines = said("text").splitlines()
    assert lines[1].endswith("ERROR   one")
    assert lines[2] == "two"
    assert lines[3].endswith("ERROR   failed")
    assert "Traceback (most recent call last):" in lines


def test_json_is_one_object_a_line_with_everything_in_it() -> None:
    file, two, failed = map(json.loads, said("json").splitlines())
    assert file.keys() == {"time", "level", "logger", "message"}
    assert file["time"].endswith("Z")
    assert file["level"] == "warning"
    assert two["message"] == "one\ntwo"
    assert "ValueError: \x1b[31m" in failed["exception"]


def test_a_library_that_thinks_aloud_is_heard_from_a_warning_on() -> None:
    script = SCRIPT.partition("logging.warning")[0] + (
        "for name in ('tuf.api.metadata', 'securesystemslib.signer', 'asyncio'):\n"
        "    logging.getLogger(name).info('info of %s', name)\n"
        "    logging.getLogger(name).warning('warning of %s', name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "text"], capture_output=True, text=True, check=True, cwd=ROOT, timeout=30
    )
    assert [line.split()[-1] for line in done.stderr.splitlines()] == [
        "tuf.api.metadata",
        "securesystemslib.signer",
        "asyncio",
    ]
    assert "info of" not in done.stderr
