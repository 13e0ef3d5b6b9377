"""When an update has to wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from edged.config import Window
from edged.updates.clock import Reading
from edged.updates.conditions import SPARE_BYTES, Rules, Situation, in_window, why_wait

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
NOW = Situation(Reading(NOON, NOON - timedelta(days=1)), NOON, metered=False, free=SPARE_BYTES + 1000)
NIGHT, OVER_MIDNIGHT = Window(time(2), time(5)), Window(time(22), time(6, 30))


def test_nothing_to_wait_for() -> None:
    assert why_wait(Rules(), NOW, 1000) is None
    assert why_wait(Rules(Window(time(12), time(13))), NOW, 1000) is None
    assert why_wait(Rules(metered=True), replace(NOW, metered=True), 1000) is None


@pytest.mark.parametrize(
    ("rules", "now", "words"),
    [
        (Rules(), replace(NOW, clock=Reading(NOON, NOON + timedelta(days=900))), "the clock is not set"),
        (Rules(NIGHT), NOW, r"it waits for the window 02:00-05:00 \(registry.window; here it is 12:00\)"),
        (Rules(), replace(NOW, metered=True), r"metered \(registry.metered: true"),
        (Rules(), replace(NOW, free=SPARE_BYTES + 999), "the disk has 64 MB free; 65 MB are needed"),
    ],
)
def test_reason_to_wait_is_said(rules: Rules, now: Situation, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(why_wait(rules, now, 1000))


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        (NIGHT, time(2), True),
        (NIGHT, time(4, 59, 59), True),
        (NIGHT, time(5), False),
        (NIGHT, time(1, 59, 59), False),
        (OVER_MIDNIGHT, time(23), True),
        (OVER_MIDNIGHT, time(0), True),
        (OVER_MIDNIGHT, time(6, 29), True),
        (OVER_MIDNIGHT, time(6, 30), False),
        (OVER_MIDNIGHT, time(12), False),
        (Window(time(3), time(3)), time(12), True),
    ],
)
def test_window(window: Window, moment: time, *, inside: bool) -> None:
    assert in_window(window, datetime.combine(NOON, moment, UTC)) is inside
