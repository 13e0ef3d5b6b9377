"""Fewer frames before the board gets so hot that it slows itself down: how many, as a rule of the temperature alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edged.config.schema import HeatConfig

STEP: Final = 0.8  # a level's share of the one above: a quarter of the frames in six steps
FALL_SECONDS: Final = 10.0  # a Pi without a heatsink follows its load within some ten seconds, with one in minutes
RISE_SECONDS: Final = 60.0
FULL_SECONDS: Final = 300.0  # before the last rise, to all frames: nobody wants to read of it every two minutes
WELL_BELOW_C: Final = 3.0
NEAR_C: Final = 15.0  # further below, a board that throttles itself lacks power, not air: fewer frames would not help


class HeatGovernor:
    """The share of every camera's `fps` that may be labelled: 1.0, and in steps down to `least` while it is hot.

    At or above `slow_from`, or while the board throttles itself, the share falls by a fifth, at once and then every
    `FALL_SECONDS`. When it has been `WELL_BELOW_C` cooler, and not throttled, for `RISE_SECONDS` it rises by one step,
    for `FULL_SECONDS` by the last; between the two temperatures it stays. A temperature that the board does not tell
    counts as cool. With `slow_from` null the share is always 1.0.
    """

    def __init__(self, config: HeatConfig) -> None:
        self._slow_from = config.slow_from
        self._least = config.least
        self._lowest = math.ceil(math.log(config.least) / math.log(STEP)) if config.slow_from is not None else 0
        self._level = 0
        self._fell = -math.inf
        self._cool_since: float | None = None
        self._news: str | None = None

    @property
    def share(self) -> float:
        """What the last step gave; 1.0 before the first."""
        return max(self._least, STEP**self._level)

    @property
    def slowed(self) -> bool:
        """Whether the share is less than all."""
        return self._level > 0

    def news(self) -> str | None:
        """A sentence for the log when the last step began or ended the slowing, else None. Says each once."""
        news, self._news = self._news, None
        return news

    def step(self, now: float, temperature_c: float | None, throttled: bool | None) -> float:  # noqa: FBT001  a reading
        """Take in a reading; the share from now on.

        Args:
            now: seconds on the monotonic clock.
            temperature_c: the processor's, in degrees Celsius; None where the board does not tell.
            throttled: whether the board says that it slows itself down; None where it does not tell.
        """
        if self._slow_from is None:
            return 1.0
        before = self._level
        warm = temperature_c is None or temperature_c >= self._slow_from - NEAR_C
        if (throttled and warm) or (temperature_c is not None and temperature_c >= self._slow_from):
            self._hot(now)
        elif temperature_c is None or temperature_c <= self._slow_from - WELL_BELOW_C:
            self._cool(now)
        else:
            self._cool_since = None
        if bool(before) != self.slowed:
            self._news = self._sentence(temperature_c, self._slow_from)
        return self.share

    def _hot(self, now: float) -> None:
        self._cool_since = None
        if self._level < self._lowest and now - self._fell >= FALL_SECONDS:
            self._level += 1
            self._fell = now

    def _cool(self, now: float) -> None:
        if self._cool_since is None:
            self._cool_since = now
        if self._level and now - self._cool_since >= (FULL_SECONDS if self._level == 1 else RISE_SECONDS):
            self._level -= 1
            self._cool_since = now

    def _sentence(self, temperature_c: float | None, slow_from: float) -> str:
        reading = "no temperature" if temperature_c is None else f"{temperature_c:.0f} °C"
        if not self.slowed:
            return f"heat: all frames are labelled again ({reading})"
        if temperature_c is not None and temperature_c >= slow_from:
            return (
                f"heat: {reading}, so fewer frames are labelled until it is below {slow_from - WELL_BELOW_C:g} °C"
                " (heat.slow_from): give the board a heatsink, a fan or more air"
            )
        return (
            f"heat: the board slows itself down ({reading}), so fewer frames are labelled:"
            " look at its cooling and its power supply (edged doctor)"
        )
