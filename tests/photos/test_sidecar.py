"""Sidecars as files: which one is a photo's, and that none is ever lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import sidecars

from edged.errors import SidecarError
from edged.photos import sidecar
from edged.photos.sidecar import MAX_BYTES, Naming, Sidecar
from edged.photos.xmp import put_keywords


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.touch()
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_sidecar_has_the_photos_full_name_unless_told_otherwise(photo: Path) -> None:
    assert Sidecar.of(photo).path.name == "photo.jpg.xmp"
    assert Sidecar.of(photo, Naming.FULL).path.name == "photo.jpg.xmp"
    assert Sidecar.of(photo, Naming.BASE).path.name == "photo.xmp"


def test_the_one_that_is_there_is_used(photo: Path) -> None:
    """A second one beside it would hide it from Immich."""
    photo.with_suffix(".xmp").write_text(sidecars.LIGHTROOM)
    assert Sidecar.of(photo).path.name == "photo.xmp"
    assert Sidecar.of(photo, Naming.FULL).path.name == "photo.jpg.xmp"
    photo.with_name("photo.jpg.xmp").touch()
    assert Sidecar.of(photo).path.name == "photo.jpg.xmp"


def test_photos_of_one_name_do_not_share_a_sidecar(photo: Path) -> None:
    other = photo.with_suffix(".png")
    other.touch()
    assert Sidecar.of(photo, Naming.BASE).put(["Cat"], "sha256:a")
    assert Sidecar.of(photo).path == Sidecar.of(photo, Naming.BASE).path == photo.with_suffix(".xmp")
    assert Sidecar.of(other).path.name == "photo.png.xmp"
    with pytest.raises(SidecarError, match=r"photo\.xmp: holds the keywords of photo\.jpg"):
        Sidecar.of(other, Naming.BASE)
    photo.unlink()  # renamed, say
    assert Sidecar.of(other).path.name == "photo.xmp"


def test_names_of_any_bytes_come_back(tmp_path: Path) -> None:
    photo = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff &<\x1b>.jpg"))
    photo.touch()
    assert Sidecar.of(photo, Naming.BASE).put(["Cat"], "sha256:a")
    assert Sidecar.of(photo, Naming.BASE).mark().keywords == ("Cat",)
    assert Sidecar.of(photo).path == photo.with_suffix(".xmp")


def test_put_says_whether_it_changed_anything_and_leaves_nothing_else(photo: Path) -> None:
    one = Sidecar.of(photo)
    assert one.mark().model == ""
    assert one.put(["Cat"], "sha256:a")
    before = one.path.stat()
    assert not one.put(["Cat"], "sha256:a")
    assert one.path.stat().st_ino == before.st_ino
    assert one.put(["Cat"], "sha256:b")
    assert one.mark().model == "sha256:b"
    assert names(photo.parent) == ["photo.jpg", "photo.jpg.xmp"]


def test_mode_of_a_sidecar_stays_and_a_new_ones_is_the_users(photo: Path) -> None:
    one = Sidecar.of(photo)
    before = os.umask(0o027)
    try:
        one.put(["Cat"], "sha256:a")
        assert one.path.stat().st_mode & 0o777 == 0o640
        one.path.chmod(0o604)
        one.put(["Dog"], "sha256:a")
        assert one.path.stat().st_mode & 0o777 == 0o604
    finally:
        os.umask(before)


@pytest.mark.parametrize("broken", ["<html/>", "<!DOCTYPE x><x/>", "cut <x:xmp"])
def test_sidecar_that_cannot_be_read_is_left_as_it_is(photo: Path, broken: str) -> None:
    one = Sidecar.of(photo)
    one.path.write_text(broken)
    with pytest.raises(SidecarError, match=r"photo\.jpg\.xmp: .*; it is left as it is"):
        one.put(["Cat"], "sha256:a")
    with pytest.raises(SidecarError, match=r"photo\.jpg\.xmp: "):
        one.mark()
    assert one.path.read_text() == broken
    assert names(photo.parent) == ["photo.jpg", "photo.jpg.xmp"]


def test_link_is_not_followed_wherever_it_leads(photo: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "elsewhere.xmp", tmp_path / "nowhere.xmp"):
        if "else" in target.name:
            target.write_text(sidecars.EMPTY)
        one = Sidecar.of(photo)
        one.path.symlink_to(target)
        with pytest.raises(SidecarError, match="a link, not a file"):
            one.put(["Cat"], "sha256:a")
        one.path.unlink()
    assert (tmp_path / "elsewhere.xmp").read_text() == sidecars.EMPTY
    assert not (tmp_path / "nowhere.xmp").exists()


def test_folders_pipes_and_files_without_end_are_no_sidecars(photo: Path) -> None:
    one = Sidecar.of(photo)
    one.path.mkdir()
    with pytest.raises(SidecarError, match="a folder"):
        one.put(["Cat"], "sha256:a")
    one.path.rmdir()
    os.mkfifo(one.path)
    with pytest.raises(SidecarError, match="not a regular file"):
        one.put(["Cat"], "sha256:a")
    one.path.unlink()
    with one.path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(SidecarError, match="larger than 32 MB"):
        one.put(["Cat"], "sha256:a")


def test_change_by_another_program_meanwhile_is_not_overwritten(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Sidecar.of(photo)
    one.path.write_text(sidecars.EMPTY)

    def slow(data: bytes | None, *rest: str) -> bytes:
        one.path.write_text(sidecars.LIGHTROOM)
        return put_keywords(data, *rest)

    monkeypatch.setattr(sidecar, "put_keywords", slow)
    with pytest.raises(SidecarError, match="another program has just changed it"):
        one.put(["Cat"], "sha256:a")
    assert one.path.read_bytes() == sidecars.LIGHTROOM.encode()
    assert names(photo.parent) == ["photo.jpg", "photo.jpg.xmp"]


def test_full_disk_leaves_the_old_sidecar_and_nothing_else(photo: Path) -> None:
    one = Sidecar.of(photo)
    one.path.write_text(sidecars.DIGIKAM)
    script = (
        "import resource, signal, sys, pathlib; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from edged.photos.sidecar import Sidecar\n"
        "try: Sidecar.of(pathlib.Path(sys.argv[1])).put(['Cat'], 'sha256:a')\n"
        "except OSError as error: sys.exit(error.errno)"
    )
    done = subprocess.run([sys.executable, "-c", script, photo], check=False, timeout=30)
    assert done.returncode == errno.EFBIG
    assert one.path.read_bytes() == sidecars.DIGIKAM.encode()
    assert names(photo.parent) == ["photo.jpg", "photo.jpg.xmp"]
