"""What a broker says of a device whose connection is gone, and when."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import HOST, make_client, running, soon, until

from edged.config.mqtt import MqttConfig
from edged.mqtt.transport import WILL_DELAY_S, Identity, Version, connect, new_client

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from support.mosquitto import Mosquitto, Subscriber

STATUS = "edged/porch-pi/status"
TICK_S = 2.5  # mosquitto looks once a second at wills that wait


def connected(port: int, version: Version) -> Client:
    """A device's connection that nobody serves any more, as on a link that has died; the broker holds it."""
    client = new_client(MqttConfig(host=HOST, port=port), Identity("porch-pi"), version)
    connect(client, HOST, port, 60, version)
    deadline = time.monotonic() + 5
    while not client.is_connected():
        assert time.monotonic() < deadline
        client.loop_read()
        client.loop_write()
    return client


@pytest.mark.parametrize(("version", "said"), [("5", []), ("3.1.1", [b"offline"])])
def test_a_new_connection_in_the_place_of_one_that_hangs_is_no_absence(
    broker: Mosquitto, subscriber: Subscriber, version: Version, said: list[bytes]
) -> None:
    async def scenario() -> None:
        hangs = connected(broker.port, version)
        async with running(make_client(broker.port, protocol=version)) as client:
            await soon(lambda: client.state().connected and client.state().queued == 0)
            await asyncio.sleep(WILL_DELAY_S + TICK_S)
            assert subscriber.on(STATUS) == [*said, b"online"]
        sock = hangs.socket()
        assert sock is not None
        sock.close()

    asyncio.run(scenario())
    until(lambda: subscriber.on(STATUS)[-1] == b"offline")


@pytest.mark.parametrize(("version", "seconds"), [("5", WILL_DELAY_S + TICK_S), ("3.1.1", 1.0)])
def test_a_death_is_told_soon(broker: Mosquitto, subscriber: Subscriber, version: Version, seconds: float) -> None:
    async def scenario() -> None:
        client = connected(broker.port, version)
        sock = client.socket()
        assert sock is not None
        sock.close()
        await soon(lambda: subscriber.on(STATUS) == [b"offline"], seconds)

    asyncio.run(scenario())
