"""Photos and folders that may not be read. Root may read everything, so a root's tests become somebody else."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.pictures import encoded, smooth

from edged.camera.folder import FolderSource, find_photos
from edged.camera.image_file import read_picture
from edged.camera.open_source import open_source
from edged.camera.source import SourceOptions
from edged.errors import BadImageError, ModelError, SourceError
from edged.models.package import find_model, open_package

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def photos() -> Iterator[Path]:
    """A folder with a readable photo, a closed photo and a closed folder, seen by an ordinary user."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    (folder / "closed").mkdir()
    for name in ("a.png", "b.png", "closed/c.png"):
        (folder / name).write_bytes(encoded(smooth(8, 6)))
    (folder / "b.png").chmod(0)
    (folder / "closed").chmod(0)
    folder.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    yield folder
    if root:
        os.seteuid(0)
    (folder / "closed").chmod(0o700)
    shutil.rmtree(folder)


def test_photo_that_may_not_be_read_is_named(photos: Path) -> None:
    for name in ("b.png", "closed/c.png"):
        with pytest.raises(BadImageError, match=f"{name}: Permission denied"):
            read_picture(photos / name)


def test_closed_folder_below_and_closed_photo_are_named_once_and_left_out(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = FolderSource(photos)
    assert [source.read(1.0).origin for _ in range(4)] == ["a.png"] * 4
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == [
        f"left out: {photos / 'closed'}: Permission denied",
        f"left out: {photos / 'b.png'}: Permission denied",
    ]


def test_closed_folder_itself_is_an_error(photos: Path) -> None:
    with pytest.raises(SourceError, match="closed: Permission denied"):
        find_photos(photos / "closed")
    with pytest.raises(SourceError, match="is not there"):
        open_source(str(photos / "closed" / "below"), SourceOptions())


def test_model_that_may_not_be_read_is_named(photos: Path) -> None:
    with pytest.raises(ModelError, match="Permission denied"):
        open_package(photos / "closed")
    with pytest.raises(ModelError, match=r"b\.png: Permission denied"):
        open_package(photos / "b.png")
    with pytest.raises(ModelError, match="no model"):
        find_model(str(photos / "closed" / "m.tflite"))
