"""The connection's life against a real mosquitto."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import Mosquitto, Received, Subscriber, free_port, make_client, running, soon, until

import edged

if TYPE_CHECKING:
    from edged.mqtt.client import MqttState

STATUS = "edged/porch-pi/status"
HEALTH = "edged/porch-pi/health"
LABELS = "edged/porch-pi/porch/labels"

CHILD = """
import asyncio, logging, sys
from edged.config.mqtt import MqttConfig
from edged.mqtt.client import MqttClient

async def main() -> None:
    config = MqttConfig.model_validate({"host": "127.0.0.1", "port": int(sys.argv[1]), "protocol": sys.argv[2]})
    await MqttClient(config, "porch-pi", logging.getLogger()).run()

asyncio.run(main())
"""


def test_status_is_online_while_it_runs_and_offline_after_it_stopped(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        with Subscriber(port) as subscriber:
            async with running(make_client(port)) as client:
                client.publish(HEALTH, b"well", qos=1, retain=True)
                client.publish(LABELS, b"cat")
                await soon(lambda: len(subscriber.received) == 3)
                assert client.state().connected
                assert client.state().protocol == "5"
                assert client.state().reason is None
            await soon(lambda: len(subscriber.received) == 4)
        assert [message.payload for message in subscriber.received] == [b"online", b"well", b"cat", b"offline"]
        assert not client.state().connected
        with Subscriber(port) as late:
            await soon(lambda: len(late.received) == 2)
        assert {(STATUS, b"offline"), (HEALTH, b"well")} == {(each.topic, each.payload) for each in late.received}
        assert all(each.retained for each in late.received)

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_last_will_says_offline_when_the_process_is_killed(tmp_path: Path, protocol: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(edged.__file__).parents[1])}
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port) as subscriber:
        command = [sys.executable, "-c", CHILD, str(broker.port), protocol]
        with subprocess.Popen(command, env=environment) as child:
            subscriber.wait_for(lambda each: each == Received(STATUS, b"online", retained=False), timeout=10)
            child.send_signal(signal.SIGKILL)
        subscriber.wait_for(lambda each: each.payload == b"offline", 10)
        with Subscriber(broker.port) as late:
            late.wait_for(lambda each: each == Received(STATUS, b"offline", retained=True))


def test_a_broker_that_is_absent_at_start_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "edged.mqtt")
    port = free_port()

    async def scenario() -> None:
        async with running(make_client(port)) as client:
            await soon(lambda: "refused" in (client.state().reason or ""))
            assert not client.state().connected
            client.publish(HEALTH, b"old", qos=1, retain=True)
            client.publish(HEALTH, b"new", qos=1, retain=True)
            await asyncio.sleep(0.5)
            with Mosquitto(tmp_path, port=port):
                await soon(lambda: client.state().connected)
                assert client.state().reconnects == 0
                with Subscriber(port) as subscriber:
                    await soon(lambda: len(subscriber.received) == 2)
                assert subscriber.on(STATUS) == [b"online"]
                assert subscriber.on(HEALTH) == [b"new"]

    asyncio.run(scenario())
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [text for text in warnings if "Connection refused" in text] == [
        f"mqtt: no connection to 127.0.0.1:{port}: Connection refused"
    ]
    assert f"mqtt: connected to 127.0.0.1:{port} (MQTT 5)" in caplog.messages


def test_everything_retained_is_right_again_after_a_restart_that_lost_it(tmp_path: Path) -> None:
    async def scenario(broker: Mosquitto) -> None:
        states: list[MqttState] = []
        client = make_client(broker.port)
        client.on_state_change = lambda: states.append(client.state())
        async with running(client):
            client.publish(HEALTH, b"1", qos=1, retain=True)
            await soon(lambda: client.state().queued == 0 and client.state().connected)
            await asyncio.to_thread(broker.kill)
            await soon(lambda: not client.state().connected)
            client.publish(HEALTH, b"2", qos=1, retain=True)
            await asyncio.to_thread(broker.start)
            await soon(lambda: client.state().connected, timeout=8)
            await soon(lambda: client.state().queued == 0)
            assert client.state().reconnects == 1
            with Subscriber(broker.port) as late:
                await soon(lambda: len(late.received) == 2)
            assert {(STATUS, b"online"), (HEALTH, b"2")} == {(each.topic, each.payload) for each in late.received}
        assert [state.connected for state in states if state.connected or "lost" in str(state.reason)] == [
            True,
            False,
            True,
        ]

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker))


def test_labels_from_shortly_before_the_connection_come_late_and_in_order(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        client = make_client(port)
        for number in range(20):
            client.publish(LABELS, str(number).encode())
        with Subscriber(port) as subscriber:
            async with running(client):
                await soon(lambda: len(subscriber.on(LABELS)) == 20)
        assert [each.payload for each in subscriber.received[:3]] == [b"online", b"0", b"1"]
        assert subscriber.on(LABELS) == [str(number).encode() for number in range(20)]
        assert client.state().dropped == 0

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


def test_thousands_of_labels_arrive_in_order(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        with Subscriber(port, LABELS) as subscriber:
            async with running(make_client(port)) as client:
                await soon(lambda: client.state().connected)
                for number in range(3000):
                    client.publish(LABELS, json.dumps(number).encode())
                    if number % 500 == 499:
                        await soon(lambda: client.state().queued == 0)
                await soon(lambda: len(subscriber.received) == 3000)
        assert [int(each.payload) for each in subscriber.received] == list(range(3000))

    with Mosquitto(tmp_path, lines=["allow_anonymous true", "max_queued_messages 10000"]) as broker:
        asyncio.run(scenario(broker.port))


def test_a_fault_of_our_own_ends_run_instead_of_a_thread(tmp_path: Path) -> None:
    class FaultError(Exception):
        pass

    async def scenario(port: int) -> None:
        client = make_client(port)

        def fail() -> None:
            raise FaultError

        client.on_state_change = fail
        with pytest.raises(FaultError):
            await client.run()

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))
        # The connection was let go without DISCONNECT, as for any death: the last will speaks.
        with Subscriber(broker.port) as subscriber:
            until(lambda: subscriber.on(STATUS)[-1:] == [b"offline"], 10)


def test_stop_is_quick_in_every_state(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        client = make_client(free_port())
        await client.stop()
        await asyncio.wait_for(client.run(), 1)

        client = make_client(free_port())
        run = asyncio.create_task(client.run())
        await soon(lambda: client.state().reason != "not connected yet")
        began = time.monotonic()
        await client.stop()
        await run
        assert time.monotonic() - began < 1

        client = make_client(port)
        run = asyncio.create_task(client.run())
        await soon(lambda: client.state().connected)
        began = time.monotonic()
        await client.stop()
        await run
        assert time.monotonic() - began < 1
        client.publish(LABELS, b"after the end")
        assert client.state().queued == 0

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))
