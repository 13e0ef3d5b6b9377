"""`edged models`: what a user types, sees and gets as exit code."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import http_files as ways
from support.http_files import FileServer
from support.models import TinyModel, tiny_model, write_package
from support.pictures import encoded

from edged.cli.main import main
from edged.models.store import Store
from edged.models.store_change import changing
from edged.models.write_package import write_files

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own."""
    monkeypatch.setenv("EDGED_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("EDGED_CONFIG", str(tmp_path / "nowhere.yaml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "state"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


def put(state: Path, folder: Path, version: str = "1.0.0") -> Path:
    """A package in the store, without the proof, which takes its time. Returns its folder there."""
    path = write_package(folder / version, manifest={"version": version})
    with changing(Store(state)) as change:
        staged = change.stage()
        write_files(staged, {file.name: file.read_bytes() for file in path.iterdir()})
        return change.put_in(staged, "a test").folder


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """A command's exit code, output and errors."""
    code = main(["models", *map(str, words)])
    out, errors = capsys.readouterr()
    return code, out, errors


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The marks of the list: `*` labels, `<` before it."""
    _, out, _ = said(capsys, "list", "--json")
    marks = {}
    for model in json.loads(out)["models"]:
        marks[f"{model['name']}@{model['version']}"] = (
            "*" if model["active"] else "<" if model["previous"] else "damaged" if model["state"] == "damaged" else ""
        )
    return marks


def base(capsys: pytest.CaptureFixture[str]) -> str:
    return next(iter(listed(capsys)))


def test_new_device_has_the_base_model_and_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "list")
    assert code == 0
    assert out.splitlines()[1].startswith("*  base  ")
    code, out, _ = said(capsys, "list", "--catalog")
    assert code == 0
    assert "coral-mobilenet-v1-0.75-192" in out
    known = json.loads(said(capsys, "list", "--catalog", "--json")[1])["models"]
    assert {"name", "licence", "size", "knows", "edgetpu", "installed"} <= set(known[0])


def test_life_of_a_model(capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path) -> None:
    package = write_package(tmp_path / "p")
    code, out, errors = said(capsys, "install", package, "--use")
    assert (code, errors) == (0, "")
    assert "installed tiny@1.0.0" in out
    own = base(capsys)
    assert listed(capsys) == {own: "<", "tiny@1.0.0": "*"}
    put(state, tmp_path, "2.0.0")
    assert said(capsys, "use", "tiny") == (0, f"tiny@2.0.0 labels from now on ({state})\n", "")
    assert listed(capsys) == {own: "", "tiny@2.0.0": "*", "tiny@1.0.0": "<"}
    assert said(capsys, "rollback") == (0, f"tiny@1.0.0 labels from now on ({state})\n", "")
    assert said(capsys, "remove", "tiny@1.0.0")[0] == 64
    assert said(capsys, "use", "base") == (0, f"the base model labels from now on ({state})\n", "")
    assert said(capsys, "remove", "tiny@2.0.0") == (0, "removed tiny@2.0.0\n", "")
    assert said(capsys, "remove", "tiny@1.0.0") == (0, "removed tiny@1.0.0\n", "")
    assert listed(capsys) == {own: "*"}
    assert said(capsys, "rollback")[0] == 64


def test_installed_model_labels_by_its_name(capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path) -> None:
    put(state, tmp_path)
    photo = tmp_path / "red.png"
    photo.write_bytes(encoded(np.full((20, 30, 3), (250, 10, 10), np.uint8)))
    assert main(["label", "--json", "--model", "tiny@1.0.0", str(photo)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["labels"][0]["text"] == "red"
    assert result["model"]["name"] == "tiny"


def test_flipped_bit_is_found_and_the_model_is_no_choice(
    capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path
) -> None:
    whole, torn = put(state, tmp_path, "1.0.0"), put(state, tmp_path, "2.0.0")
    assert said(capsys, "verify")[0] == 0
    data = bytearray((torn / "tiny.tflite").read_bytes())
    data[len(data) // 2] ^= 0x10
    (torn / "tiny.tflite").write_bytes(data)
    code, out, _ = said(capsys, "verify")
    assert code == 65
    assert [line.partition(": ")[2].startswith("whole") for line in out.splitlines()] == [True, False, True]
    assert str(torn / "tiny.tflite") in out
    code, out, _ = said(capsys, "verify", "--json", "tiny@2.0.0")
    assert (code, json.loads(out)["error"].startswith(str(torn / "tiny.tflite"))) == (65, True)
    assert said(capsys, "use", "tiny@2.0.0")[0] == 65
    assert said(capsys, "use", "tiny@1.0.0")[0] == 0
    (whole / "model.yaml").write_text("schema: 1")
    assert listed(capsys)["tiny@1.0.0"] == "*"
    assert said(capsys, "verify", "tiny@1.0.0")[0] == 65


def test_show_says_everything(capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path) -> None:
    folder = put(state, tmp_path)
    code, out, _ = said(capsys, "show", "tiny")
    assert code == 0
    for words in ("tiny 1.0.0", "Apache-2.0", "a test", "uint8 [1, 8, 8, 3]", "FULLY_CONNECTED", "red, green, blue"):
        assert words in out, words
    shown = json.loads(said(capsys, "show", "tiny", "--json")[1])
    assert (shown["path"], shown["digest"]) == (str(folder), f"sha256:{folder.name}")
    [member] = shown["members"]
    assert member["labels"] == ["red", "green", "blue"]
    assert member["cpu"]["inputs"][0]["shape"] == [1, 8, 8, 3]
    assert member["edgetpu"] is None
    code, out, _ = said(capsys, "show", "coral-birds")
    assert code == 0
    assert "not installed" in out
    assert json.loads(said(capsys, "show", "coral-birds", "--json")[1])["installed"] is False


def test_show_knows_the_metadata_of_a_published_model(capsys: pytest.CaptureFixture[str], testdata: Path) -> None:
    code, out, _ = said(capsys, "show", testdata / "models" / "mobilenet_v1_0.25_224_quant.tflite")
    assert code == 0
    assert "metadata   MobileNetV1 image classifier (quantized); version v1; TensorFlow" in out
    model = testdata / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"
    [member] = json.loads(said(capsys, "show", model, "--json")[1])["members"]
    assert member["edgetpu"]["compiled"] is True
    assert member["edgetpu"]["operators"] == [{"name": "edgetpu-custom-op", "version": 1, "custom": True}]


def test_packed_model_is_said_with_what_its_photo_gave(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tiny_model())
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    photo = tmp_path / "red=1.png"
    photo.write_bytes(encoded(np.full((20, 30, 3), (250, 10, 10), np.uint8)))
    words = ["--name", "packed", "--version", "1.2.3", "--labels", tmp_path / "labels.txt", "--golden", f"{photo}=red"]
    code, out, errors = said(capsys, "pack", tmp_path / "m.tflite", *words, "--output", tmp_path / "p")
    assert (code, errors) == (0, "")
    assert "packed 1.2.3" in out
    assert "red 0.98" in out
    assert said(capsys, "pack", tmp_path / "m.tflite", *words, "--output", tmp_path / "p")[0] == 73
    _, out, _ = said(capsys, "pack", tmp_path / "m.tflite", *words[:4], "--output", tmp_path / "q")
    assert out.startswith(f"{tmp_path}/q: packed 1.2.3, 1 file\n")


def test_compiled_model_of_the_store_is_a_version_of_its_own(
    capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(state, tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "compiled").write_bytes(tiny_model(TinyModel(custom="edgetpu-custom-op")))
    compiler = tmp_path / "bin" / "edgetpu_compiler"
    compiler.write_text(f'#!/bin/sh\ncp {tmp_path}/bin/compiled "$3/model_edgetpu.tflite"; echo Model compiled.\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    code, out, errors = said(capsys, "compile", "tiny")
    assert (code, errors) == (0, "Model compiled.\n")
    assert "installed tiny@1.0.0+edgetpu" in out
    _, out, _ = said(capsys, "list", "--json")
    [new] = [model for model in json.loads(out)["models"] if model["version"] == "1.0.0+edgetpu"]
    assert (new["edgetpu"], new["source"]) == (True, "tiny, compiled here")
    assert said(capsys, "compile", "tiny@1.0.0+edgetpu")[0] == 65
    assert said(capsys, "compile", tmp_path / "1.0.0")[0] == 64


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("", 64, "COMMAND"),
        ("install", 64, "required"),
        ("install nowhere", 65, "--catalog"),
        ("install https://127.0.0.1/m.tflite", 64, "--sha256"),
        ("install ftp://127.0.0.1/m.tflite --sha256 {sha256}", 64, "no address"),
        ("install coral-birds --mirror http://127.0.0.1:9/ --timeout 1", 69, "refused"),
        ("install . --timeout 0", 64, "a number of seconds"),
        ("use nowhere", 65, "no model 'nowhere'"),
        ("remove nowhere", 65, "no model 'nowhere'"),
        ("remove base", 64, "last resort"),
        ("verify nowhere", 65, "no model 'nowhere'"),
        ("show nowhere", 65, "no model 'nowhere'"),
        ("compile base", 69, "coral.ai"),
        ("pack m.tflite --name x", 64, "--version"),
        ("pack nowhere.tflite --name x --version 1.0.0 --output {tmp}/p", 65, "No such file"),
        ("pack x --name x --version 1.0.0 --output {tmp}/p --golden photo", 64, "--golden"),
        ("pack x --name x --version 1.0.0 --output {tmp}/p --mean a", 64, "not a number"),
        ("use base --state {tmp}/file", 73, "cannot be written"),
    ],
)
def test_what_cannot_be_done_says_why(  # noqa: PLR0913, PLR0917  the table's columns
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    code: int,
    reason: str,
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PATH", str(tmp_path))
    given = words.format(sha256="0" * 64, tmp=tmp_path).split()
    got, _, errors = said(capsys, *given)
    assert got == code
    assert reason in errors


def test_state_folder_is_the_words_the_environments_the_configurations(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state(*words: object) -> Path:
        _, out, _ = said(capsys, "list", "--json", *words)
        return Path(json.loads(out)["state"])

    config = tmp_path / "edged.yaml"
    config.write_text(f"state: {tmp_path}/configured\ncameras: {{a: {{source: {tmp_path}}}}}\n")
    monkeypatch.setenv("EDGED_CONFIG", str(config))
    assert state("--state", tmp_path / "said") == tmp_path / "said"
    assert state() == tmp_path / "state"
    monkeypatch.delenv("EDGED_STATE")
    assert state() == tmp_path / "configured"
    other = tmp_path / "other.yaml"
    other.write_text(f"state: {tmp_path}/other\ncameras: {{a: {{source: {tmp_path}}}}}\n")
    assert state("-c", other) == tmp_path / "other"
    assert state("-c", other, "--state", tmp_path / "said") == tmp_path / "said"
    put(tmp_path / "configured", tmp_path)
    assert said(capsys, "use", "tiny") == (0, f"tiny@1.0.0 labels from now on ({tmp_path / 'configured'})\n", "")
    config.write_text(config.read_text() + "model: {name: other}\n")
    code, _, errors = said(capsys, "use", "base")
    assert (code, "the configuration names model.name: other" in errors) == (0, True)
    config.write_text("state: [wrong]\n")
    code, _, errors = said(capsys, "list")
    assert (code, "edged.yaml:1: state" in errors) == (78, True)


@pytest.mark.parametrize(
    "words",
    ["list", "show", "verify", "use tiny", "rollback", "remove tiny", "install {package}", "compile {package}"],
)
def test_every_command_takes_the_state_folder_of_a_configuration(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str
) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text("state: [wrong]\n")
    code, _, errors = said(capsys, *words.format(package=tmp_path).split(), "-c", config)
    assert (code, "wrong.yaml:1: state" in errors) == (78, True)


@pytest.mark.parametrize(
    "command", ["list", "show", "install", "use", "rollback", "remove", "verify", "pack", "compile"]
)
def test_help_of_every_command_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, _ = said(capsys, command, "--help")
    assert code == 0
    assert "example" in out
    assert f"edged models {command}" in out


def test_download_of_a_killed_process_is_taken_up_by_the_next(
    capsys: pytest.CaptureFixture[str], state: Path, server: FileServer
) -> None:
    data = tiny_model()
    address = server.at("/m.tflite", ways.silent_after(data, 600))
    words = ["install", address, "--sha256", hashlib.sha256(data).hexdigest()]
    with subprocess.Popen(
        [sys.executable, "-m", "edged", "models", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        until = time.monotonic() + 20
        while not any(part.stat().st_size for part in (state / "models" / "downloads").glob("*.part")):
            assert time.monotonic() < until
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    assert list(listed(capsys)) == [base(capsys)]
    server.at("/m.tflite", ways.whole(data))
    server.requests.clear()
    assert said(capsys, *words)[0] == 0
    assert server.ranges() == ["bytes=600-"]
    assert "m@0.0.0" in listed(capsys)
    assert not list((state / "models" / "downloads").iterdir())
