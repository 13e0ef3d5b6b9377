"""`edged label` with file names and label texts that want to do more than be read."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import write_package
from support.pictures import encoded

ROOT = Path(__file__).parents[2]
RED = encoded(np.full((20, 30, 3), (255, 102, 51), np.uint8))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_package(tmp_path / "model", member={"threshold": 0.1})


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "edged", "label", "--threads", "1", *map(str, words)]


def label(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*words), capture_output=True, check=False, cwd=ROOT, env={**os.environ, **environment}, timeout=60
    )


def lines(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


NAMES = [b"line\nbreak.png", b"\x1b[2J\x1b[31mred.png", b"\xff\xfe.png", "кот [bold].png".encode(), b"tab\t.png"]


def test_file_names_of_any_bytes_do_no_harm_and_come_back_from_the_json(model: Path, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "names")
    os.mkdir(folder)  # noqa: PTH102  bytes
    for name in NAMES:
        with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(RED)
    for environment in (
        {},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ):
        done = label("--model", model, "--json", tmp_path / "names", **environment)
        assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
        assert sorted(os.path.basename(os.fsencode(line["file"])) for line in lines(done)) == sorted(NAMES)  # noqa: PTH119
        table = label("--model", model, tmp_path / "names", **environment)
        assert (table.returncode, table.stderr.count(b"\n")) == (0, 1)
        assert len(table.stdout.splitlines()) == len(NAMES)
        assert b"\x1b" not in table.stdout
    rows = csv.reader(label("--model", model, "--csv", tmp_path / "names", PYTHONIOENCODING="ascii").stdout.decode(
        "utf-8", "surrogateescape").splitlines(keepends=True))  # fmt: skip
    assert {os.path.basename(os.fsencode(row[0])) for row in rows} - {b"file"} == set(NAMES)  # noqa: PTH119
    assert "кот [bold].png  red 1.00" in label("--model", model, tmp_path / "names").stdout.decode()


def test_label_texts_cannot_command_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(RED)
    model = write_package(tmp_path / "evil", labels="\x1b[31mred\n[bold]green[/]\n\u202eblue\n")
    done = label("--model", model, tmp_path / "a.png")
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert "[bold]green[/] 0.40" in done.stdout.decode()
    assert "\u202e" not in done.stdout.decode()
