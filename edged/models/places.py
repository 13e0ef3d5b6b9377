"""Where the store is that a command reads or changes: the daemon's, where this user may; else the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from edged.errors import ConfigError
from edged.models.store import Store

VARIABLE: Final = "EDGED_STATE"
SYSTEM: Final = Path("/var/lib/edged")
RULE: Final = """\
the models lie in the daemon's state folder: --state, $EDGED_STATE, or `state:` of the configuration ($EDGED_CONFIG,
/etc/edged/edged.yaml); without any of these in /var/lib/edged, and where this user may not write there, in
~/.local/state/edged"""


def state_folder() -> Path:
    """The state folder whose models a command changes, by `RULE`.

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


def _named() -> Path | None:
    """The folder that the user or the configuration names."""
    if folder := os.environ.get(VARIABLE):
        return Path(folder)
    from edged.config import find_config, load_config  # noqa: PLC0415  slow, and seldom needed

    path = find_config()
    if not os.path.exists(path):  # noqa: PTH110  Path's own raises for what it may not look at
        return None
    try:
        return load_config(path).state
    except ConfigError:
        if os.access(path, os.R_OK):
            raise
        return None  # it holds secrets, and is not for everybody to read


def _own() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()) / "edged"


def _may_write(folder: Path) -> bool:
    """Whether this user may write there, or make the folder."""
    for place in (folder, *folder.parents):
        if os.path.exists(place):  # noqa: PTH110  as above
            return os.access(place, os.W_OK | os.X_OK)
    return False
