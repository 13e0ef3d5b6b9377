"""`edged check`, as a user calls it."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edged.cli import check

ROOT = Path(__file__).parents[2]


def edged(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )


def test_right_configuration_is_well_and_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(
        "device: porch-pi\n"
        "mqtt: {host: broker.example, tls: {}}\n"
        "registry: {url: https://models.example}\n"
        "cameras:\n"
        "  porch: {source: 'rtsp://user:hunter2@cam/x'}\n"
        "  film: {source: film.mp4, fps: 2}\n"
    )
    done = edged("check", "-c", str(path))
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{path}: well",
        "  device   porch-pi",
        "  camera   porch: rtsp://***@cam/x, 5 fps",
        f"  camera   film: {tmp_path}/film.mp4, 2 fps",
        "  model    base",
        "  broker   broker.example:1883, TLS",
        f"warning: cameras.film.source: {tmp_path}/film.mp4 is not there (the camera waits until it is)",
        "warning: registry.root: /etc/edged/root.json is not there (no update can be trusted without it)",
    ]


def test_wrong_configuration_is_exit_78_with_every_error(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("device: A\nmqtt:\n  port: x\ncameras: {a: {source: 'gopher://u:hunter2@h'}}\n")
    done = edged("check", "-c", str(path))
    assert done.returncode == 78
    assert done.stdout == ""
    places = [line.split(": ")[0:2] for line in done.stderr.splitlines()]
    assert places == [[f"{path}:1", "device"], [f"{path}:3", "mqtt.port"], [f"{path}:4", "cameras.a.source"]]
    assert "hunter2" not in done.stderr


def test_missing_file_is_exit_78(tmp_path: Path) -> None:
    done = edged("check", EDGED_CONFIG=str(tmp_path / "none.yaml"))
    assert done.returncode == 78
    assert done.stderr.startswith(f"{tmp_path}/none.yaml: there is no such file")


def test_labels_that_the_base_model_does_not_have_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(
        f"state: {tmp_path}/state\nweb: {{listen: null}}\ncameras:\n"
        "  a: {source: picamera, presence: {cat: {}, catt: {}, '*': {}}, labels: {allow: [Cat, dog, Doog]}}\n"
        "  b: {source: picamera, labels: {deny: [xxxxxxxx]}}\n"
    )
    done = edged("check", "-c", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if line.startswith("warning")] == [
        "warning: cameras.a.labels.allow: the model base has no label 'Doog'; did you mean 'Dog'?",
        "warning: cameras.a.presence: the model base has no label 'catt'; did you mean 'cat'?",
        "warning: cameras.b.labels.deny: the model base has no label 'xxxxxxxx'",
    ]


def test_model_that_is_not_here_and_cannot_come_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(f"state: {tmp_path}/state\nmodel:\n  name: birds\ncameras: {{a: {{source: picamera}}}}\n")
    done = edged("check", "-c", str(path))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(
        f"{path}:3: model.name: there is no model 'birds' on this device (edged models install"
    )
    path.write_text(path.read_text() + "registry: {url: https://models.example}\n")
    assert edged("check", "-c", str(path)).returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_model_that_this_user_may_not_look_for_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(f"state: {tmp_path}/state\nmodel: {{name: birds}}\ncameras: {{a: {{source: picamera}}}}\n")
    (tmp_path / "state/models").mkdir(parents=True)
    (tmp_path / "state").chmod(0)
    done = edged("check", "-c", str(path))
    (tmp_path / "state").chmod(0o700)
    assert done.returncode == 0
    assert "warning: model.name: this user may not look into" in done.stdout


@pytest.mark.parametrize("name", ["edged.yaml", "demo.yaml"])
def test_shipped_configurations_are_well(name: str, tmp_path: Path) -> None:
    done = edged("check", "-c", f"config/{name}", EDGED_DEMO_MEDIA=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"config/{name}: well\n")
    assert "note:" not in done.stdout


def test_option_is_a_path_and_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    check.register(parser.add_subparsers())
    assert parser.parse_args(["check", "-c", "x.yaml"]).config == Path("x.yaml")
    with pytest.raises(SystemExit):
        parser.parse_args(["check", "--help"])
    assert "edged check -c edged.yaml" in capsys.readouterr().out


def test_check_runs_without_the_other_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("cameras: {a: {source: picamera}}\nmqtt: {host: embedded}\nmodel: {path: m.tflite}\n")
    assert check.run(argparse.Namespace(config=path)) == 0
    assert "broker   embedded" in capsys.readouterr().out
