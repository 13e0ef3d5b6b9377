"""What several tests of faults need."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from faults.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.mosquitto import Mosquitto


@pytest.fixture
def stage(tmp_path: Path, broker: Mosquitto, photos: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, broker, photos, stack)
