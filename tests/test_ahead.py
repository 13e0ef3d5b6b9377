"""Work done ahead: in order, in bounded memory, and stopped when nobody wants more."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from edged.ahead import AHEAD, map_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_the_items_order_whoever_is_ready_first() -> None:
    second_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(10)
        elif number == 1:
            second_done.set()
        return -number

    assert list(map_ahead(work, range(50), 2)) == [-number for number in range(50)]


def test_nothing_in_gives_nothing_out() -> None:
    assert list(map_ahead(str, [], 3)) == []


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_items_are_taken_only_as_they_are_needed(jobs: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in itertools.count():
            taken = number + 1
            yield number

    results = map_ahead(lambda number: number, items(), jobs)
    for asked in range(1, 100):
        assert next(results) == asked - 1
        assert taken <= asked + AHEAD * jobs
    results.close()


def test_so_many_threads_work_at_a_time_and_no_more() -> None:
    meeting, lock = threading.Barrier(3), threading.Lock()
    now = most = 0

    def work(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        meeting.wait(10)  # broken, were there fewer than three
        with lock:
            now -= 1

    list(map_ahead(work, range(30), 3))
    assert most == 3


def test_error_of_the_function_comes_out_in_its_place() -> None:
    results = map_ahead(lambda number: 6 // number, [1, 2, 0, 3], 2)
    assert [next(results), next(results)] == [6, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_error_of_the_items_comes_out() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the folder has gone")

    with pytest.raises(OSError, match="gone"):
        list(map_ahead(str, items(), 1))


def test_closing_ends_the_threads_and_begins_nothing_further() -> None:
    before = threading.active_count()
    begun: list[int] = []
    results = map_ahead(begun.append, itertools.count(), 2)
    next(results)
    results.close()
    assert threading.active_count() == before
    count = len(begun)
    assert count <= 1 + AHEAD * 2
    assert list(results) == []
    assert len(begun) == count
