"""When an update may be downloaded and installed: rules over what is measured elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from edged.config import Window
    from edged.updates.clock import Reading

SPARE_BYTES: Final = 64 * 1024 * 1024
"""Of the disk, left to everything else."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says. `window`: None is always."""

    window: Window | None = None
    metered: bool = False


ANYWAY: Final = Rules(window=None, metered=True)
"""A person who asks does not wait for the night, and knows what the connection costs."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is so now.

    Attributes:
        local: the time of day here.
        metered: whether the connection is paid by volume.
        free: bytes on the disk.
    """

    clock: Reading
    local: datetime
    metered: bool
    free: int


def why_wait(rules: Rules, now: Situation, size: int) -> str | None:
    """Why an update of `size` bytes has to wait, in words; None where it need not."""
    if now.clock.why_not is not None:
        return now.clock.why_not
    if rules.window is not None and not in_window(rules.window, now.local):
        return f"it waits for the window {rules.window} (registry.window; here it is {now.local:%H:%M})"
    if now.metered and not rules.metered:
        return "the connection is metered (registry.metered: true to download all the same)"
    if now.free < size + SPARE_BYTES:
        return (
            f"the disk has {now.free // 2**20} MB free; {-(-(size + SPARE_BYTES) // 2**20)} MB are needed"
            " (edged models remove, or tidy up)"
        )
    return None


def in_window(window: Window, local: datetime) -> bool:
    """Whether a moment lies in a part of the day; its end is outside, and equal ends are the whole day."""
    moment = local.time().replace(second=0, microsecond=0)
    if window.start < window.end:
        return window.start <= moment < window.end
    return moment >= window.start or moment < window.end
