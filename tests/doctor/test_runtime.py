"""The runtime, asked of interpreters that have one, have none, or are none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from edged.doctor.runtime import look_at_runtime

if TYPE_CHECKING:
    from pathlib import Path

    from support.machine import Tree


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def interpreter_that_says(path: Path, version: str) -> Path:
    """An interpreter that can only tell its version, as `MAJOR MINOR BITS`."""
    return script(
        path, f'case "$2" in *version_info*) echo {version} ;; *) echo "No module named numpy" >&2; exit 1 ;; esac'
    )


def test_runtime_of_this_interpreter(tree: Tree) -> None:
    [check] = look_at_runtime(tree.machine)
    assert check.state == "ok"
    assert check.text.startswith("ai_edge_litert ")
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in check.text


@pytest.mark.parametrize(
    ("version", "runtime", "cure"),
    [
        ("3 11 64", "auto", "{} -m pip install ai-edge-litert numpy"),
        ("3 13 64", "ai-edge-litert", "{} -m pip install ai-edge-litert numpy"),
        ("3 9 64", "auto", "{} -m pip install tflite-runtime 'numpy<2'"),
        ("3 9 64", "ai-edge-litert", "ai-edge-litert begins at Python 3.10"),
        ("3 11 64", "tflite-runtime", "{} -m pip install tflite-runtime 'numpy<2'"),
        ("3 13 64", "tflite-runtime", "tflite-runtime stops at Python 3.11"),
        ("3 11 64", "pycoral", "pycoral stops at Python 3.9"),
        ("3 9 64", "pycoral", "coral.ai/software"),
        ("3 7 64", "auto", "too old"),
        ("3 11 32", "auto", "32-bit"),
    ],
)
def test_missing_runtime_names_what_can_be_had_for_that_python(
    tree: Tree, tmp_path: Path, version: str, runtime: str, cure: str
) -> None:
    python = interpreter_that_says(tmp_path / "python", version)
    [check] = look_at_runtime(tree.with_inference(python=str(python), runtime=runtime))
    assert check.state == "problem"
    assert "No module named numpy" in check.text
    assert cure.format(python) in str(check.cure)


def test_configured_runtime_that_is_not_installed_here(tree: Tree) -> None:
    [check] = look_at_runtime(tree.with_inference(runtime="pycoral"))
    assert check.state == "problem"
    assert "No module named 'pycoral'" in check.text
    assert "pid" not in check.text


def test_interpreter_that_is_not_there(tree: Tree, tmp_path: Path) -> None:
    [check] = look_at_runtime(tree.with_inference(python=str(tmp_path / "none")))
    assert check.state == "problem"
    assert "cannot be started" in check.text
    assert "inference.python" in str(check.cure)


def test_interpreter_that_is_no_python(tree: Tree, tmp_path: Path) -> None:
    [check] = look_at_runtime(tree.with_inference(python=str(script(tmp_path / "python", "true"))))
    assert check.state == "problem"
    assert "is no Python" in check.text
