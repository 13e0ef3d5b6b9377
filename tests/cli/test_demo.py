"""`edged demo`, as a user runs it: a process of its own, nothing configured."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil
import pytest
from support.http_video import HttpCamera
from support.mosquitto import HOST, Subscriber, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.demo.media import Media

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "edged", "demo"]
START_SECONDS = 15.0
NOBODY = 65534


class Demo:
    """A demo that runs, with what it prints in a file."""

    def __init__(self, folder: Path, *words: str | Path) -> None:
        self.output, self.errors = folder / "output", folder / "errors"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen([*COMMAND, *words], stdout=output, stderr=errors, cwd=ROOT)

    def lines(self) -> list[str]:
        return self.output.read_text("utf-8").splitlines()

    def results(self) -> list[str]:
        return [line for line in self.lines() if re.match(r"\d\d:\d\d:\d\d  ", line)]

    def port(self) -> int:
        until(lambda: any(line.startswith("stop it") for line in self.lines()), START_SECONDS)
        (port,) = re.findall(rf"^broker   mqtt://{HOST}:(\d+)$", "\n".join(self.lines()), re.MULTILINE)
        return int(port)


@contextmanager
def running(folder: Path, *words: str | Path) -> Iterator[Demo]:
    demo = Demo(folder, *words)
    try:
        yield demo
    finally:
        demo.process.kill()
        demo.process.wait()


def refused(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, cwd=ROOT, timeout=30)


@pytest.mark.usefixtures("media")
def test_it_shows_what_a_subscriber_gets_and_ends_in_time(tmp_path: Path) -> None:
    with running(tmp_path, "--seconds", "6") as demo:
        port = demo.port()
        began = time.monotonic()
        assert f"see it   mosquitto_sub -h {HOST} -p {port} -t 'edged/#' -v" in demo.lines()
        (page,) = [line.removeprefix("page     ") for line in demo.lines() if line.startswith("page     ")]
        with urlopen(page, timeout=10) as answer:
            assert b"carphone" in answer.read()
        with Subscriber(port) as subscriber:
            for camera in ("photos", "bikes", "carphone"):
                subscriber.wait_for(lambda message, end=f"/{camera}/labels": message.topic.endswith(end), START_SECONDS)  # type: ignore[misc]
            with Subscriber(port) as later:
                status = later.wait_for(lambda message: message.topic.endswith("/status"))
                assert (status.payload, status.retained) == (b"online", True)
            arrived = [json.loads(message.payload) for message in subscriber.received if "/labels" in message.topic]
        assert demo.process.wait(15) == 0
        assert 5 < time.monotonic() - began < 12
        shown = "\n".join(demo.results())
    for camera in ("photos", "bikes", "carphone"):
        assert f"  {camera}/" in shown
    for result in arrived:
        words = ", ".join(f"{label['text']} {label['confidence']:.2f}" for label in result["labels"]) or "-"
        assert re.search(rf"  {result['camera']}/\S+ +{re.escape(words)}  \(", shown), result
    assert demo.errors.read_bytes() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("media")
def test_ctrl_c_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as demo:
        until(lambda: bool(demo.results()), START_SECONDS)
        demo.process.send_signal(number)
        assert demo.process.wait(5) == 0
        assert "Traceback" not in demo.errors.read_text()


def test_source_is_labelled_instead_and_its_names_cannot_command_the_terminal(media: Media, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(media.photos / "coffee.png", folder / os.fsdecode(b"\x1b[2Jcoffee\xff.png"))
    with running(tmp_path, "--source", folder) as demo:
        until(lambda: bool(demo.results()), START_SECONDS)
        line = demo.results()[0]
    assert "  demo/\N{REPLACEMENT CHARACTER}[2Jcoffee\N{REPLACEMENT CHARACTER}.png" in line
    assert "Coffee" in line
    assert line.isprintable()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["mine"], "nothing beside a person's pictures"


@pytest.mark.usefixtures("media")
def test_camera_is_labelled_instead_and_its_password_is_not_said(tmp_path: Path) -> None:
    with HttpCamera() as camera, running(tmp_path, "--source", camera.address("/motion", "viewer:hunter2")) as demo:
        until(lambda: bool(demo.results()), START_SECONDS)
        assert "hunter2" not in demo.errors.read_text() + "\n".join(demo.lines())


@pytest.mark.usefixtures("media")
def test_port_that_is_taken_is_69_and_a_free_one_is_used(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        done = refused("--port", str(port))
    assert done.returncode == 69
    assert re.search(rf"cannot listen on {HOST}:{port}: .*address already in use", done.stderr)
    assert done.stderr.count("\n") == 1
    port = free_port()
    with running(tmp_path, "--port", str(port)) as demo:
        assert demo.port() == port


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--source", ""], 64, "--source: it is empty: name a folder of photos, or a video file"),
        (["--source", "gopher://user:hunter2@camera/x"], 69, "such as 'gopher://'; known are: picamera[:N], v4l2:"),
        (["--source", "rtsp://user:hunter2@127.0.0.1:9/x"], 69, "edged: rtsp://127.0.0.1:9/x: refuses connections"),
        (["--source", "v4l2:/dev/no-such-video"], 69, "/dev/no-such-video"),
        (["--source", "/nowhere/at/all"], 69, "/nowhere/at/all is not there"),
        (["--source", "/dev/null"], 69, "/dev/null is neither a folder nor a file"),
        (["--port", "70000"], 64, "--port: '70000' is not a port (0 to 65535)"),
        (["--port", "mqtt"], 64, "'mqtt' is not a port"),
        (["--seconds", "0"], 64, "--seconds: '0' is not a number of seconds (0.1 to 100000)"),
        (["--seconds", "nan"], 64, "'nan' is not a number of seconds"),
    ],
)
def test_wrong_calls_end_with_what_is_wrong(words: list[str], code: int, said: str) -> None:
    done = refused(*words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


AS_NOBODY = f"""
import os, sys
import edged.camera.open_source, edged.camera.source, edged.cli.main, edged.config, edged.demo.media, edged.logs
import edged.daemon, edged.resources
if os.geteuid() == 0:  # who may read everything; the interpreter's own files may be closed to others, so only now
    os.seteuid({NOBODY})
