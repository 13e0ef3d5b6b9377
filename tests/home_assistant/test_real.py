"""What a real Home Assistant makes of a daemon: every entity, both ways, and not one warning.

Both log in, and may do what docs/mqtt.md says that they need, and nothing else.

Runs where $EDGED_HOME_ASSISTANT names an interpreter that has Home Assistant: scripts/home-assistant makes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.access import HOUSE, documented, guarded, log_in
from support.daemon import Daemon, wait_for_labels
from support.home_assistant import HomeAssistant, interpreter
from support.mosquitto import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.mosquitto import Mosquitto

pytestmark = pytest.mark.timeout(400)

PRESENCE = "presence: {Cat: {on: 0.2, off: 0.1, hold_on: 0s, hold_off: 200ms}, Dog: {}}"
ENTITIES = {
    "latency": "sensor",
    "temperature": "sensor",
    "edgetpu_degraded": "binary_sensor",
    "update": "update",
    "model": "select",
    "rollback": "button",
    "restart_inference": "button",
    "a.best_label": "sensor",
    "a.confidence": "sensor",
    "a.fps": "sensor",
    "a.lost": "binary_sensor",
    "a.enabled": "switch",
    "a.threshold": "number",
    "a.fps_limit": "number",
    "a.image": "image",
    "a.events": "event",
    "a.present.cat": "binary_sensor",
    "a.present.dog": "binary_sensor",
    "b-2.best_label": "sensor",
    "b-2.confidence": "sensor",
    "b-2.fps": "sensor",
    "b-2.lost": "binary_sensor",
    "b-2.enabled": "switch",
    "b-2.threshold": "number",
    "b-2.fps_limit": "number",
}


@pytest.fixture(autouse=True)
def _present() -> None:
    interpreter()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with guarded(tmp_path, documented()) as running:
        yield running
        assert "Denied" not in running.log


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    with Subscriber(broker.port, login=HOUSE) as listening:
        yield listening


@pytest.fixture
def house(tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber) -> Iterator[Daemon]:
    cameras = f"  a: {{source: {photos}, fps: 2, image: true, {PRESENCE}}}\n  b-2: {{source: {photos}, fps: 1}}"
    daemon = Daemon(tmp_path, broker.port, cameras)
    log_in(daemon, tmp_path)
    with daemon as running:
        wait_for_labels(subscriber, 60)
        yield running


@pytest.fixture
def home(tmp_path: Path, broker: Mosquitto, house: Daemon) -> Iterator[HomeAssistant]:
    assert house.process.poll() is None
    with HomeAssistant(tmp_path, broker.port, HOUSE) as running:
        running.start()
        running.until(lambda states: set(states) == set(ENTITIES))
        yield running
        running.look()
        assert not running.said


def shown(states: dict[str, str]) -> bool:
    """Whether everything that can have a state by now has one."""
    silent = {"rollback", "restart_inference", "temperature", "latency", "a.events"}
    without = {key for key, state in states.items() if state in {None, "unknown", "unavailable"}}
    return set(states) == set(ENTITIES) and without <= silent


def available(states: dict[str, str]) -> bool:
    return "unavailable" not in states.values() and set(states) == set(ENTITIES)


def test_every_entity_appears_with_its_state_and_commands_work_both_ways(
    house: Daemon, home: HomeAssistant, subscriber: Subscriber
) -> None:
    states = home.until(shown)
    seen = home.look()
    assert {key.partition(".")[2]: each["domain"] for key, each in seen["entities"].items()} == ENTITIES
    (device,) = seen["devices"]
    assert (device["name"], device["manufacturer"], device["configuration_url"]) == ("test", "edged", None)
    assert states["model"] == "base"
    assert states["update"] == "off"
    assert (states["a.enabled"], states["a.lost"], states["edgetpu_degraded"]) == ("on", "off", "off")
    assert (float(states["a.threshold"]), float(states["a.fps_limit"])) == (0.5, 2.0)
    home.until(lambda states: states["a.present.cat"] == "on")
    home.until(lambda states: states["a.events"] not in {"unknown", "unavailable"})
    assert home.states()["a.present.dog"] == "off"
    image = home.image("a.image")
    assert (image.get("type"), image.get("head")) == ("image/jpeg", "ffd8ff"), image

    home.call("number.set_value", "a.threshold", value=0.25)
    home.until(lambda states: float(states["a.threshold"]) == 0.25)
    home.call("number.set_value", "a.fps_limit", value=5)
    home.until(lambda states: float(states["a.fps_limit"]) == 5)
    home.call("switch.turn_off", "b-2.enabled")
    home.until(lambda states: states["b-2.enabled"] == "off" and float(states["b-2.fps"]) == 0)
    subscriber.send("edged/test/b-2/set/enabled", "ON")
    home.until(lambda states: states["b-2.enabled"] == "on")
    home.call("select.select_option", "model", option="base")
    worker = house.worker()
    home.call("button.press", "restart_inference")
    subscriber.wait_for(lambda message: b'"command":"inference/set","ok":true' in message.payload)
    wait_for_labels(subscriber, 60, more=3)
    assert house.worker().pid != worker.pid
    home.call("button.press", "rollback")
    subscriber.wait_for(lambda message: b"there is nothing to go back to" in message.payload)
    assert available(home.states())


def test_home_assistant_broker_and_daemon_may_go_and_come(
    house: Daemon, home: HomeAssistant, broker: Mosquitto
) -> None:
    home.until(shown)
    home.stop()
    home.start()
    home.until(shown)

    broker.restart()  # it has no memory
    home.until(lambda states: not available(states), 20)
    home.until(shown, 90)
    said = home.forgive()
    assert said, "it says itself that its broker went"
    assert not any("edged" in line for line in said), said

    house.process.kill()
    house.process.wait()
    home.until(lambda states: set(states.values()) == {"unavailable"}, 40)
    house.start()
    home.until(shown, 40)


@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "while it is down"])
def test_what_the_configuration_has_no_more_is_taken_away(house: Daemon, home: HomeAssistant, *, running: bool) -> None:
    home.until(shown)
    if not running:
        home.stop()
    assert house.stop() == 0
    text = house.config.read_text("utf-8")
    house.config.write_text(text.replace("b-2:", "garden:").replace("Dog: {}", "Bird: {}"), "utf-8")
    house.start()
    wanted = {key.replace("b-2", "garden").replace("dog", "bird") for key in ENTITIES}
    if not running:
        home.start()
    home.until(lambda states: set(states) == wanted, 60)
    home.until(lambda states: states["garden.enabled"] == "on" and states["a.present.bird"] == "off")
