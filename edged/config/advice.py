"""What is allowed and yet looks like a mistake: said by `edged check`, refused by nobody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.config.types import source_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.config.cameras import CameraConfig
    from edged.config.schema import Config

SAMPLES: Final = 16
"""The region is looked at in so many points across and down, to see whether masks leave anything of it."""


def advice(config: Config) -> list[str]:
    """One sentence for each thing that the user may not have meant."""
    return list(_advice(config))


def _advice(config: Config) -> Iterator[str]:
    for name, camera in config.cameras.items():
        if source_kind(camera.source) == "path" and not _exists(Path(camera.source)):
            yield f"cameras.{name}.source: {camera.source} is not there (the camera waits until it is)"
        if _hides_everything(camera):
            yield f"cameras.{name}.masks: they cover the whole of what the camera looks at (no label can come)"
    if config.model.path is not None and not _exists(config.model.path):
        yield f"model.path: {config.model.path} is not there"
    if config.inference.python is not None and not _exists(config.inference.python):
        yield f"inference.python: {config.inference.python} is not there"
    if config.registry is not None and not _exists(config.registry.root):
        yield f"registry.root: {config.registry.root} is not there (no update can be trusted without it)"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder on the way may not be entered, or the name is too long
        return False


def _hides_everything(camera: CameraConfig) -> bool:
    if not camera.masks:
        return False
    left, top, width, height = camera.region
    points = [
        (left + width * (column + 0.5) / SAMPLES, top + height * (row + 0.5) / SAMPLES)
        for row in range(SAMPLES)
        for column in range(SAMPLES)
    ]
    return all(any(_within(point, polygon) for polygon in camera.masks) for point in points)


def _within(point: tuple[float, float], polygon: tuple[tuple[float, float], ...]) -> bool:
    """Whether a ray from `point` to the right crosses the polygon's edge an odd number of times."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside
