"""Which installed model a daemon begins with, by its configuration and the store; a torn or bad one is passed over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError
from edged.models.package import BASE
from edged.models.store import open_entry

if TYPE_CHECKING:
    from edged.models.store import Entry, Store

WHY_NOT: Final = {"probation": "it has not done well yet", "rolled_back": "it has not done well"}

log = logging.getLogger(__name__)


def choose(store: Store, name: str) -> Entry | None:
    """The model to label with; None: the base model that came with edged, or none of this name is here.

    A name other than `base` is a decision of the configuration: of that model the chosen version (`edged models use`),
    else the one before it, else the newest that is whole and good. `base` leaves it to the choice in the store: that,
    else the one before it. A model on probation, or one that has not done well, is passed over: with a power cut in the
    middle of a change the links may still lead to it.

    Args:
        store: the daemon's.
        name: `model.name` of the configuration.
    """
    wanted = [entry for entry in (store.active(), store.previous()) if entry is not None]
    if name != BASE:
        others = [entry for entry in store.entries() if entry.record.state == "good"]
        wanted = [entry for entry in (*wanted, *others) if entry.record.name == name]
    for entry in wanted:
        if entry.record.state != "good":
            log.info("%s is not begun with: %s", entry.label, WHY_NOT[entry.record.state])
            continue
        try:
            open_entry(entry)
        except ModelError as error:
            log.warning("%s cannot be used: %s", entry.label, error)
        else:
            return entry
    return None
