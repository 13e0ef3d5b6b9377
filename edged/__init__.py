"""edged: frames in, labels out. See the README, and `edged --help`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.camera.geometry import Region
    from edged.camera.picture import YuvPicture
    from edged.camera.yuv import yuv_picture
    from edged.labeler import ImageLabeler
    from edged.labeling.label import Label
    from edged.labeling.outcome import Outcome

__version__ = "0.1.0"
__all__ = ["ImageLabeler", "Label", "Outcome", "Region", "YuvPicture", "__version__", "yuv_picture"]

_HOMES = {
    "ImageLabeler": "edged.labeler",
    "Label": "edged.labeling.label",
    "Outcome": "edged.labeling.outcome",
    "Region": "edged.camera.geometry",
    "YuvPicture": "edged.camera.picture",
    "yuv_picture": "edged.camera.yuv",
}


def __getattr__(name: str) -> object:
    """Import the library's parts on first use, so that `import edged` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'edged' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  lazy on purpose

    return getattr(import_module(_HOMES[name]), name)
