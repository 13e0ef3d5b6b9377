"""Topics, read: which device, which camera, and what about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a message is about: the word in its topic that says so."""

    STATUS = "status"
    HEALTH = "health"
    MODEL = "model"
    UPDATE = "update"
    LABELS = "labels"
    PRESENT = "present"
    EVENTS = "events"


OF_DEVICE: Final = (Kind.STATUS, Kind.HEALTH, Kind.MODEL, Kind.UPDATE)

# Not `edged/#`: snapshots are large, and commands are nobody's business here.
FILTERS: Final = (
    *(f"edged/+/{kind}" for kind in OF_DEVICE),
    f"edged/+/+/{Kind.LABELS}",
    f"edged/+/+/{Kind.EVENTS}",
    f"edged/+/+/{Kind.PRESENT}/+",
)

_NAME: Final = r"[a-z0-9_-]{1,64}"
_OF_DEVICE: Final = re.compile(rf"edged/({_NAME})/({'|'.join(OF_DEVICE)})")
_OF_CAMERA: Final = re.compile(rf"edged/({_NAME})/({_NAME})/(?:(labels|events)|(present)/([a-z0-9-]{{1,128}}))")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message belongs. `camera` is None for what is about the whole device; `slug` names a watched label."""

    device: str
    kind: Kind
    camera: str | None = None
    slug: str | None = None


def parse_topic(topic: str) -> Address | None:
    """The address that a topic stands for; None where edged has no such topic."""
    if match := _OF_DEVICE.fullmatch(topic):
        return Address(match[1], Kind(match[2]))
    if match := _OF_CAMERA.fullmatch(topic):
        return Address(match[1], Kind(match[3] or match[4]), match[2], match[5])
    return None
