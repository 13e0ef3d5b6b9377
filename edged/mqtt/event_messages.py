"""Events as a subscriber sees them: something appeared, disappeared, or events are lost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from edged.mqtt.messages import SCHEMA, timestamp
from edged.mqtt.outgoing import About

if TYPE_CHECKING:
    from datetime import datetime

    from edged.labeling.label import ModelRef

MAX_AGE_S: Final = 7 * 24 * 3600
"""An event that is older is of no use to anybody: the outbox drops it, and MQTT 5 brokers do."""


class Happening(StrEnum):
    """What a label has done."""

    APPEARED = "appeared"
    DISAPPEARED = "disappeared"


@dataclass(frozen=True, slots=True)
class Event:
    """A label has appeared or disappeared, at that time (of the frame that shows it).

    `model` is None where no model had a say: its camera is not in the configuration any more.
    """

    camera: str
    event_type: Happening
    label: str
    confidence: float
    time: datetime
    model: ModelRef | None


@dataclass(frozen=True, slots=True)
class Lost:
    """Events of a camera that will never be published: how many, the first's and the last's sequence."""

    camera: str
    count: int
    first: int
    last: int
    time: datetime


def event_payload(event: Event | Lost, sequence: int, identity: str) -> bytes:
    """The JSON of an event, with its sequence number and an id that no other event has."""
    fields: dict[str, object] = {"schema": SCHEMA, "id": identity, "sequence": sequence}
    if isinstance(event, Lost):
        fields |= {"event_type": "lost", "camera": event.camera}
        fields |= {"count": event.count, "first": event.first, "last": event.last}
    else:
        fields |= {"event_type": event.event_type, "camera": event.camera, "label": event.label}
        fields["confidence"] = round(event.confidence, 4)
    fields["time"] = timestamp(event.time)
    if isinstance(event, Event):
        model = event.model
        fields["model"] = model and {"name": model.name, "version": model.version, "digest": model.digest}
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")


def about_events(device: str) -> About:
    """What MQTT 5 says with an event."""
    return About(MAX_AGE_S, "application/json", (("schema", str(SCHEMA)), ("device", device)))
