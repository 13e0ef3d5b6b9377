"""Who is answered, how often, and what is carried out once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
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


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "value", "action", "x"]), inner),
    max_leaves=8,
)
PAYLOADS = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())


@given(PAYLOADS, st.text(max_size=20), st.none() | st.text(min_size=1, max_size=20))
def test_whatever_is_sent_is_answered_in_json_and_raises_nothing(payload: bytes, name: str, error: str | None) -> None:
    client = make_client(1)
    answers = Answers(client)
    reply = answers.take(name, Incoming(f"edged/porch-pi/{name}", payload))
    assert reply is not None
    reply(error)
    sent = list(iter(client._outgoing.take, None))  # noqa: SLF001  nothing else is connected
    (result,) = [json.loads(message.payload) for message in sent if message.topic == client.topics.result]
    assert (result["command"], result["ok"], result["error"]) == (name, error is None, error)


def test_only_topics_for_answers_are_answered_to_among_the_devices_own() -> None:
    client = make_client(1)
    answers = Answers(client)
    for topic in ("edged/porch-pi/a/events", "edged/porch-pi/status", "edged/porch-pi/result/me", "answers/me"):
        reply = answers.take("model/set", command(b"{}", topic))
        assert reply is not None
        reply(None)
    sent = list(iter(client._outgoing.take, None))  # noqa: SLF001  as above
    answered = {message.topic for message in sent} - {client.topics.status, client.topics.result}
    assert answered == {"edged/porch-pi/result/me", "answers/me"}


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


def test_who_waits_in_this_process_is_told_each_time() -> None:
    told: list[str | None] = []
    answers = Answers(make_client(1))
    for _ in range(10 * BURST):
        reply = answers.take("inference/set", Incoming("edged/porch-pi/inference/set", b"{}", answered=told.append))
        if reply is not None:
            reply(None)
    assert len(told) == 10 * BURST
    assert BURST <= told.count(None) <= BURST + 5
