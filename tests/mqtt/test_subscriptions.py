"""What a device listens to, over a real broker."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from support.mosquitto import Subscriber, make_client, running, soon

if TYPE_CHECKING:
    import pytest
    from support.mosquitto import Mosquitto

TOPIC = "edged/porch-pi/model/set"


def test_what_is_published_reaches_the_handler_also_after_the_broker_was_restarted(
    broker: Mosquitto, subscriber: Subscriber
) -> None:
    heard: list[bytes] = []

    def again() -> bool:
        subscriber.send(TOPIC, b"two")
        return b"two" in heard

    async def scenario() -> None:
        client = make_client(broker.port)
        client.subscribe(TOPIC, lambda incoming: heard.append(incoming.payload))
        async with running(client):
            await soon(lambda: client.state().connected)
            subscriber.send(TOPIC, b"one")
            subscriber.send(f"{TOPIC}s", b"for somebody else")
            await soon(lambda: heard == [b"one"])
            broker.restart()
            await soon(lambda: client.state().connected and client.state().reconnects >= 1, 20.0)
            await soon(again, 20.0)

    asyncio.run(scenario())
    assert set(heard) == {b"one", b"two"}


def test_a_retained_command_is_ignored_and_said(
    broker: Mosquitto, subscriber: Subscriber, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []

    async def scenario() -> None:
        subscriber.send(TOPIC, b"old", retain=True)
        await soon(lambda: subscriber.on(TOPIC) == [b"old"])
        client = make_client(broker.port)
        client.subscribe(TOPIC, lambda incoming: heard.append(incoming.payload))
        async with running(client):
            await soon(lambda: "a retained command" in caplog.text)
            subscriber.send(TOPIC, b"new")
            await soon(lambda: heard == [b"new"])

    caplog.set_level(logging.WARNING)
    asyncio.run(scenario())
