"""Files that travel with edged: the base model, the commented configuration.

In an installed wheel they lie in `edged/data/`; in a checkout (an editable install) at the top of the repository.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def data_path(relative: str) -> Path:
    """Where the file or folder `relative` (such as `models/base`) lies. It need not exist."""
    package = Path(str(files("edged")))
    installed = package / "data" / relative
    return installed if installed.exists() else package.parent / relative
