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
CONNECT = 1


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


def test_a_subscription_that_is_refused_is_asked_for_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edged.mqtt.hearing.LEAST_S", 0.2)
    monkeypatch.setattr("edged.mqtt.hearing.FIRST_S", 0.5)
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A broker with a cluster in trouble behind it: the second of two filters is refused at first."""
        while packet := await reader.read(1000):
            if packet[0] >> 4 == CONNECT:
                writer.write(b"\x20\x02\x00\x00")
            start = packet.find(b"\x82")
            if start >= 0 and TOPIC.encode() in packet:
                asked.append(packet[start:])
                codes = b"\x01\x80" if len(asked) == 1 else b"\x01"
                writer.write(b"\x90" + bytes([2 + len(codes)]) + packet[start + 2 : start + 4] + codes)
            await writer.drain()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        client = make_client(server.sockets[0].getsockname()[1], protocol="3.1.1")
        client.subscribe("edged/porch-pi/inference/set", lambda _: None)
        client.subscribe(TOPIC, lambda _: None)
        async with server, running(client):
            await soon(lambda: len(asked) == 2)
            await soon(lambda: f"lets this device subscribe to {TOPIC}" in caplog.text)
            assert b"inference" not in asked[1], "only what was refused"
            await asyncio.sleep(1.5)
            assert len(asked) == 2

    caplog.set_level(logging.INFO)
    asyncio.run(scenario())
    assert len([message for message in caplog.messages if "does not let this device subscribe" in message]) == 1
