"""Commands to a daemon at work, over a real broker."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from support.daemon import labels, wait_for_health, wait_for_labels
from support.mosquitto import HOST, until

from edged.answers import Allowance

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import Daemon
    from support.mosquitto import Mosquitto, Subscriber

WAIT_S = 20.0  # it runs beside other tests


def results(subscriber: Subscriber) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in subscriber.on("edged/test/result")]


def result(subscriber: Subscriber, identity: str) -> dict[str, Any]:
    """The answer to the command with this id."""
    until(lambda: any(each["id"] == identity for each in results(subscriber)), WAIT_S)
    return next(each for each in results(subscriber) if each["id"] == identity)


def settings(subscriber: Subscriber) -> dict[str, Any]:
    until(lambda: bool(subscriber.on("edged/test/a/settings")), WAIT_S)
    told: dict[str, Any] = json.loads(subscriber.on("edged/test/a/settings")[-1])
    return told


def test_settings_are_changed_answered_kept_and_given_back_to_the_file(daemon: Daemon, subscriber: Subscriber) -> None:
    assert settings(subscriber)["differs"] == []
    subscriber.send("edged/test/a/set/threshold", '{"value": 1, "id": "t"}')
    assert result(subscriber, "t") == {
        "schema": 1,
        "command": "a/set/threshold",
        "ok": True,
        "error": None,
        "id": "t",
    }
    seen = len(labels(subscriber))
    until(lambda: any(not each["labels"] for each in labels(subscriber)[seen:]), WAIT_S)
    subscriber.send("edged/test/a/set/fps", "7")
    until(lambda: settings(subscriber)["differs"] == ["threshold", "fps"], WAIT_S)
    until(lambda: len(results(subscriber)) == 2, WAIT_S)

    assert daemon.stop() == 0
    subscriber.received.clear()
    daemon.start()
    until(lambda: settings(subscriber)["threshold"] == 1, WAIT_S)
    assert settings(subscriber)["fps"] == 7

    assert daemon.stop() == 0
    daemon.config.write_text(daemon.config.read_text().replace("fps: 20", "fps: 10"))
    subscriber.received.clear()
    daemon.start()
    until(lambda: settings(subscriber)["fps"] == 10, WAIT_S)
    assert settings(subscriber)["differs"] == ["threshold"]
    subscriber.send("edged/test/a/set/threshold", "null")
    until(lambda: settings(subscriber)["differs"] == [], WAIT_S)


def test_a_camera_is_switched_off_and_on(daemon: Daemon, subscriber: Subscriber) -> None:
    subscriber.send("edged/test/a/set/enabled", "OFF")
    health = wait_for_health(subscriber, lambda health: health["cameras"]["a"]["state"] == "off", WAIT_S)
    assert health["cameras"]["a"]["reason"] is None
    until(lambda: settings(subscriber)["enabled"] is False, WAIT_S)
    assert daemon.stop() == 0
    daemon.start()
    subscriber.received.clear()
    wait_for_health(subscriber, lambda health: health["cameras"]["a"]["state"] == "off", WAIT_S)
    assert not labels(subscriber), "it was switched off before the restart"
    subscriber.send("edged/test/a/set/enabled", "ON")
    wait_for_labels(subscriber, WAIT_S)


def test_what_is_no_command_is_answered_and_changes_nothing(daemon: Daemon, subscriber: Subscriber) -> None:
    assert daemon.process.poll() is None
    before = settings(subscriber)
    wrong = {
        "a/set/threshold": '{"value": 2, "id": "1"}',
        "a/set/brightness": '{"value": 1, "id": "2"}',
        "b/set/fps": '{"value": 1, "id": "3"}',
        "inference/set": '{"action": "stop", "id": "4"}',
        "model/set": '{"action": "burn", "id": "5"}',
    }
    for topic, payload in wrong.items():
        subscriber.send(f"edged/test/{topic}", payload)
    for number, topic in enumerate(wrong, 1):
        answer = result(subscriber, str(number))
        assert (answer["command"], answer["ok"]) == (topic, False)
        assert answer["error"]
    assert settings(subscriber) == before


def test_the_same_value_again_writes_nothing(tmp_path: Path, daemon: Daemon, subscriber: Subscriber) -> None:
    assert daemon.process.poll() is None
    kept = tmp_path / "state" / "settings.json"
    written = []
    for identity, value in (("1", 0.3), ("2", 0.3), ("3", 0.4)):
        subscriber.send("edged/test/a/set/threshold", json.dumps({"value": value, "id": identity}))
        assert result(subscriber, identity)["ok"]
        written.append(kept.stat().st_ino)  # it is replaced, never changed
    assert written[0] == written[1] != written[2]


def test_inference_is_restarted_once_for_an_id(daemon: Daemon, subscriber: Subscriber) -> None:
    worker = daemon.worker()
    for times in (1, 2, 3):
        subscriber.send("edged/test/inference/set", '{"action": "restart", "id": "r"}')
        until(lambda: len(results(subscriber)) == times, WAIT_S)  # noqa: B023  called within the turn
    assert {(each["id"], each["ok"]) for each in results(subscriber)} == {("r", True)}
    until(lambda: not worker.is_running() or worker.status() == "zombie", WAIT_S)
    wait_for_labels(subscriber, WAIT_S, more=20)
    assert (
        wait_for_health(subscriber, lambda health: health["inference"]["restarts"] > 0, WAIT_S)["inference"]["restarts"]
        == 1
    )


def test_the_answer_goes_to_the_response_topic_with_its_correlation_data(daemon: Daemon, broker: Mosquitto) -> None:
    assert daemon.process.poll() is None
    heard: list[MQTTMessage] = []
    ready = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda _client, _data, message: heard.append(message)
    client.on_subscribe = lambda *_: ready.set()
    client.connect(HOST, broker.port)
    client.subscribe("answers/#", 1)
    client.loop_start()
    try:
        assert ready.wait(5)
        about = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        about.ResponseTopic, about.CorrelationData = "answers/me", b"\x00\x07"
        client.publish("edged/test/a/set/fps", "11", 1, properties=about)
        until(lambda: bool(heard), WAIT_S)
    finally:
        client.disconnect()
        client.loop_stop()
    assert heard[0].topic == "answers/me"
    assert json.loads(heard[0].payload)["ok"] is True
    assert getattr(heard[0].properties, "CorrelationData", None) == b"\x00\x07"


def test_a_flood_is_refused_and_labels_go_on(daemon: Daemon, subscriber: Subscriber) -> None:
    for number in range(500):
        subscriber.send("edged/test/a/set/threshold", json.dumps({"value": number / 500, "id": str(number)}))
    until(lambda: any("too many" in (each["error"] or "") for each in results(subscriber)), WAIT_S)
    wait_for_labels(subscriber, WAIT_S, more=5)
    assert len(results(subscriber)) < 200
    assert "too many commands" in daemon.log


def test_an_allowance_is_a_burst_and_then_so_many_a_second() -> None:
    allowance = Allowance(burst=2, a_second=1.0)
    assert [allowance.take(100.0) for _ in range(3)] == [True, True, False]
    assert [allowance.take(101.5) for _ in range(2)] == [True, False]
    assert not allowance.take(101.6)
