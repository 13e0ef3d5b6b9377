"""A store whose process is killed at any moment: what is there is whole, and the next one goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.models import write_package

from edged.models.install import install
from edged.models.store import Store, open_entry

TESTS = Path(__file__).parents[1]
KILLS = 60


def test_store_is_whole_after_every_kill(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        write_package(tmp_path / "packages" / version, manifest={"version": version})
    command = [sys.executable, "-W", "ignore", "-m", "support.store_walk", tmp_path / "state", tmp_path / "packages"]
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [*map(str, command), str(KILLS), "7"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(looks) == KILLS
    assert [look["wrong"] for look in looks if look["wrong"]] == []
    assert len({look["active"] for look in looks}) > 2  # the kills met stores that were being changed
    assert len({look["models"] for look in looks}) > 1
    store = Store(tmp_path / "state")
    open_entry(install(store, str(tmp_path / "packages" / "2.0.0")))
    assert not list((store.folder / "staging").iterdir())
