"""Every example of docs/labelling.md, run as it stands."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from typing import TYPE_CHECKING

import pytest
from support.label_command import GREEN, RED, ROOT, call
from support.models import write_package
from support.pictures import encoded, noise
from support.videos import write_video

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "labelling.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
CONSOLE = [
    re.findall(r"^\$ (.+)$", block, re.MULTILINE)
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
]
NEEDS_BASE = pytest.mark.skipif(
    not (ROOT / "models" / "base" / "model.yaml").exists(), reason="models/base has not been built"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page says is there."""
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "sea.png").write_bytes(GREEN)
    (tmp_path / "holiday" / "sun.png").write_bytes(RED)
    (tmp_path / "cat.jpg").write_bytes(encoded(noise(320, 240), "JPEG"))
    write_video(tmp_path / "clip.mp4")
    write_package(tmp_path / "colours", member={"threshold": 0.1})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_page_has_examples() -> None:
    assert (len(PYTHON), len(CONSOLE)) == (4, 3)


@NEEDS_BASE
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_example_runs(code: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs/labelling.md", "exec"), {})  # noqa: S102  the page's own
    if "process_many" in code:
        assert "sea.png ['green']" in said.getvalue()
        assert "nowhere.jpg: No such file or directory" in said.getvalue()


@NEEDS_BASE
@pytest.mark.parametrize("commands", CONSOLE, ids=range(len(CONSOLE)))
def test_commands_run_one_after_the_other(folder: Path, commands: list[str]) -> None:
    for command in commands:
        edged, *words = shlex.split(command.partition(" > ")[0])
        done = call(*words[1:])
        assert (edged, words[0], done.returncode) == ("edged", "label", 0), done.stderr.decode()
    if "--xmp" in commands[0]:
        assert {path.name for path in (folder / "holiday").glob("*.xmp")} == {"sea.png.xmp", "sun.png.xmp"}
        assert b"2 skipped" in call(*shlex.split(commands[1])[2:]).stderr