sys.exit(edged.cli.main.main(["demo", "--source", sys.argv[1]]))
"""


def test_source_that_may_not_be_read_is_77() -> None:
    closed = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    closed.chmod(0)
    try:
        for source in (closed, closed / "photos", Path("/proc/1/root")):
            done = subprocess.run(
                [sys.executable, "-c", AS_NOBODY, source], capture_output=True, text=True, check=False, cwd=ROOT
            )
            assert done.stderr == f"edged: --source {source}: this user may not read it (owner, group or mode)\n"
            assert done.returncode == 77
    finally:
        closed.rmdir()


@pytest.mark.usefixtures("media")
def test_output_that_nobody_reads_stops_neither_labels_nor_the_end(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 3600)  # what is left is enough for the first lines
    port = free_port()
    with (
        (tmp_path / "errors").open("wb") as errors,
        subprocess.Popen([*COMMAND, "--port", str(port)], stdout=writer, stderr=errors, cwd=ROOT) as process,
    ):
        until(lambda: listens(port), START_SECONDS)
        with Subscriber(port) as subscriber:
            until(lambda: sum("/labels" in message.topic for message in list(subscriber.received)) > 40, 30)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert (tmp_path / "errors").read_bytes() == b""
    os.close(reader)
    os.close(writer)


@pytest.mark.usefixtures("media")
def test_reader_that_goes_away_ends_it_in_order() -> None:
    with psutil.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True) as process:
        while not re.match(r"\d\d:", process.stdout.readline()):
            pass
        workers = process.children(recursive=True)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(5) == 141
    assert workers
    assert psutil.wait_procs(workers, timeout=1)[1] == []


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
