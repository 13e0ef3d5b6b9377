"""Every result and every health gives JSON that a strict parser reads and that has the promised shape."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from edged.labeling.label import Label, ModelRef, Result, Timing
from edged.mqtt.messages import (
    CameraHealth,
    Health,
    InferenceHealth,
    Latency,
    MqttHealth,
    SystemHealth,
    Topics,
    label_payload,
    timestamp,
)

TIME = datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=UTC)
MODEL = ModelRef("base", "1.0.0", "sha256:00ff")

any_text = st.text(st.characters(codec=None), max_size=40)  # lone surrogates and NUL too
any_float = st.floats()
times = st.integers(0, 2**37).map(lambda s: datetime.fromtimestamp(s + 0.9996, tz=timezone(timedelta(hours=-9))))
labels = st.builds(Label, any_text, any_float, st.integers(0, 10_000))
results = st.builds(
    Result,
    camera=st.from_regex(r"\A[a-z0-9_-]{1,20}\Z"),
    time=times,
    frame=st.integers(0, 2**63),
    labels=st.lists(labels, max_size=10).map(tuple),
    model=st.builds(ModelRef, any_text, any_text, any_text),
    device=st.sampled_from(["cpu", "edgetpu"]),
    timing=st.builds(Timing, any_float, any_float, any_float),
)
figures = st.none() | any_float
healths = st.builds(
    Health,
    time=times,
    uptime_s=any_float,
    cameras=st.dictionaries(any_text, st.builds(CameraHealth, any_text, st.none() | any_text, any_float)),
    inference=st.builds(
        InferenceHealth, st.none() | any_text, st.none() | any_text, st.integers(), st.builds(Latency, figures)
    ),
    mqtt=st.builds(MqttHealth, st.none() | any_text),
    system=st.builds(SystemHealth, figures, figures, figures),
)


def strictly_parsed(payload: bytes) -> dict[str, object]:
    def refuse(constant: str) -> object:
        raise AssertionError(f"{constant} is not JSON")

    parsed = json.loads(payload.decode("utf-8"), parse_constant=refuse)
    assert isinstance(parsed, dict)
    return parsed


def healthy() -> Health:
    return Health(
        time=TIME,
        uptime_s=61.23456,
        cameras={"porch": CameraHealth("running", None, 5.00049, 1234, 2, 0)},
        inference=InferenceHealth("cpu", "no Edge TPU", 0, Latency(2.0, 3.0, 4.0)),
        mqtt=MqttHealth("5", 1, 0, 0),
        system=SystemHealth(101.5, 12.0, 48.3, throttled=False, under_voltage=False, disk_free_mb=9000.0),
    )


def test_topics_are_below_the_device() -> None:
    topics = Topics("porch-pi")
    assert topics.status == "edged/porch-pi/status"
    assert topics.health == "edged/porch-pi/health"
    assert topics.result == "edged/porch-pi/result"
    assert topics.labels("porch") == "edged/porch-pi/porch/labels"


FIRST = Result(
    camera="porch",
    time=TIME,
    frame=1234,
    labels=(Label("Katze 🐈", 0.93004999, 281),),
    model=MODEL,
    device="cpu",
    timing=Timing(preprocess=0.20049, inference=2.1, total=2.6),
)


def test_a_result_is_the_json_that_the_contract_shows() -> None:
    assert label_payload(FIRST).decode() == (
        '{"schema":1,"camera":"porch","time":"2026-11-23T12:00:00.123Z","frame":1234,'
        '"labels":[{"text":"Katze 🐈","confidence":0.93,"index":281}],'
        '"model":{"name":"base","version":"1.0.0","digest":"sha256:00ff"},"device":"cpu",'
        '"timing_ms":{"preprocess":0.2,"inference":2.1,"total":2.6}}'
    )


def test_a_label_of_a_further_member_says_which() -> None:
    person = Label("Person", 0.8, 15, "people")
    parsed = strictly_parsed(label_payload(replace(FIRST, labels=(*FIRST.labels, person))))
    assert parsed["labels"] == [
        {"text": "Katze 🐈", "confidence": 0.93, "index": 281},
        {"text": "Person", "confidence": 0.8, "index": 15, "member": "people"},
    ]


@given(results)
def test_every_result_is_strict_json_of_the_promised_shape(result: Result) -> None:
    parsed = strictly_parsed(label_payload(result))
    assert list(parsed) == ["schema", "camera", "time", "frame", "labels", "model", "device", "timing_ms"]
    assert (parsed["schema"], parsed["camera"], parsed["frame"]) == (1, result.camera, result.frame)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(parsed["time"]))
    assert isinstance(parsed["labels"], list)
    finite = [label for label in result.labels if math.isfinite(label.confidence)]
    assert len(parsed["labels"]) == len(finite)
    for label, source in zip(parsed["labels"], finite, strict=True):
        assert list(label) == ["text", "confidence", "index"]
        assert label["text"] == source.text.encode(errors="replace").decode()
        assert label["confidence"] == round(source.confidence, 4)
    assert isinstance(parsed["model"], dict)
    assert list(parsed["model"]) == ["name", "version", "digest"]
    assert isinstance(parsed["timing_ms"], dict)
    assert list(parsed["timing_ms"]) == ["preprocess", "inference", "total"]


@given(healths)
def test_every_health_is_strict_json_of_the_promised_shape(health: Health) -> None:
    parsed = strictly_parsed(health.to_json())
    assert list(parsed) == ["schema", "time", "uptime_s", "cameras", "inference", "model", "events", "mqtt", "system"]
    assert isinstance(parsed["cameras"], dict)
    for camera in parsed["cameras"].values():
        assert list(camera) == ["state", "reason", "fps", "frames", "dropped", "reconnects", "unchanged"]


def test_health_has_every_key_of_the_contract() -> None:
    assert strictly_parsed(healthy().to_json()) == {
        "schema": 1,
        "time": "2026-11-23T12:00:00.123Z",
        "uptime_s": 61.235,
        "cameras": {
            "porch": {
                "state": "running",
                "reason": None,
                "fps": 5.0,
                "frames": 1234,
                "dropped": 2,
                "reconnects": 0,
                "unchanged": 0,
            }
        },
        "inference": {
            "device": "cpu",
            "reason": "no Edge TPU",
            "restarts": 0,
            "latency_ms": {"p50": 2.0, "p95": 3.0, "p99": 4.0},
        },
        "model": {"name": None, "version": None, "state": "good", "last_error": None},
        "events": {"waiting": 0, "lost": 0, "reason": None},
        "mqtt": {"protocol": "5", "reconnects": 1, "queued": 0, "dropped": 0},
        "system": {
            "memory_mb": 101.5,
            "cpu_percent": 12.0,
            "temperature_c": 48.3,
            "edgetpu_temperature_c": None,
            "slowed": False,
            "throttled": False,
            "under_voltage": False,
            "disk_free_mb": 9000.0,
        },
    }


def test_a_figure_that_moves_is_not_a_change_of_state() -> None:
    health = healthy()
    moved = replace(
        health,
        time=TIME + timedelta(minutes=1),
        uptime_s=121.0,
        cameras={"porch": replace(health.cameras["porch"], fps=4.2, frames=1500, dropped=3, reconnects=1)},
        inference=replace(health.inference, restarts=1, latency_ms=Latency()),
        mqtt=replace(health.mqtt, reconnects=2, queued=7, dropped=8),
        events=replace(health.events, waiting=5),
        system=replace(health.system, temperature_c=50.0),
    )
    assert moved.states() == health.states()


def test_a_state_a_reason_a_device_or_a_flag_is_a_change_of_state() -> None:
    health = healthy()
    camera = health.cameras["porch"]
    for changed in (
        replace(health, cameras={}),
        replace(health, cameras={"porch": replace(camera, state="lost")}),
        replace(health, cameras={"porch": replace(camera, reason="unplugged")}),
        replace(health, inference=replace(health.inference, device="edgetpu")),
        replace(health, inference=replace(health.inference, reason=None)),
        replace(health, mqtt=replace(health.mqtt, protocol="3.1.1")),
        replace(health, events=replace(health.events, reason="the disk is full")),
        replace(health, events=replace(health.events, lost=1)),
        replace(health, system=replace(health.system, throttled=True)),
        replace(health, system=replace(health.system, under_voltage=True)),
    ):
        assert changed.states() != health.states()


def test_times_are_utc_with_milliseconds() -> None:
    assert timestamp(datetime(2026, 11, 23, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-23T12:00:00.000Z"
