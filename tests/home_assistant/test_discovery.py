"""The message that shows the device to Home Assistant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edged.config import CameraConfig, WebConfig
from edged.home_assistant.device import CameraEntities, Device, WatchedLabel, cameras_of, page_address
from edged.home_assistant.discovery import (
    FILE,
    Announced,
    announce,
    discovery_payload,
    read_announced,
    write_announced,
)
from edged.outbox import Known, State

if TYPE_CHECKING:
    from pathlib import Path

CAT = WatchedLabel("Cat", "cat")
PORCH = CameraEntities("porch", 60, (CAT,), events=True, image=True)
DEVICE = Device("porch-pi", "0.1.0", (PORCH, CameraEntities("yard", 60)), ("base", "birds"))


def message(device: Device, before: Announced | None = None) -> dict[str, Any]:
    announced = announce(device, "homeassistant", before)
    told: dict[str, Any] = json.loads(discovery_payload(device, announced.present, announced.gone))
    return told


def test_the_device_is_whole() -> None:
    told = message(DEVICE)
    assert told["dev"]["ids"] == ["edged-porch-pi"]
    assert told["o"]["name"] == "edged"
    assert told["avty_t"] == "edged/porch-pi/status"
    assert "cu" not in told["dev"]
    assert message(replace(DEVICE, page="http://porch-pi:8765/"))["dev"]["cu"] == "http://porch-pi:8765/"
    assert announce(DEVICE, "ha", None).topic == "ha/device/edged-porch-pi/config"


def test_every_entity_has_its_platform_and_an_id_of_its_own() -> None:
    entities = message(DEVICE)["cmps"]
    assert all(each["p"] for each in entities.values())
    assert len({each["uniq_id"] for each in entities.values()}) == len(entities)
    assert entities["porch.present.cat"]["stat_t"] == "edged/porch-pi/porch/present/cat"
    assert entities["model"]["ops"] == ["base", "birds"]
    assert {key for key in entities if key.startswith("yard.")} == {
        f"yard.{key}" for key in ("best_label", "confidence", "fps", "lost", "enabled", "threshold", "fps_limit")
    }, "no image, no events, no presence where none is configured"


def test_only_what_is_not_retained_expires() -> None:
    expiring = {each["stat_t"] for each in message(DEVICE)["cmps"].values() if "exp_aft" in each}
    assert expiring == {"edged/porch-pi/porch/labels", "edged/porch-pi/yard/labels"}


def test_what_is_gone_is_left_with_its_platform_alone_and_is_remembered(tmp_path: Path) -> None:
    first = announce(DEVICE, "homeassistant", None)
    write_announced(tmp_path, first)
    before = read_announced(tmp_path)
    assert before == first
    now = replace(DEVICE, cameras=(PORCH,))
    told = message(now, before)["cmps"]
    assert told["yard.enabled"] == {"p": "switch"}
    second = announce(now, "homeassistant", before)
    assert second.gone["yard.enabled"]["cmd_t"] == "edged/porch-pi/yard/set/enabled"
    assert announce(now, "homeassistant", second).gone == second.gone, "until Home Assistant has come up once"
    assert announce(DEVICE, "homeassistant", second).gone == {}, "it is back"
    assert announce(replace(now, name="attic"), "homeassistant", second).gone == {}, "another device"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff"])
def test_a_damaged_memory_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE).write_bytes(data)
    assert read_announced(tmp_path) is None
    write_announced(tmp_path, None)
    write_announced(tmp_path, None)
    assert not (tmp_path / FILE).exists()


def test_at_most_fifty_labels_are_shown_and_named_ones_first() -> None:
    config = CameraConfig.model_validate({"source": "/photos", "presence": {"Dog": {}, "*": {}}})
    known = [Known("porch", f"thing-{number}", f"Thing {number}", State.ABSENT) for number in range(80)]
    known.append(Known("porch", "dog", "Dog", State.PRESENT))
    (camera,) = cameras_of({"porch": config}, known)
    assert len(camera.watched) == 50
    assert camera.watched[:2] == (WatchedLabel("Dog", "dog"), WatchedLabel("Thing 0", "thing-0"))
    assert camera.events
    assert cameras_of({}, known) == ()


def test_labels_expire_later_at_slow_cameras() -> None:
    slow = CameraConfig.model_validate({"source": "/photos", "fps": 0.01})
    assert [camera.expiry_s for camera in cameras_of({"a": CameraConfig(source="/photos"), "b": slow}, ())] == [60, 300]


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        (None, None),
        ("127.0.0.1:8765", None),
        ("0.0.0.0:0", None),
        ("0.0.0.0:8765", "http://porch-pi:8765/"),
        ("192.0.2.7:80", "http://192.0.2.7:80/"),
    ],
)
def test_the_page_is_named_where_others_can_reach_it(listen: str | None, address: str | None, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("sixteen-letters-or-more")
    assert page_address(WebConfig.model_validate({"listen": listen, "token_file": token}), "porch-pi") == address
