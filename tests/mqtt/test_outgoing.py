"""The queue between who publishes and the network."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.outgoing import Message, Outgoing


def label(payload: str, topic: str = "labels") -> Message:
    return Message(topic, payload.encode(), qos=0, retain=False)


def event(payload: str) -> Message:
    return Message("events", payload.encode(), qos=1, retain=False)


def state(topic: str, payload: str) -> Message:
    return Message(topic, payload.encode(), qos=1, retain=True)


def drained(outgoing: Outgoing) -> list[str]:
    return [message.payload.decode() for message in iter(outgoing.take, None)]


def test_messages_come_out_in_order() -> None:
    outgoing = Outgoing()
    for message in (label("1"), state("status", "2"), event("3"), label("4")):
        outgoing.put(message)
    assert drained(outgoing) == ["1", "2", "3", "4"]


def test_beyond_the_count_the_oldest_is_dropped_and_counted() -> None:
    outgoing = Outgoing(max_messages=3)
    for number in range(5):
        outgoing.put(label(str(number)))
    assert drained(outgoing) == ["2", "3", "4"]
    assert outgoing.dropped == 2


def test_beyond_the_bytes_the_oldest_is_dropped() -> None:
    outgoing = Outgoing(max_bytes=10_000)
    for number in range(5):
        outgoing.put(label(str(number) * 4000))
    assert [text[0] for text in drained(outgoing)] == ["3", "4"]


def test_a_message_larger_than_the_queue_is_dropped_alone() -> None:
    outgoing = Outgoing(max_bytes=10_000)
    outgoing.put(label("x" * 20_000))
    outgoing.put(label("small"))
    assert drained(outgoing) == ["small"]


def test_of_a_retained_topic_only_the_newest_is_sent_and_it_keeps_its_place() -> None:
    outgoing = Outgoing()
    for message in (state("health", "old"), label("between"), state("health", "new")):
        outgoing.put(message)
    assert drained(outgoing) == ["new", "between"]


def test_what_is_retained_is_never_dropped_for_what_is_not() -> None:
    outgoing = Outgoing(max_messages=2)
    outgoing.put(state("health", "well"))
    for number in range(10):
        outgoing.put(label(str(number)))
    assert drained(outgoing) == ["well", "8", "9"]


def test_a_new_connection_gets_everything_retained_first_in_the_order_of_its_first_setting() -> None:
    outgoing = Outgoing()
    for message in (state("status", "online"), state("health", "1"), label("waiting"), state("status", "again")):
        outgoing.put(message)
    drained(outgoing)
    outgoing.put(label("new"))
    outgoing.renew()
    assert drained(outgoing) == ["again", "1", "new"]


def test_what_a_connection_did_not_get_out_comes_first_on_the_next_one() -> None:
    outgoing = Outgoing()
    for message in (event("1"), label("2"), event("3"), label("4")):
        outgoing.put(message)
    taken = [outgoing.take() for _ in range(3)]
    outgoing.give_back([each for each in taken if each is not None])
    assert drained(outgoing) == ["1", "2", "3", "4"]


def test_a_label_that_waited_too_long_is_dropped_and_an_event_is_not() -> None:
    outgoing = Outgoing(stale_s=0.05)
    outgoing.put(label("old"))
    outgoing.put(event("old event"))
    time.sleep(0.06)
    outgoing.put(label("new"))
    assert drained(outgoing) == ["old event", "new"]
    assert outgoing.dropped == 1


steps_of_life = st.sampled_from(["put", "state", "take", "back", "renew"])


@given(st.lists(st.tuples(steps_of_life, st.integers(0, 300)), max_size=60))
def test_whatever_happens_the_bounds_hold(steps: list[tuple[str, int]]) -> None:
    outgoing = Outgoing(max_messages=5, max_bytes=2_000)
    taken: list[Message] = []
    for step, size in steps:
        match step:
            case "put":
                outgoing.put(label("x" * size))
            case "state":
                outgoing.put(state(f"state/{size % 3}", "x" * size))
            case "take":
                first = outgoing.take()
                taken += [] if first is None else [first]
            case "back":
                outgoing.give_back(taken)
                taken.clear()
            case _:
                outgoing.renew()
        assert len(outgoing) <= 5 + 3
    passing = [each for each in iter(outgoing.take, None) if not each.retain]
    assert sum(each.size for each in passing) <= 2_000
