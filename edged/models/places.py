"""Where the store is that a command reads or changes: the daemon's, where this user may; else the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.errors import ConfigError
from edged.models.store import Store, is_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.config import Config
    from edged.models.store import Entry

VARIABLE: Final = "EDGED_STATE"
SYSTEM: Final = Path("/var/lib/edged")


def state_folder() -> Path:
    """The state folder whose models a command changes.

    What the user or the configuration names; else the daemon's usual one, where this user may write there; else the
    user's own.

    Raises:
        ConfigError: there is a configuration, and it is wrong.
    """
    named = _named()
    if named is not None:
        return named
    return SYSTEM if _may_write(SYSTEM) else _own()


def stores() -> tuple[Store, ...]:
    """The stores in which a model is looked for by its name, in order: what the user installed, then the daemon's.

    Raises:
        ConfigError: there is a configuration, and it is wrong.
    """
    named = _named()
    folders = (named,) if named is not None else (_own(), SYSTEM)
    return tuple(map(Store, folders))


def find_installed(wanted: str, where: Sequence[Store] | None = None) -> Entry | None:
    """An installed model, by what `Store.find` takes, in these stores or all of this user's; None: there is none."""
    if not is_name(wanted):
        return None
    try:
        places = stores() if where is None else where
    except ConfigError:  # whoever labels a photo need not mend the daemon's configuration first
        places = ()
    found = (store.find(wanted) for store in places)
    return next((entry for entry in found if entry is not None), None)


def configured() -> Config | None:
    """The machine's configuration; None where there is none, or it is not for this user to read.

    Raises:
        ConfigError: it is wrong.
    """
    from edged.config import find_config, load_config  # noqa: PLC0415  slow, and seldom needed

    path = find_config()
    if not os.path.exists(path):  # noqa: PTH110  Path's own raises for what it may not look at
        return None
    try:
        return load_config(path)
    except ConfigError:
        if os.access(path, os.R_OK):
            raise
        return None  # it holds secrets, and is not for everybody to read


def may_look(state: Path) -> bool:
    """Whether this user sees which models there are."""
    try:
        next((state / "models").iterdir(), None)
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def _named() -> Path | None:
    """The folder that the user or the configuration names."""
    if folder := os.environ.get(VARIABLE):
        return Path(folder)
    config = configured()
    return None if config is None else config.state


def _own() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()) / "edged"


def _may_write(folder: Path) -> bool:
    """Whether this user may write there, or make the folder."""
    for place in (folder, *folder.parents):
        if os.path.exists(place):  # noqa: PTH110  as above
            return os.access(place, os.W_OK | os.X_OK)
    return False
