"""When to try again, and what a row of endings means."""

from __future__ import annotations

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edged.mqtt.ending import Cause, Ending, farewell, refusal
from edged.mqtt.retry import Backoff, Retry

CUT = Ending(Cause.LOST, "the broker closed the connection", lasted=0.5, closed_by_broker=True)


def test_delays_grow_up_to_the_most_and_have_jitter() -> None:
    backoff = Backoff(least=0.2, first=1.0, most=60.0)
    delays = [backoff.next() for _ in range(2000)]
    assert delays[0] <= 1.0
    assert delays[1] <= 2.0
    assert min(delays) >= 0.2
    assert 50.0 < max(delays) <= 60.0
    assert len({round(delay, 3) for delay in delays}) > 1000


def test_delays_start_small_again_after_a_good_connection() -> None:
    retry = Retry()
    for _ in range(10):
        retry.delay(Ending(Cause.UNREACHABLE, "connection refused"))
    assert retry.delay(Ending(Cause.LOST, "the broker closed the connection", lasted=31.0)) <= 1.0


def test_a_refusal_is_not_hammered_against() -> None:
    retry = Retry()
    refused = Ending(Cause.REFUSED, "Not authorized")
    delays = [retry.delay(refused) for _ in range(100)]
    assert min(delays) >= 30.0
    assert max(delays) <= 300.0


def test_two_devices_that_take_one_id_from_each_other_do_not_fight() -> None:
    assert Retry().delay(Ending(Cause.TAKEN_OVER, "another client", lasted=0.1)) >= 5.0


def test_three_short_connections_in_a_row_mean_a_takeover_in_mqtt_3() -> None:
    retry = Retry()
    judged = [retry.judge(CUT, "edged-porch-pi") for _ in range(3)]
    assert [ending.cause for ending in judged] == [Cause.LOST, Cause.LOST, Cause.TAKEN_OVER]
    assert "edged-porch-pi" in judged[-1].reason


def test_a_long_connection_between_short_ones_is_no_takeover() -> None:
    retry = Retry()
    long = Ending(Cause.LOST, "the broker closed the connection", lasted=60.0, closed_by_broker=True)
    causes = [retry.judge(ending, "edged-x").cause for ending in (CUT, CUT, long, CUT, CUT)]
    assert Cause.TAKEN_OVER not in causes


def test_mqtt_5_says_itself_that_a_session_was_taken_over() -> None:
    code = ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E)
    ending = farewell(code, None, "edged-porch-pi", lasted=60.0)
    assert ending.cause is Cause.TAKEN_OVER
    assert "edged-porch-pi" in ending.reason


def test_what_the_broker_says_beside_a_refusal_is_passed_on() -> None:
    properties = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    properties.ReasonString = "come back on Monday"
    ending = refusal(ReasonCode(PacketTypes.CONNACK, "Banned"), properties)
    assert ending.cause is Cause.REFUSED
    assert ending.reason == "the broker refuses the connection: Banned (come back on Monday)"


def test_a_refusal_that_passes_by_itself_is_told_from_one_that_does_not() -> None:
    assert refusal(ReasonCode(PacketTypes.CONNACK, "Server busy"), None).cause is Cause.BUSY
    assert refusal(ReasonCode(PacketTypes.CONNACK, "Bad user name or password"), None).cause is Cause.REFUSED
