"""Who is answered, how often, and what is carried out once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from support.mosquitto import make_client, running, soon

from edged.answers import BURST, Answers
from edged.mqtt.incoming import Incoming

if TYPE_CHECKING:
    from support.mosquitto import Mosquitto, Subscriber

Scenario = Callable[[Answers], Awaitable[None]]


def answered(broker: Mosquitto, subscriber: Subscriber, scenario: Scenario, count: int) -> list[dict[str, Any]]:
    """The answers to a scenario, once there are so many and a moment has passed."""

    async def run() -> None:
        client = make_client(broker.port)
        async with running(client):
            await soon(lambda: client.state().connected, 20)
            await scenario(Answers(client))
            await soon(lambda: len(subscriber.on(client.topics.result)) >= count, 20)
            await asyncio.sleep(0.2)

    asyncio.run(run())
    return [json.loads(payload) for payload in subscriber.on("edged/porch-pi/result")]


def command(payload: bytes, response: str | None = None) -> Incoming:
    return Incoming("edged/porch-pi/inference/set", payload, response)


def test_a_repeat_under_way_is_answered_at_its_end_and_a_later_one_at_once(
    broker: Mosquitto, subscriber: Subscriber
) -> None:
    async def scenario(answers: Answers) -> None:
        reply = answers.take("model/set", command(b'{"id": "1"}'))
        assert reply is not None
        assert answers.take("model/set", command(b'{"id": "1"}', "edged/answers")) is None
        reply(None)
        assert answers.take("model/set", command(b'{"id": "1"}')) is None
        assert answers.take("inference/set", command(b'{"id": "1"}')) is not None, "another command"

    assert [each["id"] for each in answered(broker, subscriber, scenario, 2)] == ["1", "1"]
    assert len(subscriber.on("edged/answers")) == 1


def test_what_failed_may_be_tried_again_with_its_id(broker: Mosquitto, subscriber: Subscriber) -> None:
    async def scenario(answers: Answers) -> None:
        for error in ("not now", None):
            reply = answers.take("model/set", command(b'{"id": "1"}'))
            assert reply is not None
            reply(error)

    assert [each["error"] for each in answered(broker, subscriber, scenario, 2)] == ["not now", None]


def test_of_a_flood_a_few_are_told_so(broker: Mosquitto, subscriber: Subscriber) -> None:
    async def scenario(answers: Answers) -> None:
        taken = [answers.take("inference/set", command(b"{}")) for _ in range(10 * BURST)]
        assert BURST <= sum(reply is not None for reply in taken) <= BURST + 5

    assert BURST <= len(answered(broker, subscriber, scenario, BURST)) <= BURST + 5
