"""A small fleet in scripts/fleet's simulator: devices and brokers are killed, and a subscriber misses nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fleet.py"


@pytest.mark.parametrize(("broker", "program", "devices"), [("mosquitto", "mosquitto", 20), ("nats", "nats-server", 6)])
def test_nothing_is_lost_when_devices_and_brokers_are_killed(broker: str, program: str, devices: int) -> None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    if shutil.which(os.environ.get("NATS_SERVER", program) if broker == "nats" else program, path=path) is None:
        pytest.skip(f"{program} is not installed (apt install {program})")
    options = f"{devices} --broker {broker} --seconds 1.5 --period 0.3 --json"
    done = subprocess.run([sys.executable, SCRIPT, *options.split()], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout)
    assert figures["failure"] is None, done.stderr
    assert (figures["lost"], figures["stated_as_lost"]) == (0, 0), figures
    assert figures["events"] > 5 * devices, figures
    if broker == "mosquitto":  # of NATS an event came before an earlier one, when one of its nodes was killed
        assert figures["out_of_order"] == 0, figures
        assert done.returncode == 0
