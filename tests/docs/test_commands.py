"""Every command in the documentation is one that edged takes; those that can run here, do."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from typing import TYPE_CHECKING

import pytest
from support.documents import PAGES, Command, calls, commands, name
from support.label_command import GREEN, RED
from support.models import TinyModel, tiny_model

from edged.cli.main import build_parser, main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ALL = [command for page in PAGES for command in commands(page)]
FENCED = [command for command in ALL if command.fenced]

# Why a command is not run here, by what it begins with. What it does is tested all the same, as it says.
NOT_RUN: Mapping[str, str] = {
    "bench": "measures this machine for some seconds: tests/cli/test_bench.py",
    "demo": "runs until it is told to stop: tests/cli/test_demo.py",
    "doctor": "takes seconds, and looks at the machine of whoever tests: tests/cli/test_doctor.py",
    "install": "changes the system: tests/installation",
    "label --csv --output labels.csv --skip-labelled ~": "another's photos",
    "label --xmp": "another's photos; tests/test_labelling_page.py runs the like",
    "label --json --threshold 0.3 --allow": "a script's files: tests/docs/test_configurations.py runs it",
    "label --model /var/lib/edged/models/DIGEST": "stands for a digest",
    "models compile": "needs Coral's compiler: tests/models/test_compile.py",
    "models install coral": "downloads: tests/models/test_install.py",
    "models rollback": "after a download: tests/cli/test_models.py",
    "models show coral": "after a download: tests/cli/test_models.py",
    "models update": "needs a registry that is served: tests/cli/test_models_update.py",
    "models use coral": "after a download: tests/cli/test_models.py",
    "registry": "on docs/registry.md one after the other, with keys: tests/cli/test_registry.py",
    "run": "the daemon: tests/test_daemon.py",
    "uninstall": "changes the system: tests/installation",
    "watch": "needs a broker: tests/cli/test_watch.py",
}
ELSEWHERE = {"docs/labelling.md": "tests/test_labelling_page.py runs the whole page"}


def parse(words: tuple[str, ...]) -> str | None:
    """What the command line has against the words; None: nothing."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            build_parser().parse_args(list(words))
        except SystemExit as end:
            return None if end.code == 0 else said.getvalue()
    return None


def reason(command: Command) -> str | None:
    """Why it is not run here."""
    line = " ".join(command.words)
    if command.page in ELSEWHERE:
        return ELSEWHERE[command.page]
    if command.page == "README.md" and line.startswith(("registry init", "registry publish")):
        return None
    return next((why for begin, why in NOT_RUN.items() if f"{line} ".startswith(f"{begin}")), None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sudo -u edged /opt/edged/bin/edged doctor", [("doctor",)]),
        ("edged label --json a.jpg > b.jsonl  # comment", [("label", "--json", "a.jpg")]),
        ("find . | xargs -0 edged label --json | jq .", [("label", "--json", "FILE")]),
        ("NO_COLOR=1 edged watch && edged check", [("watch",), ("check",)]),
        ("edged models pack … --output DIR", []),
        ("it is edged's own", []),
    ],
)
def test_commands_are_found_in_lines_of_shell(line: str, words: list[tuple[str, ...]]) -> None:
    assert list(calls(line)) == words


def test_there_are_commands() -> None:
    assert len(FENCED) > 40
    assert {command.page for command in ALL} >= {"README.md", "docs/tutorial/first-pi.md", "docs/models.md"}


@pytest.mark.parametrize("command", FENCED, ids=str)
def test_command_to_be_copied_is_taken(command: Command) -> None:
    assert parse(command.words) is None, command


@pytest.mark.parametrize("command", [one for one in ALL if not one.fenced], ids=str)
def test_command_that_is_mentioned_is_known_with_its_options(command: Command) -> None:
    parser: argparse.ArgumentParser = build_parser()
    words = [word for word in command.words if word != "|"]
    while words and (groups := [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]):  # noqa: SLF001
        assert words[0] in groups[0].choices, command
        parser = groups[0].choices[words.pop(0)]
    options = [word for word in words if re.match(r"--?[a-z]", word)]
    assert set(options) <= set(parser._option_string_actions), command  # noqa: SLF001


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the pages speak of."""
    folder = tmp_path / "stage"
    (folder / "holiday").mkdir(parents=True)
    for photo, data in (("photo.jpg", GREEN), ("cat.jpg", GREEN), ("rose.jpg", RED), ("holiday/sea.png", GREEN)):
        (folder / photo).write_bytes(data)
    (folder / "flowers.tflite").write_bytes(tiny_model(TinyModel()))
    (folder / "flowers.txt").write_text("Rose\nLeaf\nSky\n")
    (folder / "edged.yaml").write_text("cameras: {a: {source: holiday}}\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EDGED_CONFIG", str(folder / "edged.yaml"))
    monkeypatch.setenv("EDGED_STATE", str(tmp_path / "state"))
    return folder


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(c.page == name(p) and not reason(c) for c in FENCED)], ids=name
)
def test_commands_of_the_page_run_one_after_the_other(stage: Path, page: Path) -> None:
    for command in (one for one in FENCED if one.page == name(page) and reason(one) is None):
        words = [word.replace("/etc/edged/", f"{stage}/") for word in command.words]
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = main(words)
        assert code == 0, f"{command}\n{said.getvalue()}"
