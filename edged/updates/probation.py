"""Whether a new model does well: a pure rule over what it has done since it took over."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ENOUGH: Final = 20
"""Results before times and errors say anything: the first ones find cold caches."""
MOST_ERRORS: Final = 0.05
"""The share of frames that a model may fail to label."""


QUICK_SECONDS: Final = 0.005
"""An inference that takes no longer is never too slow: such times come of neighbours on the machine."""


def too_slow(seconds: float, before: float, slowdown: float) -> bool:
    """Whether a model that takes so long is too slow beside the one before it, which takes `before` seconds."""
    return seconds > max(QUICK_SECONDS, slowdown * before)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of a new model.

    Attributes:
        results: so many frames are labelled.
        seconds: so long it has been at work.
        slowdown: at most so many times the time of the model before, for one inference.
    """

    results: int
    seconds: float
    slowdown: float


@dataclass(frozen=True, slots=True)
class Conduct:
    """What a model has done since it took over.

    Attributes:
        results: frames labelled.
        errors: frames that it could not label.
        crash: why the inference process died or was killed over it; None where it was not.
        seconds: times of the last inferences.
        age: seconds since it took over.
    """

    results: int
    errors: int
    crash: str | None
    seconds: Sequence[float]
    age: float


class Standing(Enum):
    """How it stands."""

    PENDING = "pending"
    GOOD = "good"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement, and why, in words (empty while there is nothing to say)."""

    standing: Standing
    reason: str = ""


def judge(terms: Terms, usual: float | None, conduct: Conduct) -> Verdict:
    """Judge a model on probation.

    Args:
        terms: what is asked.
        usual: median seconds of an inference of the model before, on the same device; None where that is not known.
        conduct: what it has done.
    """
    if conduct.crash is not None:
        return Verdict(Standing.FAILED, f"the inference process died with it: {conduct.crash}")
    seen = conduct.results + conduct.errors
    if seen >= ENOUGH and conduct.errors > MOST_ERRORS * seen:
        return Verdict(Standing.FAILED, f"it could not label {conduct.errors} of {seen} frames")
    if usual and len(conduct.seconds) >= ENOUGH:
        median = statistics.median(conduct.seconds)
        if too_slow(median, usual, terms.slowdown):
            return Verdict(
                Standing.FAILED,
                f"it takes {median * 1000:.1f} ms for a frame; the model before took {usual * 1000:.1f} ms, and"
                f" {terms.slowdown:g} times that is the most (registry.slowdown)",
            )
    if conduct.results >= terms.results and conduct.age >= terms.seconds:
        return Verdict(Standing.GOOD, f"{conduct.results} results in {conduct.age:.0f} s")
    return Verdict(Standing.PENDING)
