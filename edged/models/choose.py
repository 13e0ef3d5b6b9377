"""Which installed model a daemon labels with, by its configuration and the store; a torn one is passed over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edged.errors import ModelError
from edged.models.package import BASE
from edged.models.store import open_entry

if TYPE_CHECKING:
    from edged.models.store import Entry, Store

log = logging.getLogger(__name__)


def choose(store: Store, name: str) -> Entry | None:
    """The model to label with; None: the base model that came with edged, or none of this name is here.

    A name other than `base` is a decision of the configuration: of that model the chosen version (`edged models use`),
    else the one before it, else the newest that is whole and good. `base` leaves it to the choice in the store: that,
    else the one before it.

    Args:
        store: the daemon's.
        name: `model.name` of the configuration.
    """
    wanted = [entry for entry in (store.active(), store.previous()) if entry is not None]
    if name != BASE:
        others = [entry for entry in store.entries() if entry.record.state == "good"]
        wanted = [entry for entry in (*wanted, *others) if entry.record.name == name]
    for entry in wanted:
        try:
            open_entry(entry)
        except ModelError as error:
            log.warning("%s cannot be used: %s", entry.label, error)
        else:
            return entry
    return None
