"""What updates do to the store: a model comes on probation, is marked good or bad, and old ones make room. Blocking."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError
from edged.labeling.label import ModelRef
from edged.models.choose import choose
from edged.models.durable import writing
from edged.models.metadata import DEFAULT_LOCALE
from edged.models.package import BASE, find_model, open_package
from edged.models.store import Store, is_whole, open_entry
from edged.models.store_change import changing
from edged.updates.refusals import REVOKED, Refusals
from edged.updates.room import make_room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.models.member import Package
    from edged.models.record import Record, State
    from edged.models.store import Entry
    from edged.models.store_change import Change
    from edged.updates.layout import Revocations

SOURCE: Final = "registry: "
"""How the source of a model begins that an update brought: only such ones make room by themselves."""


DISK: Final = 1024
"""Megabytes that the models of updates may take together, where no configuration says it."""
BY_HAND: Final = "rolled back by hand"
MOST_TRIES: Final = 3
"""So often a probation may be cut off: a model that takes the whole device down each time is not tried for ever."""


def open_shelf(state: Path, disk: int = DISK, locale: str = DEFAULT_LOCALE) -> Shelf:
    """The one of a state folder; `disk` in megabytes."""
    store = Store(state)
    return Shelf(store, refusals_of(store), disk * 1024 * 1024, locale)


def refusals_of(store: Store) -> Refusals:
    """What is refused on this device."""
    return Refusals(store.folder / "refused.json")


def revoked_why(why: str) -> str:
    """The reason of a refusal that the registry asked for."""
    return REVOKED + why


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

    @property
    def incoming_by_hand(self) -> Path:
        """The same for a command: a daemon that takes the same package meanwhile takes no file away from it."""
        return self.store.folder / "incoming-by-hand"

    def take_in(self, folder: Path, source: str) -> Entry:
        """Put in a package that has been proved, on probation."""
        with changing(self.store) as change:
            entry = change.put_in(folder, SOURCE + source, "probation")
            if entry.record.state == "rolled_back":  # it was here, given up for a newer one
                _mark(change, entry, "probation")
            return self._fresh(entry)

    def use_by_hand(self, entry: Entry | None) -> Entry | None:
        """Choose a model that a person wants to label; None is the base model.

        One that has failed here is refused no more, and on probation. No other probation is gone on with. Returns it as
        it is now.
        """
        failed = entry is not None and (self._is_refused(entry) or self._fresh(entry).record.state == "rolled_back")
        if entry is not None and failed:
            self.refusals.lift(_digest(entry))
        with changing(self.store) as change:
            for other in self.store.entries():
                if other.record.state == "probation" and (entry is None or other.digest != entry.digest):
                    _mark(change, other, "rolled_back")
            if entry is not None and failed:
                _mark(change, entry, "probation")
            change.use(entry)
        return None if entry is None else self._fresh(entry)

    def find(self, wanted: str) -> Entry | None:
        """As `Store.find`; of a name alone the newest that has not failed here, if there is such a one."""
        kin = [entry for entry in self.store.entries() if entry.record.name == wanted]
        fit = (entry for entry in kin if not self._is_refused(entry) and entry.record.state != "rolled_back")
        not_revoked = (entry for entry in kin if self.revocation(entry) is None)
        return next(fit, None) or next(not_revoked, None) or self.store.find(wanted)

    def revocation(self, entry: Entry) -> str | None:
        """Why the registry has revoked it; None where it has not, as far as is known here."""
        refusal = self.refusals.of(_digest(entry))
        return refusal.why if refusal is not None and refusal.why.startswith(REVOKED) else None

    def refuse_revoked(self, revocations: Revocations) -> None:
        """Let nothing that is revoked be a choice any more, nor a way back."""
        for entry in self.store.entries():
            revoked = revocations.of_digest(_digest(entry))
            if revoked is not None and self.revocation(entry) is None:
                self.mark_bad(entry, revoked_why(revoked.why))

    def to_try(self, name: str) -> Entry | None:
        """What is on probation and labels, or waits to: the choice, or an update whose probation was cut off.

        Args:
            name: `model.name` of the configuration; `base` leaves it to the choice.
        """
        active = self.store.active()
        if active is not None and name in {BASE, active.record.name} and self.is_on_probation(active):
            return active
        wanted = active.record.name if name == BASE and active is not None else name
        return next((entry for entry in self._on_probation() if entry.record.name == wanted), None)

    def is_in_doubt(self, entry: Entry) -> bool:
        """Whether it has not shown that it does well, or has failed."""
        return entry.record.state != "good" or self._is_refused(entry)

    def is_given_up(self, entry: Entry) -> bool:
        """Whether a person has chosen something else since its probation began."""
        return self._fresh(entry).record.state == "rolled_back"

    def begin_try(self, entry: Entry) -> None:
        """A model is about to label: a probation is counted on the disk before it begins.

        Raises:
            ModelError: too many of them were cut off.
        """
        with changing(self.store) as change:
            record = self._fresh(entry).record
            if record.state != "probation":
                return  # proved, and chosen by hand
            if record.tries >= MOST_TRIES:
                raise ModelError(
                    f"{entry.label}: while it was on probation, the daemon or the whole device ended"
                    f" {record.tries} times without having been told to"
                )
            _write(change, entry, replace(record, tries=record.tries + 1))

    def put_off(self, entry: Entry) -> None:
        """The daemon ends as it was told to: this try does not count."""
        record = self._fresh(entry).record
        if record.state == "probation" and record.tries:
            with changing(self.store, patience=0.0) as change:
                _write(change, entry, replace(record, tries=record.tries - 1))

    def leave_bad_links(self) -> None:
        """Finish what a power cut may have kept `mark_bad` from: nothing that has failed is a choice."""
        for entry in (self.store.active(), self.store.previous()):
            if entry is not None and (entry.record.state == "rolled_back" or self._is_refused(entry)):
                with changing(self.store) as change:
                    change.drop(entry, self.last_good(entry))

    def open(self, entry: Entry | None) -> Package:
        """The package; None is the base model. Raises ModelError: it is torn."""
        if entry is None:
            return open_package(find_model(BASE), locale=self._locale)
        open_entry(entry)
        return open_package(entry.folder, locale=self._locale)

    def why_absent(self, name: str) -> str | None:
        """Why no model of this name can label, where none can, and none is about to be tried."""
        if self.first(name) is not None or self.to_try(name) is not None:
            return None
        known = any(entry.record.name == name for entry in self.store.entries())
        return f"model {name} {'has not done well here, or is damaged' if known else 'is not on this device'}"

    def first(self, name: str) -> Entry | None:
        """What a start labels with; None is the base model. `name` as for `to_try`."""
        return choose(self.store, name, self.refusals.digests)

    def last_good(self, but: Entry, name: str = BASE) -> Entry | None:
        """What to go back to from `but`; None is the base model. `name` as for `to_try`."""
        return choose(self.store, name, self.refusals.digests, but=but)

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
        """It has been replaced before it was judged: its probation is not gone on with. It is not refused."""
        with changing(self.store) as change:
            if self._fresh(entry).record.state == "probation":
                _mark(change, entry, "rolled_back")

    def mark_bad(self, entry: Entry, why: str) -> None:
        """It has not: it is never taken again of itself, and where it was the choice, the last good one is.

        Each of refusal and record alone keeps a start from it, whatever cuts off the other. The reason comes first: it
        could not be found again.
        """
        try:
            self.refusals.add(ModelRef(entry.record.name, entry.record.version, _digest(entry)), why)
        finally:
            with changing(self.store) as change:
                _mark(change, entry, "rolled_back")
                change.drop(entry, self.last_good(entry))

    def on_trial(self) -> Entry | None:
        """A model of updates on probation that is not the choice yet: a running daemon labels with it."""
        active = self.store.active()
        entry = next(filter(came_from_registry, self._on_probation()), None)
        return None if entry is None or (active is not None and active.digest == entry.digest) else entry

    def is_on_probation(self, entry: Entry) -> bool:
        """Whether it is to be tried, or is being tried. A torn one is not: it has to come again."""
        return entry.record.state == "probation" and not self._is_refused(entry) and is_whole(entry)

    def _on_probation(self) -> Iterator[Entry]:
        return filter(self.is_on_probation, self.store.entries())

    def _is_good(self, entry: Entry) -> bool:
        return entry.record.state == "good" and not self._is_refused(entry) and is_whole(entry)

    def _is_refused(self, entry: Entry) -> bool:
        return self.refusals.of(_digest(entry)) is not None

    def _fresh(self, entry: Entry) -> Entry:
        """The same model as it is known now."""
        return self.store.entry(entry.digest) or entry

    def refuse(self, ref: ModelRef, why: str, folder: Path) -> None:
        """A package that was fetched has not proved itself: it is never taken again, and its files are thrown away."""
        shutil.rmtree(folder, ignore_errors=True)
        self.refusals.add(ref, why)

    def make_room(self) -> None:
        """Take away the oldest models of updates, beyond the cap."""
        make_room(self.store, filter(came_from_registry, self.store.entries()), self._cap)


def _mark(change: Change, entry: Entry, state: State) -> None:
    _write(change, entry, replace(entry.record, state=state, tries=0))


def _write(change: Change, entry: Entry, record: Record) -> None:
    with writing(entry.folder):
        change.record(entry.digest, record)


def _digest(entry: Entry) -> str:
    return f"sha256:{entry.digest}"
