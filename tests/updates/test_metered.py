"""Metered connections, as NetworkManager says it over D-Bus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from edged.updates import metered
from edged.updates.metered import is_metered

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, text: str) -> str:
    """In the place of busctl."""
    path = folder / "busctl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("value", "expected"), [("u 1", True), ("u 3", True), ("u 0", False), ("u 2", False), ("u 4", False), ("", False)]
)
def test_networkmanagers_word_counts(tmp_path: Path, value: str, *, expected: bool) -> None:
    said = 'test "$3" = --timeout=5 && test "$8" = Metered && echo "' + value + '"'
    assert is_metered(program(tmp_path, said)) is expected


@pytest.mark.parametrize("text", ["echo u 1; exit 1", "printf '\\377\\376'", "kill -9 $$"])
def test_whatever_fails_is_not_metered(tmp_path: Path, text: str) -> None:
    assert not is_metered(program(tmp_path, text))


def test_machine_without_busctl_is_not_metered() -> None:
    assert not is_metered("no-such-busctl")


def test_silent_bus_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metered, "SECONDS", -0.8)
    began = time.monotonic()
    assert not is_metered(program(tmp_path, "exec sleep 20"))
    assert time.monotonic() - began < 5


def test_this_machine_is_asked_in_bounded_time() -> None:
    began = time.monotonic()
    is_metered()
    assert time.monotonic() - began < metered.SECONDS + 2
