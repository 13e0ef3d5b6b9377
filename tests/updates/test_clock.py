"""A clock that counts as set, and one that does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edged.errors import CannotWriteError
from edged.updates.clock import BUILT, Clock, Reading

if TYPE_CHECKING:
    from pathlib import Path

YEARS = timedelta(days=3 * 365)


def test_this_machines_clock_counts_as_set(tmp_path: Path) -> None:
    reading = Clock(tmp_path).read()
    assert reading.is_set
    assert reading.why_not is None
    assert reading.floor == BUILT
    assert abs(reading.now - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("synchronised", [True, None])
def test_clock_before_the_build_does_not_count_whatever_the_system_says(*, synchronised: bool | None) -> None:
    reading = Reading(datetime(1970, 1, 1, tzinfo=UTC), BUILT, synchronised)
    assert not reading.is_set
    assert reading.why_not is not None
    assert reading.why_not.startswith("the clock is not set: it says 1970-01-01 00:00 UTC, and 2026-")


def test_last_known_time_outlives_a_restart(tmp_path: Path) -> None:
    moment = BUILT + timedelta(days=5)
    Clock(tmp_path / "state").trust(moment)
    assert Clock(tmp_path / "state").read().floor == moment


def test_floor_never_falls(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    clock.trust(BUILT + timedelta(days=5))
    clock.trust(BUILT - YEARS)
    assert clock.read().floor == BUILT + timedelta(days=5)


def test_time_is_kept_once_a_day_at_most(tmp_path: Path) -> None:
    clock, path = Clock(tmp_path), tmp_path / "last-known-time"
    clock.trust(BUILT + timedelta(hours=23))
    assert not path.exists()
    assert clock.read().floor == BUILT + timedelta(hours=23)
    clock.trust(BUILT + timedelta(hours=25))
    kept = path.stat().st_ino
    clock.trust(BUILT + timedelta(hours=40))
    assert path.stat().st_ino == kept


@pytest.mark.parametrize("left", [b"", b"\0" * 32, b"2026-13-45", b"2026-11-25", b"x" * 1000, b"\xff"])
def test_torn_file_counts_as_none_and_is_replaced(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "last-known-time").write_bytes(left)
    (tmp_path / ".last-known-time").write_bytes(left)
    clock = Clock(tmp_path)
    assert clock.read().floor == BUILT
    clock.trust(BUILT + YEARS)
    assert Clock(tmp_path).read().floor == BUILT + YEARS


def test_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "last-known-time").mkdir()
    clock = Clock(tmp_path)
    with pytest.raises(CannotWriteError, match="last-known-time"):
        clock.trust(BUILT + YEARS)
