"""`edged label --xmp` over a library of photos and videos: sidecars, broken files, breaks, a terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import sidecars
from support.label_command import GREEN, RED, ROOT, call, colours, command, objects
from support.models import write_package
from support.pictures import encoded, noise
from support.videos import write_video

from edged.photos.sidecar import Sidecar


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return colours(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def keywords(photo: Path) -> tuple[str, ...]:
    return Sidecar.of(photo).mark().keywords


def test_two_hundred_photos_some_broken_all_else_is_done(model: Path, photos: Path) -> None:
    cut = encoded(noise(200, 100), "JPEG")[:2000]
    for number in range(200):
        folder = photos / f"{number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.png").write_bytes(RED if number % 2 else GREEN)
    broken = [photos / "3" / "broken.jpg", photos / "5" / "empty.png", photos / "6" / "text.gif"]
    for path, data in zip(broken, (cut, b"", b"text"), strict=True):
        path.write_bytes(data)
    locked = photos / "1" / "1.png.xmp"
    locked.write_text("<html/>")
    done = call("--model", model, "--json", "--xmp", "--jobs", "3", photos)
    assert done.returncode == 65
    found = objects(done.stdout)
    assert [row["file"] for row in found] == sorted(row["file"] for row in found)
    assert {row["file"] for row in found if "error" in row} == set(map(str, broken))
    summary, *named = done.stderr.decode().splitlines()
    assert summary.startswith("edged: 199 labelled in ")
    assert summary.endswith("; 4 of 203 could not be labelled:")
    assert [line.split(": ")[0].strip() for line in named] == [str(locked), *map(str, broken)]
    assert locked.read_text() == "<html/>"
    for number in range(200):
        photo = photos / f"{number % 7}" / f"{number}.png"
        if number != 1:
            assert keywords(photo) == (("red", "green", "blue") if number % 2 else ("green",))
    assert not any(path.with_name(f"{path.name}.xmp").exists() for path in broken)
    locked.unlink()
    again = call("--model", model, "--xmp", "--skip-labelled", photos)
    assert again.returncode == 65
    assert again.stderr.startswith(b"edged: 1 labelled in ")
    assert b"; 199 skipped, labelled before; 3 of 4 could not be labelled:" in again.stderr


def test_another_model_or_threshold_replaces_only_what_edged_had_put_in(
    model: Path, photos: Path, tmp_path: Path
) -> None:
    (photos / "a.png").write_bytes(RED)
    sidecar = photos / "a.xmp"
    sidecar.write_text(sidecars.LIGHTROOM)
    assert call("--model", model, "--xmp", photos).returncode == 0
    assert keywords(photos / "a.png") == ("red", "green", "blue")
    assert not (photos / "a.png.xmp").exists()
    assert call("--model", model, "--xmp", "--threshold", "0.3", photos).returncode == 0
    assert keywords(photos / "a.png") == ("red", "green")
    other = write_package(tmp_path / "other", labels="dog\nsea\nsand\n")
    done = call("--model", other, "--xmp", "--skip-labelled", photos)
    assert (done.returncode, done.stderr) == (0, b"")
    assert keywords(photos / "a.png") == ("sea", "sand")  # the user has said dog
    text = sidecar.read_text()
    assert "A dog &lt;on&gt; holiday" in text
    assert "red" not in text


def test_sidecars_are_named_as_they_are_asked_for(model: Path, photos: Path) -> None:
    (photos / "a.png").write_bytes(RED)
    assert call("--model", model, "--xmp", "--xmp-name", "base", photos).returncode == 0
    assert sorted(path.name for path in photos.iterdir()) == ["a.png", "a.xmp"]
    assert call("--model", model, "--xmp", "--xmp-name", "full", photos).returncode == 0
    assert sorted(path.name for path in photos.iterdir()) == ["a.png", "a.png.xmp", "a.xmp"]


def test_full_disk_ends_it_at_once_with_73(model: Path, photos: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (photos / name).write_bytes(RED)
    large = sidecars.LIGHTROOM.replace("<rdf:li>0, 0</rdf:li>", "<rdf:li>0, 0</rdf:li>" * 300_000)
    (photos / "b.xmp").write_text(large)
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, resource.RLIM_INFINITY))\n"
        "from edged.cli.entry import main; sys.exit(main())"
    )
    words = command("--model", model, "--xmp", photos)
    done = subprocess.run([words[0], "-c", script, *words[3:]], check=False, capture_output=True, cwd=ROOT, timeout=60)
    assert done.returncode == 73
    assert b"edged: cannot write: File too large" in done.stderr
    assert keywords(photos / "a.png")
    assert (photos / "b.xmp").read_bytes() == large.encode()
    assert not (photos / "c.png.xmp").exists()


def test_place_where_no_sidecar_can_be_made_ends_with_73_and_the_rest_labelled(model: Path, photos: Path) -> None:
    (photos / "a.png").write_bytes(RED)
    with (photos / "a.png").open("rb") as file:
        path = f"/proc/self/fd/{file.fileno()}"
        done = call("--model", model, "--json", "--xmp", path, photos)
    assert done.returncode == 73
    assert f"{path}: no sidecar can be written beside it (".encode() in done.stderr
    assert len(objects(done.stdout)) == 2
    assert keywords(photos / "a.png")


def test_video_has_a_result_each_so_many_seconds_and_one_sidecar(model: Path, photos: Path) -> None:
    video = write_video(photos / "clip.mp4", rate=10, greys=[51] * 10 + [102] * 10 + [255] * 15)
    (photos / "a.png").write_bytes(GREEN)
    done = call("--model", model, "--json", "--xmp", photos)
    assert done.returncode == 0
    photo, *moments = objects(done.stdout)
    assert "time_s" not in photo
    assert [row["file"] for row in moments] == [str(video)] * 4
    assert [row["time_s"] for row in moments] == [0.0, 1.0, 2.0, 3.0]
    assert [round(row["labels"][0]["confidence"], 1) for row in moments] == [0.2, 0.4, 1.0, 1.0]
    assert set(keywords(video)) == {"red", "green", "blue"}
    assert done.stderr.startswith(b"edged: 2 labelled in ")
    seldom = call("--model", model, "--every", "0.5", "--max", "1", video)
    clock = [line.split()[1] for line in seldom.stdout.decode().splitlines()]
    assert clock == ["0:00:00.0", "0:00:00.5", "0:00:01.0", "0:00:01.5", "0:00:02.0", "0:00:02.5", "0:00:03.0"]


def test_video_that_is_none_is_named(model: Path, photos: Path) -> None:
    (photos / "text.mp4").write_bytes(b"no video")
    os.mkfifo(photos / "pipe.mov")
    done = call("--model", model, "--json", "--xmp", photos, photos / "nowhere.mkv")
    assert done.returncode == 65
    errors = {Path(row["file"]).name: row["error"] for row in objects(done.stdout)}
    assert "not a video that can be read" in errors["text.mp4"]
    assert "not a regular file" in errors["pipe.mov"]
    assert "No such file" in errors["nowhere.mkv"]
    assert sorted(path.name for path in photos.iterdir()) == ["pipe.mov", "text.mp4"]


def test_interrupt_says_how_far_it_got_and_the_next_call_goes_on(model: Path, photos: Path) -> None:
    for number in range(2000):
        (photos / f"{number:04}.png").symlink_to("0000.png") if number else (photos / "0000.png").write_bytes(RED)
    words = command("--model", model, "--xmp", "--skip-labelled", photos)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert time.monotonic() - began < 3
    assert re.fullmatch(rb"edged: \d+ labelled in .*; stopped, \d+ not looked at\n", said)
    marked = [path for path in photos.iterdir() if path.name.endswith(".xmp")]
    assert len(marked) >= 49
    assert not [path for path in photos.iterdir() if path.name.startswith(".edged")]
    for path in photos.glob("*.png"):
        if path.name > "0060.png":
            path.unlink()
    done = call("--model", model, "--xmp", "--skip-labelled", photos)
    assert done.returncode == 0
    assert len(list(photos.glob("*.png.xmp"))) >= 61


def on_terminal(words: list[str], *, stdout: int | None = None) -> tuple[int, str]:
    """What a command says to a terminal of 100 columns; with `stdout`, its output goes there instead."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=follower if stdout is None else stdout, stderr=follower, stdin=follower,
                          cwd=ROOT, env=environment) as process:  # fmt: skip
        os.close(follower)
        said = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # how Linux says that the other side has closed
                break
            if not part:
                break
            said += part
        os.close(leader)
        return process.wait(30), said.decode()


def test_terminal_shows_progress_and_coloured_labels(model: Path, photos: Path) -> None:
    for number in range(60):
        (photos / f"{number:02}.png").write_bytes(RED)
    code, said = on_terminal(command("--model", model, photos))
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert "labelling" in plain
    assert "60/60" in plain
    assert "\x1b[1mred" in said
    for number in range(60):
        assert f"/{number:02}.png  red 1.00  green 0.40  blue 0.20" in plain


def test_progress_bar_leaves_the_results_where_they_were_sent(model: Path, photos: Path, tmp_path: Path) -> None:
    for number in range(60):
        (photos / f"{number:02}.png").write_bytes(RED)
    with (tmp_path / "out").open("wb") as file:
        code, said = on_terminal(command("--model", model, "--json", photos), stdout=file.fileno())
    assert code == 0
    assert "60/60" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert len(objects((tmp_path / "out").read_bytes())) == 60
