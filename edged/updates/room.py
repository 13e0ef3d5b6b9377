"""The models of updates make room for each other: the oldest ones go, beyond a cap."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edged.models.store_change import changing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edged.models.store import Entry, Store

log = logging.getLogger(__name__)


def make_room(store: Store, ours: Iterable[Entry], cap: int) -> None:
    """Take away the oldest of some models; never the active or previous one, nor one on probation.

    Args:
        store: where they are.
        ours: that may be taken away.
        cap: bytes that they may take together.

    Raises:
        UnavailableError: another edged changes the store.
        PermissionDeniedError, CannotWriteError: it cannot be written.
    """
    kept = {entry.digest for entry in (store.active(), store.previous()) if entry is not None}
    room = cap
    for entry in sorted(ours, key=lambda entry: entry.record.installed, reverse=True):
        room -= _size(entry.folder)
        if room < 0 and entry.digest not in kept and entry.record.state != "probation":
            with changing(store) as change:
                change.remove(entry)
            log.info("model %s makes room", entry.label)


def _size(folder: Path) -> int:
    """Bytes of a package; what cannot be looked at counts as nothing."""
    try:
        return sum(path.lstat().st_size for path in folder.iterdir())
    except OSError:
        return 0
