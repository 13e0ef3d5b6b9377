"""A broker that says no, another client with our id, and the next broker of a cluster."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import HOST, Mosquitto, Subscriber, free_port, make_client, running, soon

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "s3cret-of-the-porch"  # noqa: S105  of a broker that lives for a second


def password_file(folder: Path) -> Path:
    file = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", file, "edged", PASSWORD], check=True, capture_output=True)  # noqa: S607
    return file


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_reported_once_in_the_brokers_words_and_not_hammered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    caplog.set_level(logging.DEBUG, "edged.mqtt")

    async def scenario(port: int) -> None:
        async with running(make_client(port, protocol=protocol, username="edged", password="wr0ng")) as client:  # noqa: S106
            await soon(lambda: "Not authorized" in (client.state().reason or ""))
            await asyncio.sleep(1)
            assert not client.state().connected
            assert client.state().protocol is None

    with Mosquitto(tmp_path, lines=[f"password_file {password_file(tmp_path)}"]) as broker:
        asyncio.run(scenario(broker.port))
        assert broker.log.count("not authorised") == 1
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [
        f"mqtt: no connection to {HOST}:{broker.port}: the broker refuses the connection: Not authorized"
    ]
    assert "wr0ng" not in caplog.text


def test_the_right_password_is_let_in(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        client = make_client(port, username="edged", password=PASSWORD)
        assert PASSWORD not in repr(vars(client))
        async with running(client):
            await soon(lambda: client.state().connected)

    with Mosquitto(tmp_path, lines=[f"password_file {password_file(tmp_path)}"]) as broker:
        asyncio.run(scenario(broker.port))


def test_a_topic_that_the_broker_does_not_allow_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic write edged/porch-pi/status\n")

    async def scenario(port: int) -> None:
        async with running(make_client(port, protocol="5")) as client:
            await soon(lambda: client.state().connected)
            for _ in range(3):
                client.publish("edged/porch-pi/health", b"well", qos=1, retain=True)
                await soon(lambda: client.state().queued == 0)

    with Mosquitto(tmp_path, lines=["allow_anonymous true", f"acl_file {acl}"]) as broker:
        asyncio.run(scenario(broker.port))
    assert [each for each in caplog.messages if "not take" in each] == [
        "mqtt: the broker does not take edged/porch-pi/health: Not authorized; its ACL has to allow that"
    ]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_another_device_with_our_name_is_recognised_and_not_fought(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    async def scenario(broker: Mosquitto) -> None:
        clients = [make_client(broker.port, protocol=protocol) for _ in range(2)]
        async with running(clients[0]), running(clients[1]):
            await soon(lambda: any("give one of the two" in str(each.state().reason) for each in clients), timeout=9)
            before = broker.log.count("New client connected")
            await asyncio.sleep(2)
            assert broker.log.count("New client connected") - before <= 3

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker))
    said = [each for each in caplog.messages if "give one of the two devices another `device:` name" in each]
    assert 1 <= len(said) <= 2, "one for each of the two"
    assert "the id edged-porch-pi" in said[0]


def test_a_broker_that_says_that_the_session_was_taken_over_is_believed_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connections: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(await reader.read(1000))
        writer.write(b"\x20\x03\x00\x00\x00")  # CONNACK
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(b"\xe0\x02\x8e\x00")  # DISCONNECT, as MQTT 5 has it and mosquitto 2.0.11 does not send it
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(answer, HOST, 0)
        async with server, running(make_client(server.sockets[0].getsockname()[1], protocol="5")) as client:
            await soon(lambda: "another client uses the id edged-porch-pi" in str(client.state().reason))
            await asyncio.sleep(3)
            assert len(connections) == 1, "the other one is left in peace"

    asyncio.run(scenario())
    assert len(caplog.messages) == 1


def test_a_node_that_hangs_is_left_for_the_next(tmp_path: Path) -> None:
    async def scenario(first: Mosquitto, second: Mosquitto) -> None:
        servers = [f"{HOST}:{first.port}", f"{HOST}:{second.port}"]
        async with running(make_client(1883, servers=servers, keepalive=1.0)) as client:
            await soon(lambda: client.state().connected)
            first.freeze()
            await soon(lambda: client.state().reconnects == 1, timeout=5)  # the first would take connections still
            with Subscriber(second.port) as subscriber:
                await soon(lambda: subscriber.on("edged/porch-pi/status") == [b"online"])

    with Mosquitto(tmp_path) as first, Mosquitto(tmp_path) as second:
        asyncio.run(scenario(first, second))


def test_a_node_that_takes_the_connection_and_keeps_silent_is_passed_over(tmp_path: Path) -> None:
    async def scenario(first: Mosquitto, second: Mosquitto, third: Mosquitto) -> None:
        servers = [f"{HOST}:{each.port}" for each in (first, second, third)]
        async with running(make_client(1883, servers=servers)) as client:
            await soon(lambda: client.state().connected)
            second.freeze()
            first.kill()
            await soon(lambda: client.state().reconnects == 1, timeout=8)  # 5 s, and not once more for MQTT 3.1.1
            assert client.state().protocol == "5"

    with Mosquitto(tmp_path) as first, Mosquitto(tmp_path) as second, Mosquitto(tmp_path) as third:
        asyncio.run(scenario(first, second, third))


def test_the_next_address_of_a_cluster_is_tried_at_once(tmp_path: Path) -> None:
    async def scenario(broker: Mosquitto) -> None:
        servers = [f"{HOST}:{free_port()}", f"{HOST}:{broker.port}"]
        async with running(make_client(1883, servers=servers)) as client:
            await soon(lambda: client.state().connected, timeout=1)
            with Subscriber(broker.port) as subscriber:
                await soon(lambda: subscriber.on("edged/porch-pi/status") == [b"online"])

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker))
