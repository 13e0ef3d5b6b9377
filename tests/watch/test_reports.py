"""Topics and payloads, read: what edged publishes is understood, what anybody else does is harmless."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.labeling.label import Label, ModelRef
from edged.labeling.label import Result as FrameResult
from edged.labeling.label import Timing as FrameTiming
from edged.mqtt import messages
from edged.mqtt.event_messages import Event, Happening, Lost, event_payload
from edged.mqtt.messages import Topics
from edged.mqtt.model_messages import ModelStatus, UpdateStatus, model_payload, update_payload
from edged.watch.reports import (
    MOST_LABELS,
    MOST_TEXT,
    Happened,
    Health,
    Labels,
    Model,
    Presence,
    Status,
    UnreadableError,
    Update,
    parse_report,
)
from edged.watch.topic import Address, Kind, parse_topic

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BASE = ModelRef("base", "1.1.0", "sha256:1")
GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                _keys := st.sampled_from(
                    [
                        "schema",
                        "labels",
                        "cameras",
                        "text",
                        "confidence",
                        "frame",
                        "state",
                        "event_type",
                        "time",
                        "sequence",
                    ]
                )
                | st.text(max_size=5),
                inner,
                max_size=6,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)


def test_topics_of_edged_are_read() -> None:
    topics = Topics("porch-pi")
    assert parse_topic(topics.status) == Address("porch-pi", Kind.STATUS)
    assert parse_topic(topics.labels("a")) == Address("porch-pi", Kind.LABELS, "a")
    assert parse_topic(topics.present("a", "egyptian-cat")) == Address("porch-pi", Kind.PRESENT, "a", "egyptian-cat")


@pytest.mark.parametrize(
    "topic",
    ["", "edged", "edged/a/b", "edged/A/status", "edged/a/status/b", "x/a/status", "edged/a/\x1b/labels",
     "edged/a/b/present/", "edged/a/b/present/C", "edged/" + "a" * 65 + "/status", "edged/a/status\n"],
)  # fmt: skip
def test_other_topics_are_not(topic: str) -> None:
    assert parse_topic(topic) is None


@given(st.text(max_size=60))
def test_any_topic_is_read_or_refused(topic: str) -> None:
    parse_topic(topic)


def test_what_edged_publishes_is_understood() -> None:
    result = FrameResult("a", NOW, 7, (Label("Cat", 0.93, 281),), BASE, "cpu", FrameTiming(0.1, 2.0, 3.0))
    labels = parse_report(Kind.LABELS, messages.label_payload(result))
    assert isinstance(labels, Labels)
    assert (labels.frame, labels.labels[0].text, labels.timing_ms.total) == (7, "Cat", 3.0)

    health = parse_report(
        Kind.HEALTH,
        messages.Health(
            NOW,
            61.2,
            {"a": messages.CameraHealth("retrying", "no such device", 0.0, 4, 2, 1)},
            messages.InferenceHealth("cpu", None, 1, messages.Latency(2.0, 3.0, 4.0)),
            messages.MqttHealth("5", 0, 0, 0),
            messages.SystemHealth(temperature_c=48.3, under_voltage=True),
        ).to_json(),
    )
    assert isinstance(health, Health)
    assert (health.cameras["a"].reason, health.system.under_voltage) == ("no such device", True)

    event = parse_report(Kind.EVENTS, event_payload(Event("a", Happening.APPEARED, "Cat", 0.9, NOW, BASE), 42, "x"))
    assert event == Happened(1, "appeared", NOW, 42, "Cat", 0.9)
    lost = parse_report(Kind.EVENTS, event_payload(Lost("a", 5, 1, 5, NOW), 43, "y"))
    assert lost == Happened(1, "lost", NOW, 43, count=5)
    model = parse_report(Kind.MODEL, model_payload(ModelStatus(BASE, "probation")))
    assert model == Model(1, "base", "1.1.0", "probation")
    update = parse_report(Kind.UPDATE, update_payload(UpdateStatus("1.0.0", "1.1.0", percentage=40, in_progress=True)))
    assert update == Update("1.0.0", "1.1.0", in_progress=True, update_percentage=40)
    assert parse_report(Kind.STATUS, messages.OFFLINE) == Status(online=False)
    assert parse_report(Kind.PRESENT, b"ON") == Presence(present=True)
    assert parse_report(Kind.PRESENT, b"") == Presence(present=None)


@given(st.sampled_from(Kind), GARBAGE)
def test_garbage_is_refused_or_becomes_a_right_report(kind: Kind, payload: bytes) -> None:
    try:
        parse_report(kind, payload)
    except UnreadableError:
        return


@pytest.mark.parametrize(
    "payload",
    [b"[" * 50_000, b'{"schema":1,"frame":' + b"9" * 50_000 + b',"labels":[]}', b"\xff", b"x" * 70_000,
     b'{"schema":2,"frame":1,"labels":[]}', b'{"schema":1,"frame":1,"labels":[{"text":"a","confidence":NaN}]}'],
)  # fmt: skip
def test_bombs_and_other_schemas_are_refused(payload: bytes) -> None:
    with pytest.raises(UnreadableError):
        parse_report(Kind.LABELS, payload)


def test_texts_are_cut_and_command_no_terminal() -> None:
    labels = [{"text": "\x1b[2J\x07" + "x" * 300, "confidence": 0.5}] * 100
    report = parse_report(Kind.LABELS, json.dumps({"schema": 1, "frame": 1, "labels": labels}).encode())
    assert isinstance(report, Labels)
    assert len(report.labels) == MOST_LABELS
    assert len(report.labels[0].text) == MOST_TEXT
    assert report.labels[0].text.isprintable()


def test_what_a_newer_edged_says_more_is_passed_over() -> None:
    payload = b'{"schema":1,"frame":1,"labels":[{"text":"a","confidence":1,"colour":"red"}],"weather":"fine"}'
    assert isinstance(parse_report(Kind.LABELS, payload), Labels)
