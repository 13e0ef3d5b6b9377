"""What the figures of hot swap are made of: a frame without labels is lost, a pause between two results is a gap."""

from __future__ import annotations

import time

import pytest

from edged.swap_record import SwapRecord


def label(record: SwapRecord, first: int, count: int, *, lost: int = -1) -> None:
    """Frames a hundredth of a second apart."""
    for number in range(first, first + count):
        record.given(number)
        if number != lost:
            record.result(number)
        time.sleep(0.01)


def test_frame_without_labels_is_lost_by_the_swap_that_it_was_given_in() -> None:
    record = SwapRecord()
    label(record, 0, 3, lost=1)  # before it
    with record.swapping(paced=True):
        label(record, 3, 5, lost=5)
    assert (record.lost, record.lost_between) == (1, 0)
    with record.between():
        label(record, 8, 3)
    assert (record.lost, record.lost_between) == (1, 0)


def test_gap_reaches_from_the_last_result_before_the_swap_to_the_first_one_in_it() -> None:
    record = SwapRecord()
    label(record, 0, 3)
    time.sleep(0.1)
    with record.swapping(paced=True):
        label(record, 3, 3)
    with record.between():
        label(record, 6, 3)
    assert 0.1 <= record.gaps[0] < 0.3
    assert record.usual() >= 0.01


def test_labels_that_stop_are_a_gap_too() -> None:
    record = SwapRecord()
    label(record, 0, 3)
    with record.swapping(paced=True):
        time.sleep(0.05)
    assert record.gaps[0] >= 0.25, "the swap, and as long as is waited for the result after it"


@pytest.mark.parametrize("paced", [True, False])
def test_gaps_and_losses_count_at_a_steady_rate_alone(*, paced: bool) -> None:
    record = SwapRecord()
    with record.swapping(paced=paced):
        label(record, 0, 3, lost=1)
    assert (len(record.gaps), record.lost) == (int(paced), int(paced))
