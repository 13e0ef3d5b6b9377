"""`edged label` as a user calls it, and a small model and photos to call it with."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from edged.cli.main import main
from support.models import write_package
from support.pictures import encoded

ROOT: Final = Path(__file__).parents[2]
RED: Final = encoded(np.full((20, 30, 3), (255, 102, 51), np.uint8))  # red 1.0, green 0.4, blue 0.2
GREEN: Final = encoded(np.full((20, 30, 3), (0, 255, 0), np.uint8))


def colours(folder: Path, **options: Any) -> Path:  # noqa: ANN401  a package's own
    """A model that tells a picture's red, green and blue."""
    return write_package(folder / "model", member={"threshold": 0.1}, **options)


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "edged", "label", "--threads", "1", *map(str, words)]


def label(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*words), capture_output=True, check=False, cwd=ROOT, env={**os.environ, **environment}, timeout=60
    )


def objects(text: bytes) -> list[dict[str, Any]]:
    """The objects of `--json`."""
    return [json.loads(line) for line in text.splitlines()]


def call(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """As `label`, within this process: four times as fast."""
    argv = ["label", "--threads", "1", *map(str, words)]
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        code = main(argv)
    said = []
    for stream in streams:
        stream.seek(0)
        said.append(stream.buffer.read())
    return subprocess.CompletedProcess(argv, code, *said)
