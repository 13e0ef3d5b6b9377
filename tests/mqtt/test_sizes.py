"""Messages that are too large: those that come in, and those that the broker does not take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from support.mosquitto import Mosquitto, Subscriber, make_client, running, soon

from edged.mqtt.transport import MOST_PACKET_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

COMMAND = "edged/porch-pi/a/set/fps"
CONFIG = "homeassistant/device/edged-porch-pi/config"
HEALTH = "edged/porch-pi/health"


def test_a_huge_command_does_not_reach_the_device_and_the_next_one_does(
    broker: Mosquitto, subscriber: Subscriber
) -> None:
    heard: list[bytes] = []

    async def scenario() -> None:
        client = make_client(broker.port, protocol="5")
        client.subscribe(COMMAND, lambda incoming: heard.append(incoming.payload))
        async with running(client):
            await soon(lambda: client.state().connected)
            await asyncio.sleep(0.2)
            subscriber.send(COMMAND, bytes(2 * MOST_PACKET_BYTES))
            subscriber.send(COMMAND, b"5")
            await soon(lambda: bool(heard))
            assert heard == [b"5"]
            assert client.state().reconnects == 0

    asyncio.run(scenario())


def test_a_message_that_the_broker_does_not_take_is_said_once_and_ends_no_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(broker: Mosquitto) -> None:
        client = make_client(broker.port, protocol="5")
        client.publish(CONFIG, bytes(30_000), qos=1, retain=True)
        with Subscriber(broker.port, "#") as subscriber:
            async with running(client):
                for turn in range(2):
                    client.publish(HEALTH, str(turn).encode(), qos=1, retain=True)
                    await soon(lambda: client.state().connected and client.state().queued == 0)
                    client.repeat()
                    await soon(lambda turn=turn: str(turn).encode() in subscriber.on(HEALTH))  # type: ignore[misc]
                assert client.state().reconnects == 0
                assert not subscriber.on(CONFIG)

    with Mosquitto(tmp_path, lines=["allow_anonymous true", "max_packet_size 20000"]) as broker:
        asyncio.run(scenario(broker))
    assert [message for message in caplog.messages if CONFIG in message] == [
        f"mqtt: the broker does not take {CONFIG}: 30058 bytes, and it takes 20000"
    ]
