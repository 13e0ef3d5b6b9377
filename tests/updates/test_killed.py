"""SIGKILL at moments drawn at random, from a device's first poll to its package: the next start goes on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from support.signed_registry import FILES, Package, SignedRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from support.static_server import StaticServer

KILLS = 12
DEVICE = """
import os, random, shutil, signal, sys, time
from pathlib import Path
from edged.updates.registry import Asking
from edged.updates.tuf_registry import Place, TufRegistry

url, root, state, kills = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

def take():
    registry = TufRegistry(Place(url, root, "stable"), state / "state")
    update = registry.poll(Asking("porch-pi", "birds")).update
    return registry.fetch(update, state / "incoming", lambda have, of: None, lambda: False)

began = time.monotonic()
take()
usual = time.monotonic() - began
draw = random.Random(7)
for _ in range(kills):
    for part in ("state", "incoming"):
        if draw.random() < 0.7:  # else it goes on from what the last one left
            shutil.rmtree(state / part)
    child = os.fork()
    if not child:
        take()
        signal.pause()
    time.sleep(draw.uniform(0.0, 1.2 * usual))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(" ".join(sorted(f"{path.name}:{path.stat().st_size}" for path in take().iterdir())), flush=True)
"""


def test_device_that_is_killed_goes_on(operator: SignedRegistry, server: StaticServer, tmp_path: Path) -> None:
    package = Package(files={**FILES, "birds.tflite": FILES["birds.tflite"] * 10})
    operator.offer(package)
    arguments = (server.url, operator.folder / "root.json", tmp_path / "device", str(KILLS))
    done = subprocess.run((sys.executable, "-c", DEVICE, *arguments), capture_output=True, text=True, check=True)
    files = {**package.files, "model.yaml": package.manifest}
    whole = " ".join(sorted(f"{name}:{len(data)}" for name, data in files.items()))
    assert done.stdout.splitlines() == [whole] * KILLS
