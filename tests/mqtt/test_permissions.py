"""A broker with passwords and an access list: docs/mqtt.md's is enough, and what is denied is told in peace."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from support.access import HOUSE, PASSWORDS, documented, for_many, guarded, log_in, password_file
from support.daemon import Daemon, wait_for_labels
from support.mosquitto import Mosquitto, Subscriber, make_client, running, soon, until
from support.sightings import sightings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEALTH = "edged/porch-pi/health"


@pytest.fixture(params=["one device", "many devices"])
def guarded_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mosquitto]:
    with guarded(tmp_path, documented() if request.param == "one device" else for_many()) as broker:
        yield broker


def test_the_documented_access_list_is_enough_for_a_device_and_for_home_assistant(
    tmp_path: Path, guarded_broker: Mosquitto, photos: Path
) -> None:
    presence = "presence: {'*': {on: 0.5, off: 0.4, hold_on: 0s, hold_off: 0s}}"
    daemon = Daemon(tmp_path, guarded_broker.port, f"  a: {{source: {photos}, fps: 10, image: true, {presence}}}")
    log_in(daemon, tmp_path)
    spoken = ["status", "health", "model", "update", "a/labels", "a/settings", "a/events", "a/image", "a/present/cat"]
    wanted = {f"edged/test/{topic}" for topic in spoken} | {"homeassistant/device/edged-test/config"}
    with Subscriber(guarded_broker.port, "#", login=HOUSE) as house, daemon:
        wait_for_labels(house, 30)
        until(lambda: wanted <= {message.topic for message in house.received}, 30)
        for topic, payload in (
            ("a/set/threshold", '{"value": 0.3, "id": "1"}'),
            ("inference/set", '{"action": "restart", "id": "2"}'),
            ("model/set", '{"action": "use", "name": "base", "id": "3"}'),
        ):
            house.send(f"edged/test/{topic}", payload)
        until(lambda: len(house.on("edged/test/result")) == 3, 20)
        assert all(json.loads(result)["ok"] for result in house.on("edged/test/result"))
        assert "Denied" not in guarded_broker.log
        assert daemon.stop() == 0
        until(lambda: house.on("edged/test/status")[-1] == b"offline")
    assert "WARNING mqtt" not in daemon.log


def test_neither_speaks_where_the_other_does(guarded_broker: Mosquitto) -> None:
    yard = ("yard-pi", PASSWORDS["yard-pi"])
    with (
        Subscriber(guarded_broker.port, "#", login=HOUSE) as home,
        Subscriber(guarded_broker.port, "#", login=yard) as neighbour,
    ):
        home.send("edged/test/a/events", b"made up")
        neighbour.send("edged/test/a/events", b"made up")
        neighbour.send("edged/test/a/set/enabled", b"OFF")
        home.send("edged/test/a/set/enabled", b"ON")
        until(lambda: guarded_broker.log.count("Denied PUBLISH") >= 3)
        assert not neighbour.received
        assert not home.on("edged/test/a/events")


def test_what_is_denied_is_said_once_over_all_connections_and_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edged.mqtt")
    acl = tmp_path / "acl"
    acl.write_text("topic write edged/porch-pi/status\n")

    async def scenario(broker: Mosquitto) -> None:
        client = make_client(broker.port, protocol="5")
        client.publish(HEALTH, b"well", qos=1, retain=True)
        async with sightings(client, tmp_path / "state") as cat:
            for turn in range(2):
                await soon(lambda: client.state().connected and client.state().queued == 0)
                cat.flip()
                await soon(lambda: cat.events.health().reason is not None)
                await asyncio.sleep(0.7)
                refused = broker.log.count("Denied PUBLISH")
                await asyncio.sleep(1.5)
                assert broker.log.count("Denied PUBLISH") == refused, "nothing is hammered"
                if turn == 0:
                    broker.restart()
                    await soon(lambda: client.state().reconnects == 1)
            assert "does its ACL allow them?" in str(cat.events.health().reason)
            assert cat.events.health().waiting == 2
            acl.write_text("topic readwrite edged/#\n")
            broker.reload()
            await asyncio.sleep(0.3)
            client.publish(HEALTH, b"well", qos=1, retain=True)
            await soon(lambda: f"the broker takes {HEALTH} again" in caplog.text)

    with Mosquitto(tmp_path, lines=["allow_anonymous true", f"acl_file {acl}"]) as broker:
        asyncio.run(scenario(broker))
    said = [message for message in caplog.messages if "does not take" in message]
    assert sorted(said) == sorted(set(said)), "each topic once"
    assert f"mqtt: the broker does not take {HEALTH}: Not authorized; its ACL has to allow that" in said
    assert any("a/events" in message for message in said)


def test_a_flood_of_ever_new_denied_topics_does_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic write edged/porch-pi/status\n")

    async def scenario(broker: Mosquitto) -> None:
        async with running(make_client(broker.port, protocol="5")) as client:
            await soon(lambda: client.state().connected)
            for number in range(200):
                client.publish(f"answers/{number}", b"", qos=1)
            await soon(lambda: client.state().queued == 0)

    with Mosquitto(tmp_path, lines=["allow_anonymous true", f"acl_file {acl}"]) as broker:
        asyncio.run(scenario(broker))
    assert len(caplog.messages) <= 22
    assert "more of such warnings are not shown" in caplog.messages[-1]


def test_a_password_from_a_file_is_read_and_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORDS["test"] + "\n", "utf-8")

    async def scenario(broker: Mosquitto) -> None:
        async with running(make_client(broker.port, username="test", password_file=secret)) as client:
            await soon(lambda: client.state().connected)
            assert PASSWORDS["test"] not in repr(vars(client))

    with Mosquitto(tmp_path, lines=["allow_anonymous false", f"password_file {password_file(tmp_path)}"]) as broker:
        asyncio.run(scenario(broker))
