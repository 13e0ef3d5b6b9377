"""Do less: a frame in which nothing has moved since the last labelled one need not be labelled.

A picture is compared as 56 by 56 cells, each the mean luma of its part of the region. A cell is as large as 4 by 4
pixels of what a usual model (224 by 224) gets to see: what is smaller is nothing that it could name, and the noise of a
cell is far below a pixel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edged.camera.geometry import WHOLE, Region, Size

if TYPE_CHECKING:
    from edged.camera.picture import Picture
    from edged.camera.pixels import Pixels

CELLS: Final = Size(56, 56)
NOISE: Final = 10
"""Grey levels of 255 by which a cell must differ to count. Sensor noise of 8 levels a pixel never reaches it, nor does
JPEG's; noise of 15, a bad camera at night, makes 4 cells of 1,000 count."""
EXPOSURE: Final = 8
"""Grey levels by which the whole picture may become lighter or darker without counting: automatic exposure and
flickering lamps do that. Slow dawn adds up beyond it and counts."""


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """When a frame of a camera is labelled.

    Attributes:
        threshold: the least share of the picture, from 0 to 1, that must differ from the last labelled frame; 0: every
            frame is labelled.
        max_interval: seconds after which a frame is labelled in any case.
    """

    threshold: float = 0.0
    max_interval: float = 10.0


class MotionGate:
    """Tells which frames of one camera are worth labelling.

    Only a labelled frame is what the next ones are compared with, so that slow changes add up until they count.
    """

    def __init__(self, options: MotionOptions) -> None:
        self._options = options
        self._asked: tuple[Pixels, float] | None = None
        self._labelled: tuple[Pixels, float] | None = None

    def differs(self, picture: Picture, region: Region = WHOLE, now: float = 0.0) -> bool:
        """Whether this frame is to be labelled; `now` is its time on the monotonic clock, in seconds.

        Raises:
            BadImageError: the picture is damaged.
        """
        if self._options.threshold <= 0:
            return True
        luma = picture.luma(CELLS, region)
        self._asked = luma, now
        if self._labelled is None:
            return True
        reference, labelled_at = self._labelled
        if now - labelled_at >= self._options.max_interval:
            return True
        return changed(reference, luma) >= self._options.threshold

    def labelled(self) -> None:
        """The frame that was asked about last has been labelled."""
        self._labelled = self._asked


def changed(before: Pixels, after: Pixels) -> float:
    """The share of cells, from 0 to 1, whose luma differs by more than noise, and more than the picture as a whole."""
    difference = np.subtract(after, before, dtype=np.int16)
    exposure = np.clip(np.rint(np.median(difference)), -EXPOSURE, EXPOSURE).astype(np.int16)
    return np.count_nonzero(np.abs(difference - exposure) > NOISE) / difference.size
