"""What a broker and a subscriber are given with an event, and which of them are sent again."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from support.mosquitto import HOST, Mosquitto, make_client, running, soon

from edged.mqtt.event_messages import MAX_AGE_S, about_events
from edged.mqtt.outgoing import MAX_MESSAGES, Message, Outgoing

if TYPE_CHECKING:
    from pathlib import Path


def event(payload: str) -> Message:
    return Message("edged/x/a/events", payload.encode(), qos=1, retain=False, durable=True, about=about_events("x"))


def drained(outgoing: Outgoing) -> list[Message]:
    return list(iter(outgoing.take, None))


def test_no_event_is_dropped_for_labels_and_the_order_stays() -> None:
    outgoing = Outgoing(max_messages=2)
    outgoing.put(event("1"))
    for number in range(5):
        outgoing.put(Message("labels", str(number).encode(), qos=0, retain=False))
    outgoing.put(event("2"))
    assert [message.payload for message in drained(outgoing)] == [b"1", b"3", b"4", b"2"]


def test_what_was_acknowledged_just_before_the_connection_ended_is_sent_again_first() -> None:
    outgoing = Outgoing()
    messages = [event(str(number)) for number in range(4)]
    for message in messages:
        outgoing.put(message)
    taken = [outgoing.take() for _ in range(3)]
    for message in messages[:2]:
        outgoing.acknowledged(message)
    outgoing.give_back([message for message in taken[2:] if message is not None])
    outgoing.renew()
    assert drained(outgoing) == messages
    outgoing.give_back([])  # and not once more
    outgoing.renew()
    assert drained(outgoing) == []


def test_only_so_many_young_ones_are_kept() -> None:
    outgoing = Outgoing()
    for number in range(MAX_MESSAGES + 500):
        outgoing.acknowledged(event(str(number)))
    outgoing.give_back([])
    outgoing.renew()
    assert drained(outgoing)[0].payload == b"500"


def test_a_subscriber_hears_content_type_expiry_schema_and_device(broker: Mosquitto) -> None:
    heard: list[MQTTMessage] = []
    ready = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda client, *_: client.subscribe("edged/#", 1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: heard.append(message)
    client.connect(HOST, broker.port)
    client.loop_start()
    try:
        assert ready.wait(5)

        async def scenario() -> None:
            async with running(make_client(broker.port)) as publisher:
                publisher.send(event("{}"))
                await soon(lambda: any(message.topic.endswith("events") for message in heard))

        asyncio.run(scenario())
    finally:
        client.disconnect()
        client.loop_stop()
    properties = next(message for message in heard if message.topic.endswith("events")).properties
    assert properties is not None
    said = properties.json()  # type: ignore[no-untyped-call]
    assert said["ContentType"] == "application/json"
    assert MAX_AGE_S - 60 <= said["MessageExpiryInterval"] <= MAX_AGE_S
    assert said["UserProperty"] == [("schema", "1"), ("device", "x")]


def test_an_older_protocol_does_without_them(broker: Mosquitto) -> None:
    async def scenario() -> list[str]:
        told: list[str] = []
        async with running(make_client(broker.port, protocol="3.1.1")) as publisher:
            message = event("{}")
            publisher.send(replace(message, acknowledged=lambda: told.append("it has it")))
            await soon(lambda: bool(told))
        return told

    assert asyncio.run(scenario()) == ["it has it"]


def test_an_event_that_the_broker_refuses_is_not_taken_for_delivered(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic write edged/porch-pi/status\n")
    told: list[str] = []
    with Mosquitto(tmp_path, lines=("allow_anonymous true", f"acl_file {acl}")) as strict:

        async def scenario() -> None:
            async with running(make_client(strict.port)) as publisher:
                refused = replace(
                    event("{}"), acknowledged=lambda: told.append("has"), refused=lambda: told.append("no")
                )
                publisher.send(refused)
                await soon(lambda: bool(told))

        asyncio.run(scenario())
    assert told == ["no"]
