"""A broker that is away or that does not move: publishing goes on, memory is bounded, nothing waits for long."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import Mosquitto, Subscriber, free_port, make_client, running, soon

from edged.mqtt.outgoing import MAX_BYTES, MAX_MESSAGES

if TYPE_CHECKING:
    from pathlib import Path

    from edged.mqtt.client import MqttClient

STATUS = "edged/porch-pi/status"
LABELS = "edged/porch-pi/porch/labels"


async def publish_from_many_threads(client: MqttClient, size: int) -> float:
    """10 threads, 1000 messages each. The longest that one `publish` took, in seconds."""
    longest: list[float] = []

    def publish(number: int) -> None:
        payload = bytes(size)
        slowest = 0.0
        for count in range(1000):
            began = time.perf_counter()
            client.publish(f"{LABELS}/{number}", payload, qos=count % 2, retain=count % 10 == 0)
            slowest = max(slowest, time.perf_counter() - began)
        longest.append(slowest)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    await soon(lambda: len(longest) == 10, timeout=20)
    return max(longest)


@pytest.mark.parametrize("size", [300, 20_000])
def test_publishing_never_blocks_and_is_bounded_while_the_broker_is_away(size: int) -> None:
    async def scenario() -> None:
        async with running(make_client(free_port())) as client:
            assert await publish_from_many_threads(client, size) < 0.5
            state = client.state()
            assert state.queued <= MAX_MESSAGES + 11  # 10 retained topics and the status
            assert state.queued * size <= MAX_BYTES + 11 * size
            assert state.dropped > 7000

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [300, 20_000])
def test_publishing_never_blocks_and_is_bounded_while_the_broker_is_frozen(tmp_path: Path, size: int) -> None:
    async def scenario(broker: Mosquitto) -> None:
        async with running(make_client(broker.port)) as client:
            await soon(lambda: client.state().connected and client.state().queued == 0)
            broker.freeze()
            assert await publish_from_many_threads(client, size) < 0.5
            assert client.state().queued * size <= MAX_BYTES + (11 + 16) * size
            broker.thaw()
            await soon(lambda: client.state().queued == 0)
            assert client.state().connected
            assert client.state().reconnects == 0

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_frozen_broker_is_noticed_by_keep_alive_and_found_again(tmp_path: Path, protocol: str) -> None:
    async def scenario(broker: Mosquitto) -> None:
        async with running(make_client(broker.port, keepalive=1.0, protocol=protocol)) as client:
            await soon(lambda: client.state().connected and client.state().queued == 0)
            broker.freeze()
            began = time.monotonic()
            while client.state().connected:  # labels go on as if nothing was
                client.publish(LABELS, b"cat")
                assert time.monotonic() - began < 4
                await asyncio.sleep(0.02)
            assert "no answer for 1 s" in (client.state().reason or "")
            broker.thaw()
            await soon(lambda: client.state().connected, timeout=8)
            with Subscriber(broker.port) as subscriber:
                await soon(lambda: subscriber.on(STATUS)[-1:] == [b"online"])

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker))


def test_stopping_with_a_frozen_broker_takes_two_seconds_and_the_last_will_speaks(tmp_path: Path) -> None:
    async def scenario(broker: Mosquitto) -> None:
        client = make_client(broker.port)
        run = asyncio.create_task(client.run())
        await soon(lambda: client.state().connected and client.state().queued == 0)
        broker.freeze()
        for _ in range(2000):
            client.publish(LABELS, bytes(5000))  # what the kernel takes is full, too
        began = time.monotonic()
        await client.stop()
        await run
        assert time.monotonic() - began < 2
        broker.thaw()
        with Subscriber(broker.port) as late:
            await soon(lambda: late.on(STATUS)[-1:] == [b"offline"], 10)

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker))


def test_a_broker_that_is_frozen_at_start_is_waited_for(tmp_path: Path) -> None:
    async def scenario(broker: Mosquitto) -> None:
        broker.freeze()
        async with running(make_client(broker.port, protocol="5")) as client:
            await soon(lambda: "does not answer" in (client.state().reason or ""), timeout=7)
            broker.thaw()
            await soon(lambda: client.state().connected)

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker))
