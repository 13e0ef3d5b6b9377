"""What is known of devices: as they say it, and never more than fits."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from edged.watch import devices as bounds
from edged.watch.devices import Devices


def labels(*texts: str) -> bytes:
    seen = [{"text": text, "confidence": 0.5} for text in texts]
    return json.dumps({"schema": 1, "frame": 1, "labels": seen}).encode()


def event(sequence: int) -> bytes:
    return json.dumps(
        {"schema": 1, "event_type": "appeared", "time": "2026-11-23T12:00:00Z", "sequence": sequence, "label": "Cat"}
    ).encode()


def test_device_is_what_it_last_said() -> None:
    devices = Devices()
    devices.hear("edged/a/status", b"online", 0.0)
    devices.hear("edged/a/porch/labels", labels("Cat"), 1.0)
    devices.hear("edged/a/porch/labels", labels("Dog"), 1.5)
    devices.hear("edged/a/porch/present/cat", b"ON", 1.5)
    devices.hear("edged/a/porch/present/dog", b"ON", 1.5)
    devices.hear("edged/a/porch/present/dog", b"OFF", 1.5)
    [device] = devices.view().devices
    camera = device.cameras["porch"]
    assert device.online
    assert camera.labels is not None
    assert [label.text for label in camera.labels.labels] == ["Dog"]
    assert (camera.rate, camera.present) == (2.0, frozenset({"cat"}))


def test_rate_is_that_of_the_results() -> None:
    devices = Devices()
    for number in range(60):
        devices.hear("edged/a/porch/labels", labels(), number / 5)
    assert round(devices.view().devices[0].cameras["porch"].rate, 2) == 5.0


def test_device_whose_status_is_taken_away_is_gone() -> None:
    devices = Devices()
    devices.hear("edged/a/status", b"online", 0.0)
    devices.hear("edged/a/status", b"", 0.0)
    assert devices.view().devices == ()


def test_new_connection_begins_with_nothing_but_the_events() -> None:
    devices = Devices()
    devices.hear("edged/a/porch/present/cat", b"ON", 0.0)
    devices.hear("edged/a/porch/events", event(1), 0.0)
    devices.forget()
    view = devices.view()
    assert (view.devices, len(view.events)) == ((), 1)


def test_only_devices_that_were_asked_for_are_kept() -> None:
    devices = Devices("porch*")
    for name in ("porch-1", "shed"):
        devices.hear(f"edged/{name}/status", b"online", 0.0)
    assert [device.name for device in devices.view().devices] == ["porch-1"]


def test_memory_is_bounded_whatever_comes() -> None:
    devices = Devices()
    for number in range(bounds.MOST_DEVICES + 5):
        devices.hear(f"edged/d{number}/status", b"online", 0.0)
    for number in range(bounds.MOST_CAMERAS + 5):
        devices.hear(f"edged/d{number % 100}/c{number}/present/a", b"ON", 0.0)
    for number in range(bounds.MOST_EVENTS + 5):
        devices.hear("edged/d0/c0/events", event(number), 0.0)
    view = devices.view()
    assert len(view.devices) == bounds.MOST_DEVICES
    assert sum(len(device.cameras) for device in view.devices) == bounds.MOST_CAMERAS
    assert len(view.events) == bounds.MOST_EVENTS
    assert view.events[-1].event.sequence == bounds.MOST_EVENTS + 4
    assert view.beyond == 10


def test_present_labels_are_bounded_and_counted_back() -> None:
    devices = Devices()
    for number in range(bounds.MOST_PRESENT + 5):
        devices.hear(f"edged/a/c{number % 40}/present/l{number}", b"ON", 0.0)
    assert devices.view().beyond == 5
    devices.hear("edged/a/c0/present/l0", b"OFF", 0.0)
    devices.hear("edged/a/c1/present/new", b"ON", 0.0)
    assert devices.view().beyond == 5


TOPICS = st.one_of(
    st.text(max_size=30),
    st.builds(
        "edged/{}/{}".format,
        st.sampled_from("ab"),
        st.sampled_from(["status", "health", "model", "update", "c/labels", "c/events", "c/present/x", "d/labels"]),
    ),
)
PAYLOADS = st.binary(max_size=50) | st.sampled_from([b"", b"ON", b"OFF", b"online", labels("Cat"), event(3), b"{}"])


@given(st.lists(st.tuples(TOPICS, PAYLOADS), max_size=30))
def test_no_message_does_harm_and_counts_stay_right(messages: list[tuple[str, bytes]]) -> None:
    devices = Devices()
    for number, (topic, payload) in enumerate(messages):
        devices.hear(topic, payload, float(number))
    view = devices.view()
    assert devices._cameras == sum(len(device.cameras) for device in view.devices)  # noqa: SLF001
    present = sum(len(camera.present) for device in view.devices for camera in device.cameras.values())
    assert devices._present == present  # noqa: SLF001
    assert view.garbage <= len(messages)
