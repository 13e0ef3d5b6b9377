"""What has been present: spans from events, and from what is known to be so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.event_messages import Event, Happening
from edged.outbox import Known, State
from edged.web.history import DAY, MOST_EVENTS, MOST_LABELS, MOST_SPANS, History, Span

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def event(what: Happening, minutes: float, label: str = "Cat") -> Event:
    return Event("porch", what, label, 0.9, at(minutes), None)


def test_a_span_begins_and_ends_with_its_events() -> None:
    history = History()
    history.happened([event(Happening.APPEARED, 1), event(Happening.DISAPPEARED, 3), event(Happening.APPEARED, 5)])
    assert history.spans(at(0)) == {("porch", "Cat"): (Span(at(1), at(3)), Span(at(5)))}
    assert history.spans(at(4)) == {("porch", "Cat"): (Span(at(5)),)}
    assert [each.time for each in history.events()] == [at(5), at(3), at(1)]
    assert len(history.events(2)) == 2


def test_what_was_present_before_the_start_is_and_what_is_no_longer_known_is_not() -> None:
    history = History()
    history.agree([Known("porch", "cat", "Cat", State.PRESENT), Known("porch", "dog", "Dog", State.ABSENT)], at(0))
    assert history.spans(at(-1)) == {("porch", "Cat"): (Span(at(0)),)}
    history.agree([], at(2))
    assert history.spans(at(-1)) == {("porch", "Cat"): (Span(at(0), at(2)),)}
    history.agree([], at(2) + DAY + timedelta(seconds=1))
    assert history.spans(at(-1)) == {}


def test_a_clock_that_is_set_back_makes_no_span_that_ends_before_it_begins() -> None:
    history = History()
    history.happened([event(Happening.APPEARED, 5), event(Happening.DISAPPEARED, 1)])
    assert history.spans(at(0)) == {("porch", "Cat"): (Span(at(5), at(5)),)}


@given(st.lists(st.tuples(st.sampled_from(Happening), st.integers(0, 3), st.sampled_from("abc"))))
def test_spans_of_a_label_follow_each_other_and_only_the_last_is_open(steps: list[tuple[Happening, int, str]]) -> None:
    history, minutes = History(), 0
    for what, pause, label in steps:
        minutes += pause
        history.happened([event(what, minutes, label)])
    for spans in history.spans(at(-1)).values():
        assert all(span.end is not None for span in spans[:-1])
        ends = [(span.start, span.end or at(minutes + 1)) for span in spans]
        assert all(start <= end for start, end in ends)
        assert all(before[1] <= after[0] for before, after in pairwise(ends))


def test_it_holds_no_more_than_it_may() -> None:
    history = History()
    for each in range(MOST_LABELS + 10):
        history.happened([event(Happening.APPEARED, 0, f"label {each}")])
    assert len(history.spans(at(-1))) == MOST_LABELS
    for each in range(2 * MOST_SPANS):
        history.happened([event(Happening.APPEARED, each), event(Happening.DISAPPEARED, each)])
    assert len(history.spans(at(-1))["porch", "Cat"]) == MOST_SPANS
    assert len(history.events()) == MOST_EVENTS
