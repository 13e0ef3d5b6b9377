"""What updates do to the store: a model comes on probation, is marked good or bad, and old ones make room. Blocking."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edged.labeling.label import ModelRef
from edged.models.durable import writing
from edged.models.metadata import DEFAULT_LOCALE
from edged.models.package import BASE, find_model, open_package
from edged.models.store import Store, is_whole, open_entry
from edged.models.store_change import changing
from edged.updates.refusals import Refusals

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.member import Package
    from edged.models.record import State
    from edged.models.store import Entry
    from edged.models.store_change import Change

log = logging.getLogger(__name__)

SOURCE: Final = "registry: "
"""How the source of a model begins that an update brought: only such ones make room by themselves."""


DISK: Final = 1024
"""Megabytes that the models of updates may take together, where no configuration says it."""
BY_HAND: Final = "rolled back by hand"


def open_shelf(state: Path, disk: int = DISK, locale: str = DEFAULT_LOCALE) -> Shelf:
    """The one of a state folder; `disk` in megabytes."""
    store = Store(state)
    return Shelf(store, refusals_of(store), disk * 1024 * 1024, locale)


def refusals_of(store: Store) -> Refusals:
    """What is refused on this device."""
    return Refusals(store.folder / "refused.json")


def came_from_registry(entry: Entry) -> bool:
    """Whether an update brought it."""
    return entry.record.source.startswith(SOURCE)


class Shelf:
    """The store, as updates use it.

    Args:
        store: the daemon's.
        refusals: packages that failed.
        cap: bytes that the models of updates may take together.
        locale: the language of labels.

    Every method that changes something raises UnavailableError (another edged changes the store),
    PermissionDeniedError and CannotWriteError.
    """

    def __init__(self, store: Store, refusals: Refusals, cap: int, locale: str) -> None:
        self.store = store
        self.refusals = refusals
        self._cap = cap
        self._locale = locale

    @property
    def incoming(self) -> Path:
        """Where a package is fetched to: on the store's disk, so that one rename puts it in."""
        return self.store.folder / "incoming"

    def take_in(self, folder: Path, source: str) -> Entry:
        """Put in a package that has been proved, on probation."""
        with changing(self.store) as change:
            return change.put_in(folder, SOURCE + source, "probation")

    def use_on_probation(self, entry: Entry) -> None:
        """Choose a model that a person wants to label, though it has not shown yet that it does well, or has failed.

        It is refused no more, and others of its name are not gone on with.
        """
        self.refusals.lift(f"sha256:{entry.digest}")
        with changing(self.store) as change:
            for other in self.store.entries():
                if other.record.state == "probation" and other.record.name == entry.record.name:
                    _mark(change, other, "rolled_back")
            _mark(change, entry, "probation")
            change.use(entry)

    def waiting(self, name: str) -> Entry | None:
        """A model of this name whose probation was cut off, by a restart."""
        for entry in self.store.entries():
            if entry.record.state == "probation" and entry.record.name == name and not self._is_refused(entry):
                return entry
        return None

    def open(self, entry: Entry | None) -> Package:
        """The package; None is the base model. Raises ModelError: it is torn."""
        if entry is None:
            return open_package(find_model(BASE), locale=self._locale)
        open_entry(entry)
        return open_package(entry.folder, locale=self._locale)

    def last_good(self, but: Entry) -> Entry | None:
        """What to go back to from `but`: the choice, the one before it, the newest other of its name that is good.

        None, the base model, where none of these is whole and has done well.
        """
        others = (entry for entry in self.store.entries() if entry.record.name == but.record.name)
        for entry in (self.store.active(), self.store.previous(), *others):
            if entry is not None and entry.digest != but.digest and self._is_good(entry):
                return entry
        return None

    def newest_known(self, name: str) -> Entry | None:
        """The newest model of this name that has done well here: nothing older is taken of itself."""
        return next(
            (entry for entry in self.store.entries() if entry.record.name == name and self._is_good(entry)), None
        )

    def use(self, entry: Entry | None) -> None:
        """Let it label from the next start on too."""
        with changing(self.store) as change:
            change.use(entry)

    def mark_good(self, entry: Entry) -> None:
        """It has done well: it labels from the next start on, and old ones make room for it."""
        with changing(self.store) as change:
            _mark(change, entry, "good")
            change.use(entry)
        self.make_room()

    def give_up(self, entry: Entry) -> None:
        """It has been replaced before it was judged: it is not gone on with, and not refused."""
        with changing(self.store) as change:
            _mark(change, entry, "rolled_back")

    def mark_bad(self, entry: Entry, why: str) -> None:
        """It has not: it is never taken again of itself, and where it was the choice, the last good one is."""
        self.refusals.add(ModelRef(entry.record.name, entry.record.version, f"sha256:{entry.digest}"), why)
        with changing(self.store) as change:
            _mark(change, entry, "rolled_back")
            change.drop(entry, self.last_good(entry))

    def on_trial(self) -> Entry | None:
        """A model of updates on probation that is not the choice yet: a running daemon labels with it."""
        active = self.store.active()
        for entry in self.store.entries():
            if entry.record.state == "probation" and came_from_registry(entry) and not self._is_refused(entry):
                return None if active is not None and active.digest == entry.digest else entry
        return None

    def _is_good(self, entry: Entry) -> bool:
        return entry.record.state == "good" and not self._is_refused(entry) and is_whole(entry)

    def _is_refused(self, entry: Entry) -> bool:
        return self.refusals.of(f"sha256:{entry.digest}") is not None

    def refuse(self, ref: ModelRef, why: str, folder: Path) -> None:
        """A package that was fetched has not proved itself: it is never taken again, and its files are thrown away."""
        shutil.rmtree(folder, ignore_errors=True)
        self.refusals.add(ref, why)

    def make_room(self) -> None:
        """Take away the oldest models of updates beyond the cap; never the active or previous one, nor on probation."""
        kept = {entry.digest for entry in (self.store.active(), self.store.previous()) if entry is not None}
        ours = [entry for entry in self.store.entries() if came_from_registry(entry)]
        ours.sort(key=lambda entry: entry.record.installed, reverse=True)
        room = self._cap
        for entry in ours:
            room -= _size(entry.folder)
            if room < 0 and entry.digest not in kept and entry.record.state != "probation":
                with changing(self.store) as change:
                    change.remove(entry)
                log.info("model %s makes room", entry.label)


def _mark(change: Change, entry: Entry, state: State) -> None:
    with writing(entry.folder):
        change.record(entry.digest, replace(entry.record, state=state))


def _size(folder: Path) -> int:
    """Bytes of a package; what cannot be looked at counts as nothing."""
    try:
        return sum(path.lstat().st_size for path in folder.iterdir())
    except OSError:
        return 0
