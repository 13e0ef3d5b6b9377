"""Which scripts the committed package was built by: so that a test knows without building it anew."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "built_from.txt"


def fingerprint(base: Path) -> str:
    """The sha256 over every script and pinned version that the files depend on. base: the folder of build.py."""
    scripts = sorted([base / "build.py", base / "requirements.txt", *(base / "base_model").glob("*.py")])
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(base)}\n" for path in scripts)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write(base: Path) -> None:
    """State that the package in this folder was built by the scripts in it."""
    (base / FILE).write_text(fingerprint(base) + "\n", encoding="ascii")


def read(base: Path) -> str:
    """What was stated last."""
    return (base / FILE).read_text(encoding="ascii").strip()
