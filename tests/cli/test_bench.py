"""`edged bench`: its figures, its configuration, and the processes it starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.models import unproved, write_package
from support.mosquitto import until

from edged import benchmark
from edged.config import load_config

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "edged", "bench"]


def test_json_has_every_figure(tmp_path: Path) -> None:
    model = write_package(tmp_path / "a #model: ${HOME} 'é' 🙂")
    done = subprocess.run(
        [*COMMAND, "--json", "--seconds", "1", "--model", str(model)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures.pop("schema") == 1
    assert figures.pop("model") == "tiny 1.0.0"
    assert figures.pop("runtime")
    assert figures.pop("threads") == 1
    assert figures.pop("members") == 1
    assert figures.keys() == {
        "bare_ms",
        "frame_to_labels_ms",
        "overhead_ratio",
        "fps",
        "frames_per_cpu_second",
        "first_member_frames_per_cpu_second",
        "memory_mb",
    }
    assert all(value > 0 for value in figures.values())
    assert 20 < figures["memory_mb"] < 1000


def test_swap_has_every_figure(tmp_path: Path) -> None:
    model = write_package(tmp_path / "tiny")
    done = subprocess.run(
        [*COMMAND, "--json", "--swap", "--swaps", "4", "--model", str(model)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["model"], figures["swaps"], figures["mismatched"], figures["memory_after"]) == (
        "tiny 1.0.0",
        4,
        0,
        2,
    )
    assert figures["results"] > 60, "two quiet seconds at 30 frames per second, and more in the swaps"
    assert 1000 / 35 < figures["usual_interval_ms"] < 100
    assert figures["gap_ratio"] >= figures["gap_ratio_median"] > 0
    assert 0.5 < figures["memory_ratio"] < 1.5
    assert figures["frames_lost"] >= 0


def test_swap_needs_a_model_whose_labels_are_known(tmp_path: Path) -> None:
    model = write_package(tmp_path / "tiny", labels=None)
    done = subprocess.run(
        [*COMMAND, "--swap", "--model", str(model)], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert (done.returncode, done.stdout) == (64, "")
    assert "whose labels are known" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--swap", "--swaps", "1"], "--swaps: '1' is not a number of swaps (2 to 1e+06)"),
        (["--threads", "0"], "--threads: '0' is not a number of threads (1 to 1024)"),
        (["--threads", "-3"], "'-3' is not a number of threads"),
        (["--threads", "100000"], "'100000' is not a number of threads"),
        (["--threads", "two"], "'two' is not a number of threads"),
        (["--seconds", "nan"], "--seconds: 'nan' is not a number of seconds (0.1 to 100000)"),
        (["--seconds", "-1"], "'-1' is not a number of seconds"),
        (["--seconds", "inf"], "'inf' is not a number of seconds"),
        (["--seconds", "soon"], "'soon' is not a number of seconds"),
    ],
)
def test_wrong_numbers_are_refused_before_anything_is_measured(words: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, cwd=ROOT, timeout=30)
    assert (done.returncode, done.stdout) == (64, "")
    assert said in done.stderr
    assert "measuring" not in done.stderr


@pytest.mark.parametrize("name", ["plain", "a: b", "#x {y} [z]", "'\"quotes", "${HOME} $${X}", "é 🙂", "- *&!%@`"])
def test_configuration_names_the_model_whatever_its_path(tmp_path: Path, name: str) -> None:
    model = write_package(tmp_path / name)
    config = load_config(benchmark.write_configuration(tmp_path, model=str(model), port=1, photos=tmp_path, threads=2))
    assert config.model.path == model
    assert config.inference.threads == 2
    assert [str(address) for address in config.mqtt.addresses] == ["127.0.0.1:1"]


def test_configuration_has_so_many_cameras_of_one_folder(tmp_path: Path) -> None:
    config = load_config(
        benchmark.write_configuration(tmp_path, model="base", port=1, photos=tmp_path, cameras=3, fps=9)
    )
    assert list(config.cameras) == ["photos", "photos-2", "photos-3"]
    assert {(camera.source, camera.fps) for camera in config.cameras.values()} == {(str(tmp_path), 9)}


def test_model_that_does_not_prove_itself_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    model = write_package(tmp_path / "p", **unproved())
    done = subprocess.run([*COMMAND, "--model", str(model)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (65, "")
    assert "must give green 0.90" in done.stderr
    assert "measuring" not in done.stderr


def test_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "END_SECONDS", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    with benchmark.running(sys.executable, "-c", deaf) as process:
        until(lambda: ignores_sigterm(process.pid))
    assert process.returncode == -signal.SIGKILL


def ignores_sigterm(pid: int) -> bool:
    ignored = int(Path(f"/proc/{pid}/status").read_text().split("SigIgn:")[1].split()[0], 16)
    return bool(ignored & 1 << (signal.SIGTERM - 1))


def test_ctrl_c_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--seconds", "0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    ) as process:
        assert process.stderr is not None
        while "memory" not in (line := process.stderr.readline()):
            assert line
        bench = psutil.Process(process.pid)
        until(lambda: len(bench.children(recursive=True)) > 1)
        family = bench.children(recursive=True)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(10) == 130
    assert "Traceback" not in said
    began = time.monotonic()
    psutil.wait_procs(family, timeout=3)
    assert time.monotonic() - began < 3
    assert list(tmp_path.iterdir()) == []
