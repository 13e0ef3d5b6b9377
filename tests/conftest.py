"""What many tests need: the sample photos and videos, and published data where it is on this machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from edged.demo.media import Media, ensure_media
from edged.errors import EdgedError

# A shell's background jobs ignore SIGINT, and everything that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def media() -> Media:
    """The sample photos and videos; `scripts/test` has fetched them before the tests start."""
    try:
        return ensure_media(print)
    except EdgedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder of published test data, which is not part of the project."""
    folder = os.environ.get("EDGED_TESTDATA")
    if not folder:
        pytest.skip("EDGED_TESTDATA is not set: name the folder of published test data with it")
    if not Path(folder).is_dir():
        pytest.fail(f"EDGED_TESTDATA: {folder} is not a folder")
    return Path(folder)
