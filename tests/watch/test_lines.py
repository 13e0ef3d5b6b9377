"""Lines: what is new, once."""

from __future__ import annotations

import json

from edged.watch.devices import Devices
from edged.watch.lines import changes, link_line
from edged.watch.listener import Link


def hear(*messages: tuple[str, object]) -> list[str]:
    """The lines that messages give, in order."""
    lines: list[str] = []
    devices = Devices(told=lambda *told: lines.extend(changes(*told)))
    for topic, payload in messages:
        data = payload if isinstance(payload, str) else json.dumps(payload)
        devices.hear(f"edged/pi/{topic}", data.encode(), 0.0)
    return lines


def labels(*texts: str) -> dict[str, object]:
    return {"schema": 1, "frame": 1, "labels": [{"text": text, "confidence": 0.5} for text in texts]}


def health(state: str = "running", *, low: bool = False) -> dict[str, object]:
    return {"schema": 1, "cameras": {"a": {"state": state}}, "system": {"under_voltage": low}}


def test_status_is_said_when_it_changes() -> None:
    said = hear(("status", "online"), ("status", "online"), ("status", "offline"))
    assert [line for line in said if "line" in line] == ["pi  online", "pi  offline"]


def test_labels_are_said_when_they_are_others() -> None:
    said = hear(("a/labels", labels("Cat", "Pet")), ("a/labels", labels("Pet", "Cat")), ("a/labels", labels()))
    assert said == ["pi/a  Cat 0.50, Pet 0.50", "pi/a  -"]


def test_presence_is_said_when_it_changes_and_not_when_it_ends() -> None:
    said = hear(("a/present/cat", "ON"), ("a/present/cat", "ON"), ("a/present/cat", "OFF"), ("a/present/cat", ""))
    assert said == ["pi/a  cat: present", "pi/a  cat: gone"]


def test_health_is_said_when_a_state_changes() -> None:
    said = hear(
        ("health", health()), ("health", health()), ("health", health("retrying", low=True)), ("health", health())
    )
    assert said == [
        "pi/a  running",
        "pi  ! too little voltage: edged doctor says what helps",
        "pi/a  retrying",
        "pi  well again",
        "pi/a  running",
    ]


def test_event_and_model_are_said() -> None:
    event = {"schema": 1, "event_type": "lost", "time": "2026-11-23T12:00:00Z", "sequence": 9, "count": 3}
    model = {"schema": 1, "name": "birds", "version": "1.0.0", "state": "probation"}
    said = hear(("a/events", event), ("model", model), ("model", model))
    assert said == ["pi/a  event 9: 3 events lost", "pi  model: birds 1.0.0, probation"]


def test_link_is_said() -> None:
    assert link_line(Link("b:1883", "5")) == "connected to b:1883 (MQTT 5)"
    assert link_line(Link("b:1883", None, "Connection refused")) == "no connection to b:1883: Connection refused"
