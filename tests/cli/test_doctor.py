"""`edged doctor`, as a user calls it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edged.cli.doctor import PLAIN, _marks, _print
from edged.doctor.check import Check

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60


def doctor(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", "doctor", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={key: value for key, value in os.environ.items() if key != "EDGED_CONFIG"} | environment,
        timeout=SECONDS,
    )


def configuration(folder: Path, more: str = "") -> Path:
    """One with a camera that works, on a machine without an Edge TPU."""
    (folder / "photos").mkdir(exist_ok=True)
    (folder / "photos/a.jpg").touch()
    path = folder / "edged.yaml"
    path.write_text(f"state: {folder}/state\n{more}\ncameras:\n  a: {{source: photos}}\n")
    return path


def test_machine_that_is_well_is_exit_0(tmp_path: Path) -> None:
    path = configuration(tmp_path, "inference: {device: cpu}")
    done = doctor("-c", str(path))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == f"✓ configuration  {path}: right, with 1 camera"
    assert f"✓ camera a       {tmp_path}/photos: a folder of 1 photo" in lines
    assert "\033" not in done.stdout  # plain, as it is no terminal
    if done.returncode == 0:  # this machine may be hot, or its disk full
        assert lines[-1] == "all is well"


def test_findings_are_exit_1_with_the_cure_below_each(tmp_path: Path) -> None:
    path = configuration(tmp_path, "inference: {device: edgetpu, edgetpu: {library: libnone.so.1}}")
    done = doctor("-c", str(path))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("✗ libedgetpu"))
    assert "cannot open shared object file" in lines[at]
    assert lines[at + 1].strip() == "sudo apt install libedgetpu1-std"
    assert lines[at + 1].startswith(" " * 10)
    assert "problem" in lines[-1]


def test_json_is_one_object_with_every_check(tmp_path: Path) -> None:
    path = configuration(tmp_path, "inference: {device: cpu}")
    told = json.loads(doctor("-c", str(path), "--json").stdout)
    assert told["schema"] == 1
    assert all(set(finding) == {"name", "state", "text", "cure"} for finding in told["findings"])
    assert {finding["state"] for finding in told["findings"]} <= {"ok", "warning", "problem", "absent"}
    names = [finding["name"] for finding in told["findings"]]
    assert names[:2] == ["configuration", "runtime"]
    assert {"edge tpu", "libedgetpu", "model", "camera a", "temperature", "power supply", "disk"} <= set(names)


def test_wrong_configuration_is_a_finding_and_the_rest_is_looked_at_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "edged.yaml"
    path.write_text("mqtt: {port: x}\ncameras: {a: {source: 'gopher://u:hunter2@h'}}\n")
    done = doctor("-c", str(path), "--json")
    assert done.returncode == 1
    findings = json.loads(done.stdout)["findings"]
    assert [finding["name"] for finding in findings][:3] == ["configuration", "configuration", "runtime"]
    assert findings[0]["text"].startswith(f"{path}:1: mqtt.port: ")
    assert "hunter2" not in done.stdout


def test_named_configuration_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    done = doctor("--json", EDGED_CONFIG=str(tmp_path / "none.yaml"))
    assert done.returncode == 1
    first = json.loads(done.stdout)["findings"][0]
    assert first["state"] == "problem"
    assert "no such file" in first["text"]


def test_no_configuration_at_all_is_no_finding() -> None:
    if os.path.exists("/etc/edged/edged.yaml"):  # noqa: PTH110
        pytest.skip("this machine has a configuration")
    first = json.loads(doctor("--json").stdout)["findings"][0]
    assert first["state"] == "absent"
    assert "no configuration yet" in first["text"]


def test_secrets_of_a_camera_do_not_come_out(tmp_path: Path) -> None:
    path = tmp_path / "edged.yaml"
    path.write_text("cameras: {a: {source: 'rtsp://user:hunter2@127.0.0.1:9/x?key=topsecret'}}\n")
    for words in ((), ("--json",)):
        done = doctor("-c", str(path), *words)
        assert done.returncode == 1
        assert "rtsp://***@127.0.0.1:9/x" in done.stdout
        assert "hunter2" not in done.stdout
        assert "topsecret" not in done.stdout


def test_one_cure_of_several_findings_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    _print(
        [
            Check("configuration", "problem", "one", "mend the file"),
            Check("configuration", "problem", "two", "mend the file"),
            Check("disk", "warning", "three", "mend the file"),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == ["one", "two", "file", "three", "file", "warning"]


def test_long_lines_hang_beside_the_name_in_a_terminal_and_commands_stay_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "60"}.items():
        monkeypatch.setenv(name, value)
    command = "sudo apt install " + "something-with-a-long-name " * 3
    _print([Check("disk", "warning", "a long line of words " * 6, command.rstrip())])
    lines = re.sub(r"\033\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert lines[0].startswith("! disk  a long")
    assert all(line.startswith(" " * 8) and line[8].isalpha() for line in lines[1:-1])
    assert all(len(line) <= 60 for line in lines[:-2])
    assert len(lines) > 4
    assert lines[-2] == " " * 8 + command.rstrip()


def test_marks_are_plain_where_the_terminal_has_no_others() -> None:
    assert _marks("utf-8")["ok"] == "✓"
    assert _marks("latin-1") == PLAIN
