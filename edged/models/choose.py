"""Which installed model a start begins with, and what there is to go back to: the last one that has done well.

One on probation is no such model, wherever the links lead: the updater of a daemon that labels tries it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edged.errors import ModelError
from edged.models.package import BASE
from edged.models.store import Store, open_entry

if TYPE_CHECKING:
    from collections.abc import Collection

    from edged.config import Config
    from edged.models.store import Entry

log = logging.getLogger(__name__)


def choose(store: Store, name: str, refused: Collection[str] = (), *, but: Entry | None = None) -> Entry | None:
    """The model to label with; None: the base model that came with edged, or none of this name is here.

    A name other than `base` is a decision of the configuration: of that model the chosen version (`edged models use`),
    else the one before it, else the newest. `base` leaves it to the choice in the store: that, else the one before it,
    else the newest of the choice's name. In every case one that is good, whole and not refused: after a power cut, or
    two rollbacks, a link may still lead to another.

    Args:
        store: the daemon's.
        name: `model.name` of the configuration.
        refused: `sha256:…` of those that failed on this device.
        but: not this one.
    """
    active = store.active()
    if name == BASE and active is None and not store.has_choice():
        return None
    kin = name if name != BASE else None if active is None else active.record.name
    others = [entry for entry in store.entries() if entry.record.name == kin]
    for entry in (active, store.previous(), *others):
        if entry is None or entry.record.state != "good" or name not in {BASE, entry.record.name}:
            continue
        if f"sha256:{entry.digest}" in refused or (but is not None and entry.digest == but.digest):
            continue
        try:
            open_entry(entry)
        except ModelError as error:
            log.warning("%s cannot be used: %s", entry.label, error)
        else:
            return entry
    return None


def missing_model(config: Config) -> str | None:
    """What is wrong where the configured name is no model on this device, and no registry could bring it; else None."""
    name = config.model.name
    if config.model.path is not None or name == BASE or config.registry is not None:
        return None
    if any(entry.record.name == name for entry in Store(config.state).entries()):
        return None
    return f"there is no model {name!r} on this device (edged models install …; or base, or give model.path)"
