"""Who is stuck: nobody too early, everybody in the end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = st.sampled_from(["pipeline", "loop", "mqtt"])
TIMES = st.floats(0, 1e6)
LIMITS = st.dictionaries(NAMES, st.floats(0.001, 1e6), min_size=1)
BEATS = st.lists(st.tuples(NAMES, TIMES))


def expecting(limits: Mapping[str, float], beats: Sequence[tuple[str, float]] = ()) -> Progress:
    """Everybody expected from 0 on, then the beats in the order given."""
    progress = Progress()
    for name, limit in limits.items():
        progress.expect(name, limit, 0.0)
    for name, moment in beats:
        progress.beat(name, moment)
    return progress


@given(LIMITS, BEATS, TIMES)
def test_those_are_stuck_whose_latest_beat_is_older_than_their_own_limit(
    limits: dict[str, float], beats: list[tuple[str, float]], now: float
) -> None:
    latest = {name: max([0.0, *(moment for each, moment in beats if each == name)]) for name in limits}
    expected = sorted(name for name, limit in limits.items() if now - latest[name] > limit)
    assert expecting(limits, beats).stuck(now) == expected


@given(LIMITS, BEATS, st.permutations([0, 1, 2, 3, 4]), TIMES)
def test_the_order_in_which_beats_arrive_does_not_matter(
    limits: dict[str, float], beats: list[tuple[str, float]], order: list[int], now: float
) -> None:
    beats = beats[:5]
    shuffled = [beats[place] for place in order if place < len(beats)]
    assert expecting(limits, beats).stuck(now) == expecting(limits, shuffled).stuck(now)


@given(LIMITS, BEATS, TIMES, TIMES)
def test_without_a_beat_the_stuck_stay_stuck(
    limits: dict[str, float], beats: list[tuple[str, float]], now: float, more: float
) -> None:
    progress = expecting(limits, beats)
    assert set(progress.stuck(now)) <= set(progress.stuck(now + more))


@given(LIMITS, BEATS, TIMES)
def test_a_beat_frees_the_one_that_beats_and_no_other(
    limits: dict[str, float], beats: list[tuple[str, float]], now: float
) -> None:
    progress = expecting(limits, beats)
    before = progress.stuck(now)
    name = next(iter(limits))
    progress.beat(name, now)
    assert progress.stuck(now) == [each for each in before if each != name]


@given(LIMITS, TIMES, TIMES)
def test_what_is_forgotten_is_never_stuck_and_no_late_beat_brings_it_back(
    limits: dict[str, float], moment: float, later: float
) -> None:
    progress = expecting(limits)
    for name in limits:
        progress.forget(name)
        progress.beat(name, moment)
    assert progress.stuck(moment + later) == []


def test_a_part_has_its_whole_limit_from_when_it_is_expected() -> None:
    progress = Progress()
    progress.expect("pipeline", 5.0, 100.0)
    assert (progress.stuck(105.0), progress.stuck(105.1)) == ([], ["pipeline"])
    progress.expect("pipeline", 60.0, 105.1)  # a model is being loaded, say
    assert progress.stuck(165.0) == []


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_a_limit_that_nobody_can_keep_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="limit of pipeline"):
        Progress().expect("pipeline", limit)


def test_beats_come_from_threads_while_somebody_looks() -> None:
    progress = Progress()
    names = [f"camera {number}" for number in range(8)]
    for name in names:
        progress.expect(name, 0.5)
    end = threading.Event()

    def work(name: str) -> None:
        while not end.wait(0.001):
            progress.beat(name)
            progress.expect(f"{name} again", 60.0)
            progress.forget(f"{name} again")

    threads = [threading.Thread(target=work, args=(name,)) for name in names[1:]]  # the first one hangs
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while names[0] not in progress.stuck() and time.monotonic() < deadline:
        time.sleep(0.001)
    seen = progress.stuck()
    end.set()
    for thread in threads:
        thread.join()
    assert names[0] in seen
    time.sleep(0.6)
    assert progress.stuck() == names
