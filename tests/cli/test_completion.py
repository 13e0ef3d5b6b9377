"""Completion and manual: made from the command line itself, right, and not out of date."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edged.cli.completion import FILES
from edged.cli.main import main

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "share/man/man1/edged.1"


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (apt install {name})")
    return path


def say(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_what_is_kept_is_what_the_command_line_gives_now(tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    subprocess.run([sys.executable, "scripts/share.py", tmp_path], cwd=ROOT, check=True, timeout=60)
    for made in (path for path in tmp_path.rglob("*") if path.is_file()):
        kept = ROOT / made.relative_to(tmp_path)
        assert kept.read_text("utf-8") == made.read_text("utf-8"), f"{kept} is out of date: scripts/share"


@pytest.mark.parametrize("shell", FILES)
def test_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == (ROOT / FILES[shell]).read_text("utf-8")


def test_shell_that_is_not_known_is_64(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 64
    assert "bash" in capsys.readouterr().err


def in_bash(*words: str) -> list[str]:
    call = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_edged; printf "%s\\n" "${COMPREPLY[@]}"'
    script = f". {FILES['bash']}; {call}"
    return [line.strip() for line in say(program("bash"), "--norc", "-c", script, "edged", *words).splitlines()]


def in_fish(*words: str) -> list[str]:
    script = f"source {FILES['fish']}; complete -C '{' '.join(words)}'"
    return [line.partition("\t")[0] for line in say(program("fish"), "--no-config", "-c", script).splitlines()]


@pytest.mark.parametrize("complete", [in_bash, in_fish])
def test_commands_and_options_are_completed(complete: object) -> None:
    assert callable(complete)
    assert "watch" in complete("edged", "wat")
    assert {"rollback", "remove"} <= set(complete("edged", "models", "r"))
    assert "--password-file" in complete("edged", "watch", "--pass")


def test_files_are_completed_in_bash() -> None:
    assert "README.md" in in_bash("edged", "run", "-c", "READM")


def test_zsh_takes_its_script() -> None:
    assert say(program("zsh"), "-n", FILES["zsh"]) == ""


def test_manual_is_without_fault() -> None:
    assert say(program("mandoc"), "-T", "lint", "-W", "warning", str(MANUAL)) == ""


def test_manual_is_read_by_man_without_a_warning() -> None:
    groff = program("groff")
    done = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", "-z", "-Kutf8", MANUAL],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_manual_names_every_command() -> None:
    text = MANUAL.read_text("ascii")
    for command in (
        "demo",
        "run",
        "check",
        "label",
        "watch",
        "models install",
        "registry publish",
        "doctor",
        "completion",
    ):
        assert f".SS edged {command}" in text, command
