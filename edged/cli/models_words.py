"""What the words of `edged models …` have in common: where the store is, and finding a model in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError

if TYPE_CHECKING:
    import argparse

    from edged.models.store import Entry, Store

RULE: Final = """\
The models lie in the daemon's state folder: --state, `state:` of the file that -c names, $EDGED_STATE, or `state:` of
the configuration ($EDGED_CONFIG, /etc/edged/edged.yaml); without any of these in /var/lib/edged, and where this user
may not write there, in ~/.local/state/edged."""


def add_state(parser: argparse.ArgumentParser) -> None:
    """The options that name the state folder."""
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="a configuration, for its state folder")
    parser.add_argument("--state", type=Path, metavar="DIR", help="the state folder, in place of the usual one")


def open_store(args: argparse.Namespace) -> Store:
    """The store that the words mean. Raises ConfigError where only a configuration names it, and that is wrong."""
    from edged.config import load_config  # noqa: PLC0415  pydantic is slow to import
    from edged.models.places import state_folder  # noqa: PLC0415  as above
    from edged.models.store import Store  # noqa: PLC0415  as above

    if args.state is not None:
        return Store(args.state)
    return Store(state_folder() if args.config is None else load_config(args.config).state)


def find_entry(store: Store, wanted: str) -> Entry:
    """An installed model. Raises ModelError where there is none of this name."""
    entry = store.find(wanted)
    if entry is None:
        raise ModelError(f"no model {wanted!r} in {store.folder} (edged models list; edged models install …)")
    return entry


def size_words(size: int) -> str:
    """Bytes, for people."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"  # noqa: PLR2004  0.1 MB
