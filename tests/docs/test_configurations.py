"""Every configuration in the documentation is right: edged's own, Home Assistant's, Node-RED's, Telegraf's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support.documents import PAGES, ROOT, Block, blocks
from support.home_assistant import interpreter
from support.pictures import encoded, noise

from edged.config import Config, parse_config
from edged.home_assistant.device import CameraEntities, Device, WatchedLabel
from edged.home_assistant.discovery import announce

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = [block for page in PAGES for block in blocks(page)]
YAML = [block for block in BLOCKS if block.kind == "yaml"]
AUTOMATION_KEYS = {"alias", "mode", "triggers", "conditions", "actions"}


def kind(block: Block) -> str:
    if block.text.startswith("# Home Assistant"):
        return "automations"
    if re.search(r"^(trigger|action|condition)s:", block.text, re.MULTILINE):
        return "part of an automation"
    if block.text.startswith("scrape_configs:"):
        return "prometheus"  # tests/web has its own tools judge what config/prometheus holds
    return "package" if block.page == "docs/packages.md" else "edged"


def of(wanted: str) -> list[Block]:
    return [block for block in YAML if kind(block) == wanted]


def number(block: Block) -> str:
    return f"{block.page}-{YAML.index(block) if block in YAML else 0}"


@pytest.mark.parametrize("block", of("edged"), ids=number)
def test_configuration_is_taken(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in re.findall(r"\$\{([A-Z_]+)\}", block.text):
        monkeypatch.setenv(variable, "x")
    text = block.text.replace("/etc/edged/", f"{tmp_path}/").replace("password_file: …", "password_file: mqtt-password")
    for file in re.findall(rf"(?:{tmp_path}/|_file: )([\w.-]+)", text):
        (tmp_path / file).write_text("0123456789abcdef0123456789abcdef")
    keys = yaml.safe_load(re.sub(r"\$\{[A-Z_]+\}", "x", text))
    assert set(keys) <= set(Config.model_fields), block
    if "cameras" not in keys:
        text += "\ncameras: {a: {source: photos}}\n"
    assert parse_config(text, name=block.page, folder=tmp_path).cameras


DEVICE = Device(
    "porch-pi",
    "0.1.0",
    tuple(
        CameraEntities(
            camera, 60, (WatchedLabel("Cat", "cat"), WatchedLabel("Person", "person")), events=True, image=True
        )
        for camera in ("porch", "day", "night")
    ),
    ("base",),
)


def entities() -> set[str]:
    """The entity ids that Home Assistant makes of the device's announcement: platform, device and name, as a slug."""
    ids = set()
    for component in announce(DEVICE, "homeassistant", None).present.values():
        slug = re.sub(r"[^a-z0-9]+", "_", f"{DEVICE.name} {component['name']}".lower()).strip("_")
        ids.add(f"{component['p']}.{slug}")
    return ids


@pytest.mark.parametrize("block", of("automations") + of("part of an automation"), ids=number)
def test_automation_is_well_formed_and_speaks_of_entities_that_there_are(block: Block) -> None:
    parsed = yaml.safe_load(block.text)
    automations: list[dict[str, Any]] = parsed if isinstance(parsed, list) else [parsed]
    for automation in automations:
        assert set(automation) <= AUTOMATION_KEYS
        assert all("trigger" in trigger for trigger in automation["triggers"])
        assert kind(block) != "automations" or (automation["alias"] and automation["actions"])
    named = set(re.findall(r"\b[a-z_]+\.porch_pi_[a-z_]+", block.text))
    assert named <= entities(), named - entities()
    for topic in re.findall(r"edged/\S+", block.text):
        assert topic in {f"edged/porch-pi/{camera}/events" for camera in ("porch", "day", "night")}


def test_home_assistant_takes_the_automations() -> None:
    python = interpreter()
    automations = [automation for block in of("automations") for automation in yaml.safe_load(block.text)]
    schema = ROOT / "tests/support/home_assistant_schema.py"
    done = subprocess.run(
        [python, schema], input=json.dumps(automations), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_node_red_flow_is_whole() -> None:
    [flow] = [json.loads(b.text) for b in BLOCKS if b.page == "docs/how-to/node-red.md" and b.kind == "json"]
    nodes = {node["id"]: node for node in flow}
    assert len(nodes) == len(flow)
    for node in flow:
        assert node["type"] in {"tab", "mqtt-broker", "mqtt in", "switch", "template", "debug"}
        assert all(target in nodes for wires in node.get("wires", []) for target in wires)
        assert node.get("z", "edged-tab") == "edged-tab"
    assert nodes[nodes["edged-events"]["broker"]]["type"] == "mqtt-broker"
    assert nodes["edged-events"]["topic"] == "edged/+/+/events"


def test_telegraf_reads_every_topic_to_its_end() -> None:
    [text] = [b.text for b in BLOCKS if b.page == "docs/how-to/telegraf.md" and b.kind == "toml"]
    parsed = tomllib.loads(text)
    consumers = parsed["inputs"]["mqtt_consumer"]
    topics = {"edged/porch-pi/health", "edged/porch-pi/porch/events", "edged/porch-pi/porch/present/cat"}
    for consumer in consumers:
        [filter_], [parsing] = consumer["topics"], consumer["topic_parsing"]
        assert any(re.fullmatch(filter_.replace("+", "[^/]+"), topic) for topic in topics)
        for key in ("topic", "measurement", "tags"):
            assert parsing[key].count("/") == filter_.count("/"), (filter_, key)
    assert {consumer["data_format"] for consumer in consumers} == {"json", "value"}
    assert parsed["processors"]["enum"][0]["mapping"][0]["value_mappings"] == {"ON": 1, "OFF": 0}


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.kind == "json" and b.page != "docs/how-to/node-red.md"], ids=lambda b: b.page
)
def test_json_is_json(block: Block) -> None:
    decoder = json.JSONDecoder()
    text = block.text.strip()
    while text:
        _, end = decoder.raw_decode(text)
        text = text[end:].strip()


def test_uploads_are_sorted_as_the_page_says(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed (apt install jq)")
    [script] = [b.text for b in BLOCKS if b.page == "docs/how-to/moderation.md" and b.kind == "bash"]
    (tmp_path / "edged").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m edged "$@"\n')
    (tmp_path / "edged").chmod(0o755)
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (uploads / "a photo.png").write_bytes(encoded(noise(64, 64)))
    (uploads / "torn.jpg").write_bytes(b"\xff\xd8 no picture")
    (uploads / "someone.jpg").write_bytes((ROOT / "models/base/golden_figure.jpg").read_bytes())
    (tmp_path / "moderate").write_text(script)
    done = subprocess.run(
        ["bash", tmp_path / "moderate", uploads],  # noqa: S607  the page's own
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in sorted((uploads / "approved").iterdir())] == ["a photo.png"]
    assert [path.name for path in sorted((uploads / "held").iterdir())] == ["someone.jpg", "torn.jpg"]
