"""A daemon that has its models from a test's registry, and whose worker does what a model file's name says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from support.daemon import Daemon
from support.fleet_registry import NAME

if TYPE_CHECKING:
    from support.mosquitto import Mosquitto

WORKER = Path(__file__).with_name("named_worker.py")


def make_updating_device(  # noqa: PLR0913  as the configuration has them
    folder: Path, broker: Mosquitto, photos: Path, registry: str, *, name: str = NAME, probation: str
) -> Daemon:
    """Not started. `registry`: the keys of its section beside `probation`, as YAML."""
    more = f"model: {{name: {name}}}\nregistry: {{{registry}, probation: {{{probation}}}}}\n"
    daemon = Daemon(folder, broker.port, f"  a: {{source: {photos}, fps: 50, labels: {{threshold: 0}}}}", more=more)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{WORKER}" "$@"\n')
    python.chmod(0o755)
    text = daemon.config.read_text("utf-8").replace("deadline: 1s", f"deadline: 1s, python: {python}")
    daemon.config.write_text(text, "utf-8")
    return daemon
