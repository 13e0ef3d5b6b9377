"""How the device is, in words: what is not well has something to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edged.mqtt.client import MqttState
from edged.mqtt.messages import (
    CameraHealth,
    EventsHealth,
    Health,
    InferenceHealth,
    Latency,
    ModelHealth,
    MqttHealth,
    SystemHealth,
)
from edged.updates.shelf import BY_HAND
from edged.web.condition import duration, findings, flowing, rows

WELL = Health(
    time=datetime(2026, 11, 26, tzinfo=UTC),
    uptime_s=93_600.0,
    cameras={"porch": CameraHealth("running", None, 4.9, 100, 2, 0)},
    inference=InferenceHealth("edgetpu", None, 0, Latency(12.0, 20.0, 30.0)),
    mqtt=MqttHealth("5", 0, 0, 0),
    system=SystemHealth(90.0, 30.0, 51.0, 48.0, False, False, False, 9000.0),  # noqa: FBT003  in their order
)
CONNECTED = MqttState(connected=True, protocol="5", reconnects=0, queued=0, dropped=0, reason=None)
AWAY = replace(CONNECTED, connected=False, protocol=None, reason="broker:1883 refuses connections")


def unwell(health: Health, mqtt: MqttState = CONNECTED) -> list[str]:
    return [f"{row.key}: {row.value}" for row in findings(health, rows(health, mqtt, registry=True))]


def test_what_is_well_is_not_mentioned_and_told_in_figures() -> None:
    assert unwell(WELL) == []
    said = {row.key: row.value for row in rows(WELL, CONNECTED, registry=True)}
    assert said["latency"] == "12 ms (95 %: 20, 99 %: 30)"
    assert said["temperature"] == "51 °C, Edge TPU 48 °C"
    assert (said["disk"], said["uptime"], said["inference"]) == ("8.8 GB free", "1 d 2 h", "Edge TPU")


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (
            replace(WELL, inference=InferenceHealth("cpu", "no Edge TPU", 2, Latency())),
            "CPU, restarted 2 times: no Edge",
        ),
        (replace(WELL, cameras={"porch": CameraHealth("retrying", "unplugged", 0, 0, 0, 1)}), "no frames: unplugged"),
        (replace(WELL, cameras={"porch": CameraHealth("abandoned", None, 0, 0, 0, 1)}), "stuck: not known why"),
        (replace(WELL, cameras={"porch": CameraHealth("running", "not a photo", 0, 0, 0, 1)}), "not a photo"),
        (replace(WELL, model=ModelHealth("a", "1", "good", "no room")), "registry: no room"),
        (replace(WELL, events=EventsHealth(3, 1, "disk full")), "events: 3 waiting, 1 lost: disk full"),
        (replace(WELL, system=replace(WELL.system, slowed=True)), "fewer frames are labelled"),
        (replace(WELL, system=replace(WELL.system, throttled=True)), "the board slows itself down"),
        (replace(WELL, system=replace(WELL.system, temperature_c=85.0)), "85 °C"),
        (replace(WELL, system=replace(WELL.system, under_voltage=True)), "too little voltage"),
        (replace(WELL, system=replace(WELL.system, disk_free_mb=20.0)), "20 MB free"),
    ],
)
def test_each_trouble_is_said_with_what_to_do(health: Health, said: str) -> None:
    (found,) = findings(health, rows(health, CONNECTED, registry=True))
    assert said in f"{found.key}: {found.value}"
    assert found.todo


def test_a_model_that_somebody_rolled_back_is_nobodys_fault() -> None:
    health = replace(WELL, model=ModelHealth("a", "1", "rolled_back", BY_HAND))
    assert unwell(health) == []
    said = {row.key: row.value for row in rows(health, CONNECTED, registry=True)}
    assert said["registry"] == "asked regularly"


def test_a_broker_that_is_away_is_said_first_things_first() -> None:
    health = replace(WELL, model=ModelHealth("a", "1", "good", "no room"))
    assert unwell(health, AWAY)[0] == "broker: broker:1883 refuses connections"


def test_frames_flow_while_every_camera_that_is_on_gives_some() -> None:
    cameras = {"a": CameraHealth("running", None, 5, 9, 0, 0), "b": CameraHealth("off", None, 0, 0, 0, 0)}
    assert flowing(replace(WELL, cameras=cameras)) is None
    cameras["c"] = CameraHealth("retrying", "unplugged", 0, 0, 0, 3)
    assert flowing(replace(WELL, cameras=cameras)) == "camera c: unplugged"
    assert flowing(replace(WELL, cameras={"d": CameraHealth("starting", None, 0, 0, 0, 0)})) == "camera d: starting"


def test_durations_have_their_two_largest_units() -> None:
    assert [duration(each) for each in (0, 59.9, 61, 3661, 90_000)] == ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]
