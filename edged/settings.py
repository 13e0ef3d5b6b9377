"""Settings of cameras that were changed while edged ran: they outlive a restart, and give way to the file.

A change is kept together with what the file said then. When the file's own value is another one, the change is gone:
whoever edits the file means it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edged.models.durable import replace_file, writing
from edged.mqtt.command_messages import SETTINGS, Applied, Setting, Value, is_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edged.config import CameraConfig

log = logging.getLogger(__name__)

FILE: Final = "settings.json"
MOST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Change:
    """A setting's value, and what the file said when it was changed."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    value: float | bool
    file: Value


Changes = dict[str, dict[Setting, Change]]
"""By camera and setting."""
_CHANGES: Final[TypeAdapter[Changes]] = TypeAdapter(Changes)


class Settings:
    """What was changed. For one thread, but for `write`."""

    def __init__(self, changes: Changes | None = None) -> None:
        self._changes: Changes = changes or {}

    def reconcile(self, cameras: Mapping[str, CameraConfig]) -> bool:
        """This is what the file says: what it has changed, or has no more, is not kept. Whether that was anything."""
        before = self._changes
        self._changes = {
            camera: kept
            for camera, changed in self._changes.items()
            if camera in cameras
            and (kept := {key: each for key, each in changed.items() if each.file == said(cameras[camera]).get(key)})
        }
        return self._changes != before

    def set(self, camera: str, setting: Setting, value: Value, config: CameraConfig) -> None:
        """Change one; None: as the file says."""
        changed = dict(self._changes.get(camera, {}))
        changed.pop(setting, None)
        file = said(config).get(setting)
        if value is not None and value != file:
            changed[setting] = Change(value, file)
        self._changes = {**self._changes, camera: changed}

    def applied(self, camera: str, config: CameraConfig) -> Applied:
        """What applies to a camera."""
        changed = self._changes.get(camera, {})
        values = {key: changed[key].value if key in changed else said(config).get(key) for key in SETTINGS}
        threshold, fps = values["threshold"], values["fps"]
        return Applied(
            threshold=None if threshold is None else float(threshold),
            fps=config.fps if fps is None else float(fps),
            enabled=values["enabled"] is not False,
        )

    def over(self, cameras: Mapping[str, CameraConfig]) -> dict[str, CameraConfig]:
        """The cameras that are on, each with what applies to it."""
        now = {}
        for name, config in cameras.items():
            applied = self.applied(name, config)
            if applied.enabled:
                labels = config.labels.model_copy(update={"threshold": applied.threshold})
                now[name] = config.model_copy(update={"fps": applied.fps, "labels": labels})
        return now

    def to_json(self) -> bytes:
        """As it is kept."""
        return json.dumps(
            {
                camera: {key: asdict(change) for key, change in changed.items()}
                for camera, changed in self._changes.items()
                if changed
            },
            indent=1,
        ).encode()


def said(config: CameraConfig) -> Applied:
    """What the file says."""
    return Applied(config.labels.threshold, config.fps)


def read_settings(state: Path) -> Settings:
    """What was changed before. A file that cannot be read is said once, and means nothing was."""
    path = state / FILE
    try:
        with path.open("rb") as file:
            found = _CHANGES.validate_json(file.read(MOST_BYTES))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "damaged"
        log.warning("%s: %s; the cameras' settings are those of the configuration", path, reason)
        return Settings()
    right = {
        camera: {setting: change for setting, change in changed.items() if is_allowed(setting, change.value)}
        for camera, changed in found.items()
    }
    if right != found:
        log.warning("%s: holds values that no setting may have; those are the configuration's", path)
    return Settings(right)


def write_settings(state: Path, data: bytes) -> None:
    """Keep it.

    Raises:
        CannotWriteError: the disk is full or read-only, or something is in the way.
        PermissionDeniedError: this user may not write there.
    """
    path = state / FILE
    scratch = path.with_suffix(".new")
    with writing(state):
        state.mkdir(parents=True, exist_ok=True)
        scratch.unlink(missing_ok=True)
        replace_file(path, data, scratch)
