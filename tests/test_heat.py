"""The share of frames that heat leaves."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config import HeatConfig
from edged.heat import FALL_SECONDS, FULL_SECONDS, RISE_SECONDS, STEP, WELL_BELOW_C, HeatGovernor

SLOW_FROM = 75.0
COOL = SLOW_FROM - WELL_BELOW_C
STEP_SECONDS = 5.0

temperatures = st.none() | st.floats(20, 110)
readings = st.lists(st.tuples(st.floats(0.1, 30), temperatures, st.none() | st.booleans()), max_size=200)
configs = st.builds(HeatConfig, slow_from=st.floats(20, 120), least=st.floats(0.01, 1))


def governor(least: float = 0.2) -> HeatGovernor:
    return HeatGovernor(HeatConfig(slow_from=SLOW_FROM, least=least))


def shares(governor: HeatGovernor, temperature: float | None, seconds: float, *, start: float = 0.0) -> list[float]:
    """What it gives in so many seconds of one temperature."""
    return [governor.step(start + 5 * i, temperature, None) for i in range(int(seconds / 5))]


def run(governor: HeatGovernor, steps: list[tuple[float, float | None, bool | None]]) -> Iterator[tuple[float, float]]:
    """Time and share after each reading."""
    now = 0.0
    for pause, temperature, throttled in steps:
        now += pause
        yield now, governor.step(now, temperature, throttled)


def test_share_falls_at_once_and_stepwise_while_it_is_hot_down_to_the_least() -> None:
    heat = governor()
    seen = shares(heat, SLOW_FROM, 120)
    assert seen[0] == STEP
    assert seen[1] == STEP  # not every reading: the last step must show first
    assert seen[2] == pytest.approx(STEP**2)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 0.2


def test_share_stays_between_the_two_temperatures() -> None:
    heat = governor()
    shares(heat, 80, 40)
    assert set(shares(heat, SLOW_FROM - 1, 3600, start=40)) == {heat.share}
    assert heat.slowed


def test_share_rises_slowly_to_all_when_it_is_well_below() -> None:
    heat = governor()
    shares(heat, 80, 120)
    seen = shares(heat, COOL, 3600, start=120)
    assert seen == sorted(seen)
    assert seen[int(RISE_SECONDS / 5) - 1] == 0.2
    assert seen[int(RISE_SECONDS / 5)] > 0.2
    assert seen[-1] == 1.0
    assert not heat.slowed


def test_board_that_throttles_itself_counts_as_hot() -> None:
    heat = governor()
    assert heat.step(0, 70, throttled=True) == STEP
    assert heat.step(FALL_SECONDS, None, throttled=True) == pytest.approx(STEP**2)
    assert heat.step(FALL_SECONDS + RISE_SECONDS, 70, throttled=True) == pytest.approx(STEP**3)


def test_cool_board_that_throttles_itself_lacks_power_and_labels_on() -> None:
    heat = governor()
    assert heat.step(0, 50, throttled=True) == 1.0
    assert heat.news() is None


def test_reading_that_fails_once_changes_nothing() -> None:
    heat = governor()
    shares(heat, 80, 60)
    share = heat.share
    assert heat.step(60, None, None) == share


@given(st.lists(st.floats(0.1, 30), max_size=50))
def test_unknown_temperature_is_all_frames(pauses: list[float]) -> None:
    assert all(share == 1.0 for _, share in run(governor(), [(pause, None, None) for pause in pauses]))


@given(readings)
def test_null_is_all_frames_whatever_comes(steps: list[tuple[float, float | None, bool | None]]) -> None:
    heat = HeatGovernor(HeatConfig(slow_from=None))
    assert all(share == 1.0 for _, share in run(heat, steps))
    assert heat.news() is None


@given(configs, readings)
def test_share_is_always_between_the_least_and_all(
    config: HeatConfig, steps: list[tuple[float, float | None, bool | None]]
) -> None:
    assert all(config.least <= share <= 1.0 for _, share in run(HeatGovernor(config), steps))


@given(configs, readings)
def test_one_reading_is_one_step_at_most(
    config: HeatConfig, steps: list[tuple[float, float | None, bool | None]]
) -> None:
    seen = [1.0, *(share for _, share in run(HeatGovernor(config), steps))]
    assert all(b >= a * STEP * 0.999 and b <= max(a / STEP, a) * 1.001 for a, b in itertools.pairwise(seen))


@given(configs, readings)
def test_share_never_rises_within_a_minute_of_a_change_nor_falls_within_ten_seconds_of_a_fall(
    config: HeatConfig, steps: list[tuple[float, float | None, bool | None]]
) -> None:
    before, changed, fell = 1.0, -1e9, -1e9
    for now, share in run(HeatGovernor(config), steps):
        if share > before:
            assert now - changed >= RISE_SECONDS
        if share < before:
            assert now - fell >= FALL_SECONDS
            fell = now
        if share != before:
            before, changed = share, now


@given(readings)
def test_slowing_that_has_begun_lasts_five_minutes_at_least_so_that_the_log_stays_short(
    steps: list[tuple[float, float | None, bool | None]],
) -> None:
    heat = governor()
    began = None
    for now, _ in run(heat, steps):
        if began is None and heat.slowed:
            began = now
        if began is not None and not heat.slowed:
            assert now - began >= FULL_SECONDS
            began = None


@given(readings)
def test_hotter_never_gives_more_frames(steps: list[tuple[float, float | None, bool | None]]) -> None:
    hot = [(pause, None if degrees is None else degrees + 5, throttled) for pause, degrees, throttled in steps]
    for (_, cooler), (_, hotter) in zip(run(governor(), steps), run(governor(), hot), strict=True):
        assert hotter <= cooler


def test_begin_and_end_of_slowing_are_news_once_each() -> None:
    heat = governor()
    news = []
    for i in range(2000):
        heat.step(5.0 * i, 80.4 if 100 <= i < 200 else 60.0, None)
        news.append(heat.news())
    said = {i: text for i, text in enumerate(news) if text}
    over = 200 + int((7 * RISE_SECONDS + FULL_SECONDS) / 5)
    assert list(said) == [100, over]
    assert said[100].startswith("heat: 80 °C, so fewer frames are labelled until it is below 72 °C (heat.slow_from)")
    assert said[over] == "heat: all frames are labelled again (60 °C)"


def test_news_of_a_board_that_throttles_below_the_limit_names_the_supply() -> None:
    heat = governor()
    heat.step(0, 68.0, throttled=True)
    assert "power supply" in str(heat.news())
    assert heat.news() is None


def test_least_of_one_never_slows() -> None:
    assert set(shares(governor(least=1.0), 110, 600)) == {1.0}


def test_board_at_its_equilibrium_settles() -> None:
    """A board whose temperature follows the work done, with a lag: the share ends up still, or nearly so."""
    heat = governor()
    temperature, share = 40.0, 1.0
    seen = []
    for i in range(3000):
        temperature += (45 + 40 * share - temperature) * (STEP_SECONDS / 60)
        share = heat.step(STEP_SECONDS * i, temperature, None)
        seen.append(share)
    changes = sum(a != b for a, b in itertools.pairwise(seen[-720:]))  # the last hour
    assert changes <= 60 * 2
    assert max(seen[-720:]) - min(seen[-720:]) <= 0.5
