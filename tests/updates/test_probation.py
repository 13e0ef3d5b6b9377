"""The rule by which a new model is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.updates.probation import ENOUGH, QUICK_SECONDS, Conduct, Standing, Terms, judge, too_slow

TERMS = Terms(results=100, seconds=600.0, slowdown=3.0)
WELL = Conduct(results=100, errors=0, crash=None, seconds=(0.02,) * 100, age=600.0)


def standing(conduct: Conduct, usual: float | None = 0.02, terms: Terms = TERMS) -> Standing:
    return judge(terms, usual, conduct).standing


def test_so_many_results_and_so_long_make_it_good() -> None:
    assert standing(WELL) is Standing.GOOD
    assert standing(replace(WELL, results=99)) is Standing.PENDING
    assert standing(replace(WELL, age=599.9)) is Standing.PENDING


def test_one_crash_is_enough_and_its_reason_is_told() -> None:
    verdict = judge(TERMS, None, replace(WELL, crash="killed by SIGABRT"))
    assert verdict.standing is Standing.FAILED
    assert "killed by SIGABRT" in verdict.reason


@pytest.mark.parametrize(("results", "errors", "told"), [(19, 1, Standing.PENDING), (18, 2, Standing.FAILED)])
def test_frames_that_cannot_be_labelled_are_forgiven_up_to_a_share(results: int, errors: int, told: Standing) -> None:
    conduct = replace(WELL, results=results, errors=errors, seconds=(), age=1.0)
    assert results + errors == ENOUGH
    assert standing(conduct) is told


def test_a_jump_in_time_is_found_long_before_the_end() -> None:
    slow = Conduct(ENOUGH, 0, None, (0.061,) * ENOUGH, 1.0)
    verdict = judge(TERMS, 0.02, slow)
    assert verdict.standing is Standing.FAILED
    assert "61.0 ms" in verdict.reason
    assert "20.0 ms" in verdict.reason
    assert standing(slow, usual=None) is Standing.PENDING, "nothing to compare with"
    assert standing(replace(slow, seconds=(0.061,) * (ENOUGH - 1))) is Standing.PENDING, "too few to say"
    assert standing(replace(slow, seconds=(9.0, *(0.03,) * ENOUGH))) is Standing.PENDING, "one is none"


def test_times_of_no_account_are_not_compared() -> None:
    assert not too_slow(QUICK_SECONDS, 1e-6, 1.0)
    assert too_slow(QUICK_SECONDS * 1.01, 1e-6, 1.0)


@given(
    st.builds(
        Conduct,
        results=st.integers(0, 1000),
        errors=st.integers(0, 1000),
        crash=st.none() | st.text(max_size=5),
        seconds=st.lists(st.floats(0, 10), max_size=60),
        age=st.floats(0, 1e6),
    ),
    st.none() | st.floats(0, 10),
)
def test_good_is_never_said_of_one_that_lacks_results_time_or_crashed(conduct: Conduct, usual: float | None) -> None:
    verdict = judge(TERMS, usual, conduct)
    if verdict.standing is Standing.GOOD:
        assert conduct.results >= TERMS.results
        assert conduct.age >= TERMS.seconds
        assert conduct.crash is None
    assert bool(verdict.reason) is (verdict.standing is not Standing.PENDING)
