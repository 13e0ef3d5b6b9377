"""The message that shows a device and its entities to Home Assistant, and what of it is remembered on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edged.home_assistant.entities import Component, components
from edged.models.durable import replace_file, writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edged.home_assistant.device import Device

FILE: Final = "home_assistant.json"
MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Announced:
    """What Home Assistant was told.

    Attributes:
        topic: where.
        present: the entities that it was told of.
        gone: those that there were before, and that it may still have.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    topic: str
    present: dict[str, Component]
    gone: dict[str, Component] = field(default_factory=dict)


_ANNOUNCED: Final = TypeAdapter(Announced)


def announce(device: Device, prefix: str, before: Announced | None) -> Announced:
    """What it is to be told now. What it knew before and is not any more is gone."""
    topic = f"{prefix}/device/{device.identifier}/config"
    present = components(device)
    known = {} if before is None or before.topic != topic else {**before.gone, **before.present}
    return Announced(topic, present, {key: each for key, each in known.items() if key not in present})


def discovery_payload(device: Device, present: Mapping[str, Component], gone: Mapping[str, Component]) -> bytes:
    """The message. Of an entity that is gone only the platform is left, which takes it away."""
    about: Component = {
        "ids": [device.identifier],
        "name": device.name,
        "mf": "edged",
        "mdl": "Image labelling daemon",
        "sw": device.version,
    }
    if device.page is not None:
        about["cu"] = device.page
    message = {
        "dev": about,
        "o": {"name": "edged", "sw": device.version},
        "avty_t": device.topics.status,
        "cmps": {**present, **{key: {"p": component["p"]} for key, component in gone.items()}},
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def read_announced(state: Path) -> Announced | None:
    """What Home Assistant was told before; None where nothing is known of it."""
    try:
        with (state / FILE).open("rb") as file:
            return _ANNOUNCED.validate_json(file.read(MOST_BYTES))
    except (OSError, ValidationError):
        return None


def write_announced(state: Path, announced: Announced | None) -> None:
    """Remember it; None: nothing is announced any more.

    Raises:
        CannotWriteError: the disk is full or read-only, or something is in the way.
        PermissionDeniedError: this user may not write there.
    """
    path = state / FILE
    with writing(state):
        if announced is None:
            path.unlink(missing_ok=True)
            return
        state.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        replace_file(path, _ANNOUNCED.dump_json(announced), scratch)
