"""The embedded broker: what mosquitto does for us, amqtt must do too."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
import time

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from support.mosquitto import HOST, Subscriber, make_client, running, soon

from edged.errors import UnavailableError
from edged.mqtt.embedded import EmbeddedBroker

pytest.importorskip("amqtt", reason="amqtt is not installed (pip install 'edged[demo]')")

STATUS = "edged/porch-pi/status"
LABELS = "edged/porch-pi/porch/labels"
ACKNOWLEDGED_S = 5.0  # so long amqtt waits for it


def subscribed(port: int) -> Subscriber:
    return Subscriber(port).__enter__()


def test_messages_go_through_and_what_is_retained_stays(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> float:
        async with EmbeddedBroker() as broker:
            subscriber = await asyncio.to_thread(subscribed, broker.port)
            began = time.monotonic()
            async with running(make_client(broker.port)) as client:
                client.publish(LABELS, b"cat")
                await soon(lambda: len(subscriber.received) == 2)
                assert time.monotonic() - began < 0.5, "the fallback from MQTT 5 must not wait"
                assert client.state().protocol == "3.1.1"
            await soon(lambda: subscriber.on(STATUS) == [b"online", b"offline"])
            late = await asyncio.to_thread(subscribed, broker.port)
            await soon(lambda: b"offline" in late.on(STATUS))
            assert all(each.retained and each.payload == b"offline" for each in late.received)  # amqtt sends it twice
            for each in (subscriber, late):
                await asyncio.to_thread(each.__exit__)
            began = time.monotonic()
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 1
    assert [record for record in caplog.records if not record.name.startswith("edged")] == []


def test_a_subscriber_that_does_not_acknowledge_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with EmbeddedBroker() as broker:
            silent = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311, manual_ack=True)
            received: list[bytes] = []
            silent.on_connect = lambda client, *_: client.subscribe("edged/#", qos=1)
            silent.on_message = lambda _client, _data, message: received.append(bytes(message.payload))
            async with running(make_client(broker.port)) as client:
                await soon(lambda: client.state().connected and client.state().queued == 0)  # `online` is retained
                silent.connect(HOST, broker.port)
                silent.loop_start()
                await soon(lambda: b"online" in received)
                client.publish(STATUS, b"again", qos=1)
                await soon(lambda: b"again" in received)
                await asyncio.sleep(ACKNOWLEDGED_S + 1)
                gc.collect()  # what a task that nobody waits for has raised is told when it is thrown away
            await asyncio.to_thread(silent.loop_stop)

    asyncio.run(scenario())
    gc.collect()
    assert [record.getMessage() for record in caplog.records if not record.name.startswith("edged")] == []


def test_what_others_raise_on_the_same_loop_is_told_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("ours")

    async def scenario() -> None:
        async with EmbeddedBroker():
            task = asyncio.create_task(fails())
            await asyncio.sleep(0)
            del task
            gc.collect()

    asyncio.run(scenario())
    assert ["ours" in str(record.exc_info) for record in caplog.records if record.name == "asyncio"] == [True]


def test_the_last_will_is_sent() -> None:
    async def scenario() -> None:
        async with EmbeddedBroker() as broker:
            subscriber = await asyncio.to_thread(subscribed, broker.port)
            client = make_client(broker.port)
            run = asyncio.create_task(client.run())
            await soon(lambda: subscriber.on(STATUS) == [b"online"])
            run.cancel()
            await soon(lambda: subscriber.on(STATUS) == [b"online", b"offline"])
            await asyncio.to_thread(subscriber.__exit__)

    asyncio.run(scenario())


def test_it_ends_within_a_second_with_a_client_that_does_not_read() -> None:
    connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x"
    subscribe = b"\x82\x06\x00\x01\x00\x01#\x00"

    async def scenario() -> float:
        async with EmbeddedBroker() as broker:
            reader, writer = await asyncio.open_connection(HOST, broker.port)
            writer.write(connect + subscribe)
            assert await reader.readexactly(9) == b"\x20\x02\x00\x00\x90\x03\x00\x01\x00"
            async with running(make_client(broker.port)) as client:
                await soon(lambda: client.state().connected)
                for _ in range(1500):
                    client.publish(LABELS, bytes(10_000))
                    await asyncio.sleep(0.0005)
                await soon(lambda: client.state().queued == 0)
            assert client.state().dropped == 0
            began = time.monotonic()
        took = time.monotonic() - began
        writer.transport.abort()
        return took

    assert asyncio.run(scenario()) < 1


@pytest.mark.parametrize("opening", [b"", b"\x10", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\x7f", bytes(100)])
def test_what_is_not_mqtt_does_no_harm(opening: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with EmbeddedBroker() as broker:
            reader, writer = await asyncio.open_connection(HOST, broker.port)
            writer.write(opening)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 2) == b""
            writer.close()
            async with running(make_client(broker.port)) as client:
                await soon(lambda: client.state().connected)

    asyncio.run(scenario())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_port_that_is_taken_is_said() -> None:
    async def scenario(port: int) -> None:
        async with EmbeddedBroker(port):
            pytest.fail("it cannot have started")

    with socket.create_server((HOST, 0)) as taken, pytest.raises(UnavailableError, match=r"mqtt\.port"):
        asyncio.run(scenario(taken.getsockname()[1]))


def test_without_amqtt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)

    async def scenario() -> None:
        async with EmbeddedBroker():
            pytest.fail("it cannot have started")

    with pytest.raises(UnavailableError, match=r"pip install 'edged\[demo\]'"):
        asyncio.run(scenario())
