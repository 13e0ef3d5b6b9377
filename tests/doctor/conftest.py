"""A machine in a folder, and libraries of a few lines."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.machine import Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "root"
    root.mkdir()
    return Tree(root)


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a library of a few lines of C. Gives its path."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (apt install gcc)")

    def make(source: str) -> Path:
        library = tmp_path / "libedgetpu.so.1"
        command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
        subprocess.run(command, input=source, text=True, check=True)
        return library

    return make
