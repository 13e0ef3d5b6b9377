"""The flow of docs/how-to/node-red.md in a real Node-RED: $EDGED_NODE_RED names its program (npm install node-red)."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from support.documents import PAGES, blocks
from support.mosquitto import free_port, until

from edged.labeling.label import ModelRef
from edged.mqtt.event_messages import Event, Happening, event_payload

if TYPE_CHECKING:
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

START_SECONDS = 60.0
SETTINGS = "module.exports = {uiHost: '127.0.0.1', uiPort: %d, telemetry: {enabled: false}};"


def flow(port: int) -> str:
    """As the page has it, with the test's broker; what it says goes to the standard output too."""
    pages = [page for page in PAGES if page.name == "node-red.md"]
    [block] = [block for page in pages for block in blocks(page) if block.kind == "json"]
    nodes = json.loads(block.text)
    for node in nodes:
        if node["type"] == "mqtt-broker":
            node |= {"broker": "127.0.0.1", "port": str(port)}
        if node["type"] == "debug":
            node["console"] = True
    return json.dumps(nodes)


def appeared(subscriber: Subscriber, output: Path) -> bool:
    """Have a dog go and cats come; whether the latter is said. Its subscription may follow after its connection."""
    time = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
    for label, happening in (("Dog", Happening.DISAPPEARED), ("Cat & <kittens>", Happening.APPEARED)):
        event = Event("porch", happening, label, 0.9, time, ModelRef("base", "1.0.0", "sha256:" + 64 * "0"))
        subscriber.send("edged/porch-pi/porch/events", event_payload(event, 1, "id-1"))
    return "Cat & <kittens> at porch, 2026-11-26T12:30:00" in output.read_text()


def test_node_red_says_what_appears(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    program = os.environ.get("EDGED_NODE_RED")
    if program is None:
        pytest.skip("EDGED_NODE_RED is not set: name node-red's program (npm install node-red)")
    (tmp_path / "settings.js").write_text(SETTINGS % free_port())
    (tmp_path / "flows.json").write_text(flow(broker.port))
    output = tmp_path / "output"
    command: list[str | Path] = [
        program,
        "--userDir",
        tmp_path,
        "--settings",
        tmp_path / "settings.js",
        tmp_path / "flows.json",
    ]
    with output.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            until(lambda: "Connected to broker" in output.read_text(), START_SECONDS)
            until(lambda: appeared(subscriber, output))
            assert "Dog" not in output.read_text()
        finally:
            process.terminate()
