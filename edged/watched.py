"""What a configuration watches: for the classifier, which labels to look for; for presence, in the model's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.classifier import Watch
from edged.presence import Watched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.config import CameraConfig
    from edged.config.cameras import PresenceConfig

EVERYTHING: Final = "*"
LEAST: Final = 0.01
_SHARE_OF_OFF: Final = 10


def watch(camera: CameraConfig) -> Watch | None:
    """What the classifier looks for, besides the labels that come out; None: nothing.

    Of all labels that `"*"` watches, most are near 0 in every frame: those below a tenth of `off` count as 0.
    """
    if not camera.presence:
        return None
    others = camera.presence.get(EVERYTHING)
    names = frozenset(camera.presence) - {EVERYTHING}
    return Watch(names, None if others is None else max(others.off / _SHARE_OF_OFF, LEAST))


def watched(camera: CameraConfig, slugs: Mapping[str, str]) -> Watched:
    """What presence watches.

    Args:
        camera: whose keys are texts or slugs.
        slugs: of the model, by text.
    """
    named: dict[str, PresenceConfig] = {}
    for text, slug in slugs.items():
        rule = camera.presence.get(text) or camera.presence.get(slug)
        if rule is not None:
            named[slug] = rule
    texts = {slug: text for text, slug in reversed(list(slugs.items()))}
    return Watched(texts, named, camera.presence.get(EVERYTHING), camera.stall)
