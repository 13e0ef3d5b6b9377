"""A folder of photos as a source: what is shown, in which order, and what becomes of photos and folders that go."""

from __future__ import annotations

import logging
import os
import shutil
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.pictures import encoded, smooth

from edged.camera.folder import FolderSource, find_photos
from edged.camera.geometry import Size
from edged.camera.open_source import open_source
from edged.camera.source import SourceEndedError, SourceOptions
from edged.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = encoded(smooth(16, 12))


def folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(PHOTO)
    return path


def shown(source: FolderSource, count: int) -> list[str | None]:
    return [source.read(1.0).origin for _ in range(count)]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_photos_come_by_name_and_start_again(tmp_path: Path) -> None:
    source = FolderSource(folder(tmp_path, "b.png", "a.PNG", "c.jpeg", "notes.txt", ".hidden.png", ".git/x.png"))
    assert shown(source, 5) == ["a.PNG", "b.png", "c.jpeg", "a.PNG", "b.png"]


def test_photos_of_folders_below_come_too(tmp_path: Path) -> None:
    folder(tmp_path, "z.png", "2025/a.png", "2024/deep/er/b.png")
    assert [path.name for path in find_photos(tmp_path)] == ["z.png", "b.png", "a.png"]


def test_photos_come_by_time_where_wanted(tmp_path: Path) -> None:
    folder(tmp_path, "a.png", "b.png", "c.png")
    for age, name in enumerate(["b.png", "c.png", "a.png"]):
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert shown(FolderSource(tmp_path, order="time"), 3) == ["a.png", "c.png", "b.png"]


def test_random_order_shows_every_photo_once_a_round_and_differs(tmp_path: Path) -> None:
    names = [f"{number:02}.png" for number in range(30)]
    source = FolderSource(folder(tmp_path, *names), order="random")
    first, second = shown(source, 30), shown(source, 30)
    assert sorted(map(str, first)) == sorted(map(str, second)) == names
    assert first != second != names


def test_without_loop_it_ends_after_the_last_photo(tmp_path: Path) -> None:
    source = FolderSource(folder(tmp_path, "a.png", "b.png"), loop=False)
    assert shown(source, 2) == ["a.png", "b.png"]
    with pytest.raises(SourceEndedError, match="all photos shown"):
        source.read(1.0)


def test_photos_come_and_go_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = FolderSource(folder(tmp_path, "a.png", "b.png", "c.png"))
    assert shown(source, 1) == ["a.png"]
    (tmp_path / "b.png").unlink()
    folder(tmp_path, "d.png")
    assert shown(source, 4) == ["c.png", "a.png", "c.png", "d.png"]
    assert warnings(caplog) == []


def test_removed_folder_is_an_error_and_works_again_when_it_is_back(tmp_path: Path) -> None:
    path = folder(tmp_path / "photos", "a.png", "b.png", "c.png")
    source = FolderSource(path)
    assert shown(source, 1) == ["a.png"]
    shutil.rmtree(path)
    with pytest.raises(SourceError, match="photos is not there"):
        shown(source, 3)
    with pytest.raises(SourceError, match="photos is not there"):
        open_source(str(path), SourceOptions())
    folder(path, "d.png")
    assert open_source(str(path), SourceOptions()).read(1.0).origin == "d.png"


def test_unreadable_photo_is_named_once_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder(tmp_path, "a.png", "c.png")
    (tmp_path / "b.png").write_bytes(b"no photo")
    (tmp_path / "d.png").symlink_to("nowhere")
    assert shown(FolderSource(tmp_path), 6) == ["a.png", "c.png"] * 3
    assert len(warnings(caplog)) == 2
    assert f"{tmp_path / 'b.png'}: not an image" in caplog.text
    assert f"{tmp_path / 'd.png'}: No such file" in caplog.text


@pytest.mark.parametrize("loop", [True, False])
def test_folder_of_unreadable_photos_is_an_error_that_names_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, loop: bool
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"no photo")
    source = FolderSource(tmp_path, loop=loop)
    with pytest.raises(SourceError, match=r"not one of its 3 photos can be read; .*/a\.png: not an image"):
        source.read(1.0)
    assert warnings(caplog) == [], "the camera says it, once"


def test_pipe_among_the_photos_holds_nothing_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(folder(tmp_path, "b.png") / "a.png")
    began = time.monotonic()
    assert shown(FolderSource(tmp_path), 2) == ["b.png", "b.png"]
    assert time.monotonic() - began < 1
    assert "a.png: not a regular file" in caplog.text


def test_links_to_photos_count_and_loops_of_folders_end(tmp_path: Path) -> None:
    folder(tmp_path, "deep/a.png")
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "b.png").symlink_to(tmp_path / "deep" / "a.png")
    assert [path.name for path in find_photos(tmp_path)] == ["b.png", "a.png"]
    link = tmp_path.parent / "link"
    link.symlink_to(tmp_path)
    assert len(find_photos(link)) == 2, "a link that was given by name is followed"


def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"\xff\n\x1b[2J.png"), "wb") as file:  # noqa: PTH118, PTH123  bytes
        file.write(PHOTO)
    (origin,) = shown(FolderSource(tmp_path), 1)
    assert os.fsencode(origin or "") == b"\xff\n\x1b[2J.png"


def test_folder_without_photos_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no photos in it \(\.bmp, \.gif, \.jpeg, \.jpg"):
        FolderSource(tmp_path)


def test_single_photo_is_a_source_too(tmp_path: Path) -> None:
    folder(tmp_path, "a.png", "b.png")
    source = open_source(str(tmp_path / "b.png"), SourceOptions())
    assert [source.read(1.0).origin for _ in range(3)] == ["b.png"] * 3
    assert np.array_equal(source.read(1.0).picture.render(Size(16, 12)), smooth(16, 12))


@pytest.mark.parametrize("address", ["/dev/null", "ftp://user:secret@host/x", "picamera:x", "nowhere.mp4"])
def test_what_is_no_source_is_said_without_secrets(address: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(address, SourceOptions())
    assert "secret" not in str(caught.value)
    assert any(words in str(caught.value) for words in ("is not there", "known are:", "neither a folder nor a file"))


@pytest.mark.parametrize("name", ["photos", "photo.jpg"])
def test_what_is_taken_away_is_said_as_when_it_is_opened_anew(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    photo = path / "a.jpg" if name == "photos" else path
    folder(photo.parent, photo.name)
    source = FolderSource(path)
    source.read(1.0)
    path.rename(tmp_path / "away")
    with pytest.raises(SourceError) as later:
        source.read(1.0)
    with pytest.raises(SourceError) as anew:
        open_source(str(path), SourceOptions())
    assert str(later.value) == str(anew.value) == f"{path} is not there"
