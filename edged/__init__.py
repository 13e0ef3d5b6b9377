"""edged: frames in, labels out. See the README, and `edged --help`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.labeler import ImageLabeler
    from edged.labeling.label import Label

__version__ = "0.1.0"
__all__ = ["ImageLabeler", "Label", "__version__"]


def __getattr__(name: str) -> object:
    """Import the library's classes on first use, so that `import edged` itself costs nothing."""
    if name == "ImageLabeler":
        from edged.labeler import ImageLabeler  # noqa: PLC0415  lazy on purpose

        return ImageLabeler
    if name == "Label":
        from edged.labeling.label import Label  # noqa: PLC0415  lazy on purpose

        return Label
    raise AttributeError(f"module 'edged' has no attribute {name!r}")
