"""What every command has in common: its output, its errors, Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.models import write_package
from support.mosquitto import free_port, until
from support.pictures import encoded, smooth

from edged.cli.main import main

ROOT = Path(__file__).parents[2]
EDGED = f"{shlex.quote(sys.executable)} -m edged"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f"exec {EDGED} {line}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "edged.yaml"
    path.write_text(
        f"mqtt: {{host: 127.0.0.1, port: {free_port()}}}\nstate: {tmp_path}/state\n"
        f"inference: {{threads: 1}}\ncameras: {{a: {{source: {tmp_path}}}}}\n"
    )
    return path


def test_closed_output_is_as_dev_null(config: Path) -> None:
    for closed in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
        done = shell(f"check -c {config} {closed}")
        assert (done.returncode, done.stderr) == (0, ""), closed
    assert shell("check -c nowhere.yaml 2>&-").returncode == 78


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["check -c {config}", "label --json {photo} --model {model}", "demo --seconds 20"])
def test_full_output_is_73_with_the_reason(tmp_path: Path, config: Path, words: str, unbuffered: str) -> None:
    (tmp_path / "a.png").write_bytes(encoded(smooth(8, 6)))
    model = write_package(tmp_path / "model")
    line = words.format(config=config, photo=tmp_path / "a.png", model=model)
    done = shell(f"{line} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (73, "edged: cannot write: No space left on device\n")


@pytest.mark.parametrize("words", ["check -c nowhere.yaml", "run -c nowhere.yaml", "bench --threads 0"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_error_output_is_73_in_silence(words: str, unbuffered: str) -> None:
    done = shell(f"{words} 2>/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout) == (73, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_help_to_a_full_output_is_73(unbuffered: str) -> None:
    assert shell("--help >/dev/full", PYTHONUNBUFFERED=unbuffered).returncode == 73


def test_error_that_ends_a_command_is_json_where_the_log_is(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("device: A\nmqtt: {port: x}\n")
    plain = shell(f"run -c {tmp_path}/bad.yaml")
    done = shell(f"run --log-json -c {tmp_path}/bad.yaml")
    assert plain.returncode == done.returncode == 78
    assert plain.stderr.startswith(f"edged: {tmp_path}/bad.yaml:1: device: ")
    (line,) = done.stderr.splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error"
    assert f"edged: {entry['message']}\n" == plain.stderr


@pytest.mark.parametrize("command", ["models list", "registry show models", "check", "models"])
def test_unknown_words_are_told_by_the_command_that_does_not_know_them(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([*command.split(), "--nonsense"]) == 64
    whose = {"registry show models": "registry show"}.get(command, command)
    assert capsys.readouterr().err.endswith(f"Try 'edged {whose} --help'.\n")


def test_error_cannot_command_the_terminal() -> None:
    done = shell("label --model \"$(printf '\\033[31mred')\" a.png")
    assert done.returncode == 65
    assert done.stderr.rstrip("\n").isprintable()


def signals(pid: int, kind: str) -> int:
    """The set of signals that a process catches (SigCgt) or ignores (SigIgn)."""
    return int(Path(f"/proc/{pid}/status").read_text().split(f"{kind}:")[1].split()[0], 16)


def has_begun(pid: int) -> bool:
    """Python ignores SIGPIPE and catches SIGINT as it starts; edged's first act is to let go of SIGINT."""

    def holds(kind: str, number: signal.Signals) -> bool:
        return bool(signals(pid, kind) & 1 << (number - 1))

    def begun() -> bool:
        return holds("SigIgn", signal.SIGPIPE) and not holds("SigCgt", signal.SIGINT)

    return begun() and begun()


@pytest.mark.parametrize("command", ["run", "label"])
def test_ctrl_c_at_any_moment_of_the_start_ends_it_quietly(tmp_path: Path, config: Path, command: str) -> None:
    for name in range(50):
        (tmp_path / f"{name}.png").write_bytes(encoded(smooth(8, 6)))
    words = ["-c", str(config)] if command == "run" else [str(tmp_path)] * 1000
    for moment in range(20):
        with subprocess.Popen(
            [sys.executable, "-m", "edged", command, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        ) as process:
            until(lambda process=process: has_begun(process.pid))  # type: ignore[misc]
            time.sleep(moment * 0.05)
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=10)
        assert "Traceback" not in said, moment
        assert "Exception ignored" not in said, moment
        assert process.returncode in ({-2, 0} if command == "run" else {-2, 130}), (moment, said)
        _, left = psutil.wait_procs(children, timeout=3)
        assert not left, moment


def test_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(smooth(8, 6)))
    words = shlex.join(["label", "--model", str(write_package(tmp_path / "m")), *[str(tmp_path / "a.png")] * 500])
    with subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' INT; exec {EDGED} {words}"], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
