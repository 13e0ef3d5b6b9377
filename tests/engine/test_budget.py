"""The restart budget is pure: time is an argument."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.engine.budget import RESTARTS, SLOWEST_SECONDS, WINDOW_SECONDS, RestartBudget


def test_five_deaths_in_a_minute_are_free_and_the_sixth_waits() -> None:
    budget = RestartBudget()
    for second in range(RESTARTS):
        budget.died(float(second))
        assert budget.wait(float(second)) == 0
    budget.died(10.0)
    assert budget.wait(10.0) == 5.0
    budget.died(15.0)
    assert budget.wait(15.0) == 10.0


def test_it_waits_a_minute_at_most_and_never_gives_up() -> None:
    budget, now = RestartBudget(), 0.0
    for _ in range(1000):
        now += budget.wait(now)
        budget.died(now)
        assert 0 <= budget.wait(now) <= SLOWEST_SECONDS


def test_deaths_after_work_do_not_count() -> None:
    budget, now = RestartBudget(), 0.0
    for _ in range(100):
        budget.gave_result(now)
        budget.died(now + 0.1)
        assert budget.wait(now + 0.1) == 0
        now += 0.2


def test_ten_seconds_of_results_clear_everything() -> None:
    budget, now = RestartBudget(), 100.0
    for _ in range(8):
        now += budget.wait(now)
        budget.died(now)
    now += budget.wait(now)
    budget.gave_result(now)
    budget.gave_result(now + 10)
    budget.died(now + 10)  # fruitful: free
    for _ in range(RESTARTS):
        budget.died(now + 11)
        assert budget.wait(now + 11) == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100))))
def test_the_wait_is_bounded_and_old_deaths_are_forgotten(steps: list[tuple[bool, float]]) -> None:
    budget, now = RestartBudget(), 0.0
    for died, pause in steps:
        now += pause
        if died:
            budget.died(now)
        else:
            budget.gave_result(now)
        assert 0 <= budget.wait(now) <= SLOWEST_SECONDS
    assert budget.wait(now + WINDOW_SECONDS + SLOWEST_SECONDS) == 0
