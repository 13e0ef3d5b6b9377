"""What there is to say of the model and of updates, gathered in one place, and said when it has changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edged.labeling.label import ModelRef
from edged.models.package import BASE, find_model, read_summary
from edged.mqtt.model_messages import ModelStatus, UpdateStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.models.store import Entry, Store
    from edged.mqtt.model_messages import State
    from edged.updates.changeover import Changeover
    from edged.updates.registry import Update

log = logging.getLogger(__name__)


class Telling:
    """Written by whoever knows, on the event loop's thread; `percentage` by a download's thread too.

    Attributes:
        phase: of the update that is on its way; None where none is.
        percentage: of its download.
        update: on offer, or on its way.
        rolled_back: whether the last model that was tried did not do well.
        error: why the last update failed, or waits; None where nothing is wrong.
        waiting: whether it waits, for the clock, its window or room.
        absent: why the configured model does not label, where there is none that could.
    """

    def __init__(self, store: Store, tell: Callable[[ModelStatus, UpdateStatus], None]) -> None:
        self._store = store
        self._tell = tell
        self._base = read_summary(find_model(BASE)).ref
        self._said: tuple[ModelStatus, UpdateStatus] | None = None
        self.phase: State | None = None
        self.percentage: int | None = None
        self.update: Update | None = None
        self.rolled_back = False
        self.error: str | None = None
        self._logged: str | None = None
        self.waiting = False
        self.absent: str | None = None

    def fault(self, text: str) -> None:
        """Something has failed; in the log once, until it has gone well."""
        log.log(logging.DEBUG if text == self._logged else logging.WARNING, "updates: %s", text)
        self._logged = self.error = text
        self.waiting = False

    def waits(self, text: str) -> None:
        """An update has to wait; in the log when that begins."""
        log.log(logging.DEBUG if self.waiting else logging.INFO, "updates: %s", text)
        self.error, self.waiting = text, True

    def recovered(self) -> None:
        """Nothing is wrong any more with the registry."""
        self.error = self._logged = None
        self.waiting = False

    def well(self) -> None:
        """Another model labels, and nothing is wrong."""
        self.rolled_back = False
        self.recovered()

    def say(self, change: Changeover) -> None:
        """Tell of everything, if something has changed since the last time."""
        present, update = change.ref, self.update
        if present is None and self.error is None:  # what was said before the start is nearer the truth than nothing
            return
        if update is not None and update.ref == present:  # taken meanwhile by `edged models update`
            update = None
        candidate = None if update is None else update.ref
        model = ModelStatus(
            present,
            self._state(change),
            self._previous(change),
            present if change.trial is not None else candidate,
            self.error or self.absent,
            change.since,
        )
        other = present is not None and candidate is not None and candidate.name != present.name
        offered = UpdateStatus(
            installed_version=_version(present, named=other),
            latest_version=_version(candidate, named=other),
            title=(update.title or update.ref.name) if update is not None else "" if present is None else present.name,
            release_summary="" if update is None else update.notes,
            percentage=self.percentage,
            in_progress=self.phase is not None,
        )
        if (model, offered) != self._said:
            self._said = (model, offered)
            self._tell(model, offered)

    def _state(self, change: Changeover) -> State:
        if self.phase is not None:
            return self.phase
        if change.trial is not None:
            return "probation"
        return "rolled_back" if self.rolled_back else "good"

    def _previous(self, change: Changeover) -> ModelRef | None:
        """What a rollback leads to; from the base model to the choice before it, else nowhere."""
        present = change.entry
        entry: Entry | None = change.trial.fallback if change.trial is not None else self._store.previous()
        if change.trial is None and entry is not None and entry.record.state != "good":
            entry = None
        if entry is None or (present is not None and entry.digest == present.digest):
            return None if present is None else self._base
        return ModelRef(entry.record.name, entry.record.version, f"sha256:{entry.digest}")


def _version(ref: ModelRef | None, *, named: bool) -> str | None:
    """A model's version for the update entity, which takes a lower one for older: not where it is another model's."""
    if ref is None:
        return None
    return f"{ref.name} {ref.version}" if named else ref.version
